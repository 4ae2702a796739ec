"""Recomputing a capsule's results from its predictions and the local annotations. Imports no torch."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.capsule.archive import Capsule, open_capsule
from bench.capsule.contents import checked_records, per_instance_member, read_suite
from bench.capsule.manifest import MODEL_INDEX, SUITE, Manifest
from bench.capsule.model_index import stated_metrics
from bench.capsule.truth import Truths, UnavailableError
from bench.pose.errors import BenchError, DataError
from bench.pose.metrics.catalog import NOBODY, explain_unjudged
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.own import own_metrics
from bench.pose.metrics.pck import PCK_THRESHOLDS
from bench.pose.metrics.per_instance import PerInstanceResults, load_per_instance, save_per_instance
from bench.pose.metrics.results_file import listed_entries
from bench.pose.scoring import Assessment
from bench.store.documents import Record, ServerScore
from bench.suite.expansion import expand

TOLERANCE = 1e-9
"""Largest difference between a recorded and a recomputed number."""

Recomputation = Literal["agrees", "differs", "not recomputed"]

Metrics = Mapping[str, float | None]

PREDICTIONS, PER_INSTANCE = "predictions.json", "per_instance.npz"


@dataclass(frozen=True)
class VerifiedEvaluation:
    """One evaluation of a capsule.

    Attributes:
        record: its record.
        verdict: whether its numbers could be recomputed.
        details: each number that differs, the reason why none was recomputed, or the metrics for which there is nobody
            to judge or which an earlier version did not record.
    """

    record: Record
    verdict: Recomputation
    details: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """Verdicts on a capsule.

    Attributes:
        manifest: the capsule's manifest.
        cells: its evaluations.
        planned: number of evaluations that its suite plans in this version; None if the suite cannot be read.
        absent: number of planned evaluations that are not in the capsule.
    """

    manifest: Manifest
    cells: tuple[VerifiedEvaluation, ...]
    planned: int | None
    absent: int


def verify(file: Path, data_root: Path) -> Verification:
    """Check a capsule and recompute each of its evaluations.

    Metrics, diagnostics and per-instance results are recomputed from the predictions. The trainings are not repeated,
    and baselines and ceilings, which do not depend on the network, are not recomputed.

    Args:
        file: the capsule.
        data_root: folder with one folder per dataset; synthetic data is drawn if it is not there.

    Raises:
        CapsuleError: the capsule is broken or was changed (see `open_capsule`), a spec does not hash to its id, or
            records contradict each other.
    """
    with open_capsule(file) as capsule:
        records = checked_records(capsule)
        truths, stated = Truths(data_root), stated_metrics(capsule)
        if strangers := sorted(stated.keys() - {record.id for record in records}):
            raise capsule.problem(f"{MODEL_INDEX} states results of {strangers[0]}, which is not here")
        cells = tuple(_verify(capsule, record, truths, stated.get(record.id, {})) for record in _by_data(records))
        planned = _planned(capsule)
        absent = len((planned or set()) - {record.id for record in records})
        return Verification(capsule.manifest, cells, None if planned is None else len(planned), absent)


def _by_data(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.training.dataset, record.spec.split, record.id))


def _verify(capsule: Capsule, record: Record, truths: Truths, stated: Metrics) -> VerifiedEvaluation:
    """The verdict on a record, and on the metrics that the model-index states of it."""
    name = f"evaluations/{record.id}/{PREDICTIONS}"
    if record.simulated:
        return _not_recomputed(record, stated, "simulated: nothing was predicted")
    if record.scored_by == "server":
        scores = f"evaluations/{record.id}/server.json"
        if scores in capsule:
            record = record.model_copy(update={"metrics": capsule.document(scores, ServerScore).metrics})
        return _not_recomputed(record, stated, f"only the dataset's server can score {record.spec.split}")
    if name not in capsule:
        left_out = "its predictions were left out of the capsule"
        return _verify_variant(capsule, record) if record.outputs_of else _not_recomputed(record, stated, left_out)
    try:
        scoring = truths.of(record)
        results = capsule.json(name)
    except UnavailableError as error:
        return _not_recomputed(record, stated, str(error))
    try:
        results, _ = scoring.from_file(listed_entries(results))
        found = scoring.assess(results)
        own, _ = own_metrics(record.training.data.protocol, results, scoring)
    except DataError as error:
        return VerifiedEvaluation(record, "differs", (f"its predictions are unusable: {error}",))
    found = replace(found, metrics={**found.metrics, **own})
    misstated = _misstated(stated, found.metrics)
    found, absent = _as_recorded(record, found)
    details = (*_differences(capsule, record, found), *misstated)
    notes = filter(None, [explain_unjudged(record.metrics, record.spec.split), absent])
    return VerifiedEvaluation(record, "differs" if details else "agrees", details or tuple(notes))


def _verify_variant(capsule: Capsule, record: Record) -> VerifiedEvaluation:
    """A variant's metrics from its per-instance results: capsules hold no predictions of variants."""
    name = per_instance_member(capsule, record)
    if name is None:
        return VerifiedEvaluation(record, "not recomputed", ("its per-instance results were left out",))
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / PER_INSTANCE
            file.write_bytes(capsule.contents(name))
            metrics = load_per_instance(file).metrics()
    except DataError as error:
        return VerifiedEvaluation(record, "differs", (str(error),))
    known = {metric: value for metric, value in record.metrics.items() if metric in metrics}
    details = tuple(_unequal("", known, {metric: metrics[metric] for metric in known}))
    note = f"variant of {record.outputs_of}, from its per-instance results"
    return VerifiedEvaluation(record, "differs" if details else "agrees", details or (note,))


