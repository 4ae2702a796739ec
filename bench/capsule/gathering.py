"""What of a suite goes into a capsule."""

from __future__ import annotations

import filecmp
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.analysis.result_reading import missing_reason
from bench.capsule.manifest import SUITE
from bench.planning.plan import Plan
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import EvaluationFolder, Store


@dataclass(frozen=True)
class Gathered:
    """Finished evaluations of a plan, with their trainings.

    Attributes:
        plan: of the suite.
        sources: files by member name.
        missing: why planned evaluations have no result, by their ids.
        trainings: records of trainings by id, in the plan's order.
        records: records of evaluations by id, likewise.
    """

    plan: Plan
    sources: Mapping[str, Path]
    missing: Mapping[str, str]
    trainings: Mapping[str, TrainingRecord]
    records: Mapping[str, Record]

    @property
    def documents(self) -> Iterator[TrainingRecord | Record]:
        """All records, those of trainings first."""
        yield from self.trainings.values()
        yield from self.records.values()

    @property
    def simulated(self) -> bool:
        """Whether any result is simulated."""
        return any(record.simulated for record in self.records.values())


def gather(plan: Plan, store: Store, *, predictions: bool) -> Gathered:
    """The finished part of a plan. Raises `StoreError` for unreadable records."""
    sources: dict[str, Path] = {SUITE: plan.suite.file}
    missing: dict[str, str] = {}
    trainings: dict[str, TrainingRecord] = {}
    records: dict[str, Record] = {}
    for training in plan.trainings:
        folder = store.training(training.spec.id)
        for item in training.evaluations:
            evaluation = store.evaluation(item.spec.id)
            record, trained = evaluation.record(), folder.record()
            if record is None or trained is None:
                reason = missing_reason(training, item, store) if record is None else "its training has no record"
                missing[item.spec.id] = reason
                continue
            trainings[trained.id], records[record.id] = trained, record
            files = _files(folder.path, evaluation, predictions=predictions)
            sources |= {file.relative_to(store.root).as_posix(): file for file in files}
    variants = [file for id_ in records for file in _variant_files(store, id_, records)]
    sources |= {file.relative_to(store.root).as_posix(): file for file in variants}
    return Gathered(plan, sources, missing, trainings, records)


def _variant_files(store: Store, id_: str, records: Container[str]) -> Iterator[Path]:
    """What is known of an evaluation under other protocols, without predictions: they would be most of a capsule.

    Results of instances that are the evaluation's own are there once, see `per_instance_member`.
    """
    folder = store.evaluation(id_)
    yield from (file for file in (folder.variants_file, folder.budget_file) if file.exists())
    for listed in folder.variants().variants:
        variant = store.evaluation(listed.evaluation)
        if listed.evaluation not in records and variant.record() is not None:
            yield from (variant.path / "spec.json", variant.record_file)
            if variant.per_instance.exists() and not _same(variant.per_instance, folder.per_instance):
                yield variant.per_instance


def _same(one: Path, other: Path) -> bool:
    return other.exists() and filecmp.cmp(one, other, shallow=False)


def _files(training: Path, folder: EvaluationFolder, *, predictions: bool) -> Iterator[Path]:
    yield from (training / "spec.json", training / "training.json", folder.path / "spec.json", folder.record_file)
    optional = (folder.server_file, folder.per_instance, *([folder.predictions] if predictions else []))
    yield from (file for file in optional if file.exists())
