"""Look up cells of a results folder by id: a training, or an evaluation with its training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from bench.files import StoreError, load_document
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import EvaluationFolder, Store
from bench.suite.specs import EvalSpec, TrainSpec

DocumentT = TypeVar("DocumentT", bound=BaseModel)


@dataclass(frozen=True)
class StoredCell:
    """A training, or an evaluation with its training, as the store holds it.

    Attributes:
        training: spec of the training.
        evaluation: spec of the evaluation; None for a training.
        training_record: record of the training; None until it is finished.
        record: record of the evaluation; None until it is finished.
    """

    training: TrainSpec
    evaluation: EvalSpec | None
    training_record: TrainingRecord | None
    record: Record | None

    @property
    def id(self) -> str:
        """Id of the evaluation, or else of the training."""
        return self.evaluation.id if self.evaluation is not None else self.training.id

    @property
    def simulated(self) -> bool:
        """Whether one of the records is made up by `bench simulate`."""
        return any(record is not None and record.simulated for record in (self.record, self.training_record))


def look_up(store: Store, prefix: str) -> StoredCell:
    """The training or evaluation whose id has this prefix.

    Raises:
        StoreError: not exactly one id fits, a file cannot be read, or the spec is missing.
    """
    folder = store.find(prefix)
    if not isinstance(folder, EvaluationFolder):
        record = folder.record()
        return StoredCell(_training_spec(store, folder.path.name, record), None, record, None)
    result, spec = folder.record(), folder.spec()
    if spec is None:
        raise StoreError(f"{folder.path}: has no spec, so its training is unknown")
    training_record = store.training(spec.training).record()
    training = result.training if result is not None else _training_spec(store, spec.training, training_record)
    return StoredCell(training, spec, training_record, result)


def seeds_of(store: Store, cell: StoredCell) -> list[StoredCell]:
    """Cells that differ from `cell` only in the seed, including itself, ordered by seed.

    Unreadable files are skipped; looking them up reports the error.
    """
    trainings = {
        spec.id: spec
        for spec in _specs(store.trainings, TrainSpec)
        if spec.model_dump(exclude={"seed"}) == cell.training.model_dump(exclude={"seed"})
    }
    if cell.evaluation is None:
        ids = list(trainings)
    else:
        way = cell.evaluation.model_dump(exclude={"training"})
        ids = [
            spec.id
            for spec in _specs(store.evaluations, EvalSpec)
            if spec.training in trainings and spec.model_dump(exclude={"training"}) == way
        ]
    found = []
    for id_ in ids:
        with contextlib.suppress(StoreError):
            found.append(look_up(store, id_))
    return sorted(found, key=lambda other: (other.training.seed, other.id))


def _training_spec(store: Store, id_: str, record: TrainingRecord | None) -> TrainSpec:
    if record is not None:
        return record.spec
    file = store.training(id_).path / "spec.json"
    spec = load_document(file, TrainSpec)
    if spec is None:
        raise StoreError(f"{file}: no such file, so the training is unknown")
    return spec


def _specs(folder: Path, kind: type[DocumentT]) -> Iterator[DocumentT]:
    for file in sorted(folder.glob("*/spec.json")):
        with contextlib.suppress(StoreError):
            spec = load_document(file, kind)
            if spec is not None:
                yield spec