def _not_recomputed(record: Record, stated: Metrics, reason: str) -> VerifiedEvaluation:
    """An evaluation whose record is all that there is: what the model-index states is compared with it."""
    misstated = tuple(_misstated(stated, {} if record.simulated else record.metrics))
    return VerifiedEvaluation(record, "differs" if misstated else "not recomputed", misstated or (reason,))


def _misstated(stated: Metrics, found: Metrics) -> Iterator[str]:
    """What the model-index states and is not so."""
    for name, value in stated.items():
        if name not in found or not _agree(value, found[name]):
            right = _text(found[name]) if name in found else "not measured"
            yield f"{MODEL_INDEX} {name}: stated {_text(value)}, found {right}"


def _as_recorded(record: Record, found: Assessment) -> tuple[Assessment, str]:
    """What is recomputed, without PCK where an earlier version recorded none, and a note about it."""
    absent = [name for name in PCK_THRESHOLDS if name in found.metrics]
    if not absent or record.metrics.keys() & PCK_THRESHOLDS.keys():
        return found, ""
    metrics = {name: value for name, value in found.metrics.items() if name not in PCK_THRESHOLDS}
    per_instance = found.per_instance
    if isinstance(per_instance, OksPerInstance):
        per_instance = replace(per_instance, pck=None)
    return replace(found, metrics=metrics, per_instance=per_instance), f"not recorded: {', '.join(absent)}"


def _differences(capsule: Capsule, record: Record, found: Assessment) -> Iterator[str]:
    """Differences between the record and its recomputed predictions."""
    yield from _unequal("", record.metrics, found.metrics)
    if record.diagnostics is not None and found.diagnostics is not None:
        yield from _unequal_diagnostics(record.diagnostics, found.diagnostics)
    name = f"evaluations/{record.id}/{PER_INSTANCE}"
    if name in capsule and found.per_instance is not None and not _same(capsule.contents(name), found.per_instance):
        yield f"{PER_INSTANCE}: recomputed results differ"


def _unequal_diagnostics(recorded: Diagnostics, found: Diagnostics) -> Iterator[str]:
    if recorded.measure != found.measure:
        yield f"measure: recorded {recorded.measure}, recomputed {found.measure}"
    for part in ("keypoints", "curve", "errors"):
        yield from _unequal(f"{part} ", getattr(recorded, part), getattr(found, part))


def _unequal(prefix: str, recorded: Mapping[str, float | None], found: Mapping[str, float | None]) -> Iterator[str]:
    for name in dict.fromkeys([*recorded, *found]):
        if name not in found:
            yield f"{prefix}{name}: recorded {_text(recorded[name])}, not part of what is recomputed"
        elif name not in recorded:
            yield f"{prefix}{name}: not recorded, recomputed {_text(found[name])}"
        elif not _agree(recorded[name], found[name]):
            yield f"{prefix}{name}: recorded {_text(recorded[name])}, recomputed {_text(found[name])}"


def _agree(recorded: float | None, found: float | None) -> bool:
    return recorded is found if recorded is None or found is None else abs(recorded - found) <= TOLERANCE


def _text(value: float | None) -> str:
    return NOBODY if value is None else f"{value:.9g}"


def _same(contents: bytes, found: PerInstanceResults) -> bool:
    """Whether a file of per-instance results holds these. It is opened only if it unpacks to the size of theirs."""
    if _layout(contents) != _layout(save_per_instance(found)):
        return False
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / PER_INSTANCE
        file.write_bytes(contents)
        try:
            stored = load_per_instance(file)
        except DataError:
            return False
    names = [field.name for field in fields(type(found))]  # type: ignore[arg-type]  # every kind is a dataclass
    return type(stored) is type(found) and all(_close(getattr(stored, name), getattr(found, name)) for name in names)


def _layout(contents: bytes) -> list[tuple[str, int]] | None:
    """Names and sizes of the arrays of an npz file; None for another file."""
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            return [(info.filename, info.file_size) for info in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, OSError):
        return None


def _close(stored: Any, found: Any) -> bool:
    if found is None or isinstance(found, str):
        return bool(stored == found)
    one, other = np.asarray(stored), np.asarray(found)
    return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=TOLERANCE, equal_nan=True)


def _planned(capsule: Capsule) -> set[str] | None:
    """Ids of the evaluations that the capsule's suite plans; None if this version cannot read it."""
    if SUITE not in capsule:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            cells = expand(read_suite(capsule, Path(folder))).cells
        except BenchError:
            return None
    return {spec.id for cell in cells for spec in cell.evaluations}
