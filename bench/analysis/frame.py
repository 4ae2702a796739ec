"""The results frame: every evaluation of a results folder as one row of a tidy pandas DataFrame.

Tables, plots, claims and the gate read this frame, and so does a user's notebook: any number that a report prints is
three lines of pandas away from `load_results`.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.files import StoreError
from bench.paper.rows import PublishedRow
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining, answered_rows, complexity_of, make_plan
from bench.pose.errors import UnknownNameError
from bench.pose.models.network import Complexity
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.suite.metrics import metrics_of
from bench.suite.schema import load_suite
from bench.suite.specs import EvalSpec, TrainSpec, shared_settings

__all__ = ["load_epochs", "load_keypoints", "load_results", "results_frame"]

MESSAGE_LENGTH = 300
"""Characters of a failure's message that are kept."""

ROW_ID_LENGTH = 10


def load_results(results: str | Path = "results", suite: str | Path | None = None) -> pd.DataFrame:
    """All evaluations of a results folder, or of a suite, one row per evaluation and seed.

    Columns, left to right:

    - `row`: equal for evaluations that differ in the seed alone: one row of a printed table.
    - `training`, `evaluation`: ids, as `bench show` takes them.
    - `state` ("done", "missing", "failed", ...) and `reason`: why there is no record; "" where there is one.
    - settings by the names of `TrainSpec` and `EvalSpec`; where both have one of a name (`split`, `batch_size`,
      `precision`), the evaluation's begins with `evaluation_`. `input_size` is "HxW".
    - metrics by the names of `metrics.json`, in its units; NaN where not measured.
    - `baseline_METRIC` of the mean pose, `ceiling_METRIC` of a network without error, `published_METRIC` of the paper.
    - `params`, `multiply_adds`, `published_convention`: size and work of the network per image, see `Complexity`.
    - `published_row`: ids of the paper's rows that the evaluation measures again, "" for none.
    - `instances`, `seconds`, `training_seconds`, `epochs_done`, `scored_by`, `simulated`.
    - `commit`, `dirty`, `command`, `started`, `device`, `torch`: provenance of the evaluation.

    Args:
        results: the results folder.
        suite: a suite's file. With it, rows are the suite's planned evaluations, measured or not; without it, all
            finished evaluations of the folder.

    Raises:
        StoreError: a record cannot be read.
        SuiteError: the suite cannot be used.
    """
    store = Store(Path(results))
    if suite is not None:
        frame, problems = results_frame(make_plan(load_suite(Path(suite)), store), store)
        if problems:
            raise StoreError("\n".join(problems))
        return frame
    if not store.root.is_dir():
        raise StoreError(f"{store.root}: there is no such results folder")
    return _frame(_Entry(*item) for item in _stored(store))


def results_frame(
    plan: Plan, store: Store, left_out: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The frame of a plan, in the plan's order, and the files that cannot be read, which cost their own row only.

    Args:
        plan: of the suite.
        store: what is there of it.
        left_out: why trainings that nobody has begun were not run, by their ids, where more is known than that.
    """
    problems: list[str] = []
    return _frame(_planned(plan, store, left_out or {}, problems)), tuple(problems)


def load_epochs(results: str | Path = "results") -> pd.DataFrame:
    """Training curves: one row per epoch of every finished training.

    Columns: `training` (id, as in `load_results`), `epoch` from 0, `loss`, `learning_rate`, `instances`, `validation`
    (the headline metric of the selection split; NaN where there was none). Raises `StoreError` for unreadable records.
    """
    rows = [
        {"training": record.id, **entry.model_dump()}
        for record in _training_records(Store(Path(results)))
        for entry in record.history
    ]
    return pd.DataFrame(rows, columns=["training", "epoch", "loss", "learning_rate", "instances", "validation"])


def load_keypoints(results: str | Path = "results") -> pd.DataFrame:
    """Results by keypoint: one row per evaluation and keypoint.

    Columns: `evaluation` (id), `keypoint`, `measure` ("AP" in 0..1 or "PCKh" in percent), `value`. Raises `StoreError`
    for unreadable records.
    """
    rows = [
        {"evaluation": record.id, "keypoint": keypoint, "measure": record.diagnostics.measure, "value": value}
        for _, _, record, _ in _stored(Store(Path(results)))
        if record.diagnostics is not None
        for keypoint, value in record.diagnostics.keypoints.items()
    ]
    return pd.DataFrame(rows, columns=["evaluation", "keypoint", "measure", "value"])


@dataclass(frozen=True)
class _Entry:
    """One evaluation with what is known of it."""

    training: TrainSpec
    evaluation: EvalSpec
    record: Record | None
    training_record: TrainingRecord | None
    state: str = "done"
    reason: str = ""


def _stored(store: Store) -> Iterator[tuple[TrainSpec, EvalSpec, Record, TrainingRecord | None]]:
    """Every finished evaluation of a store, by id."""
    for path in sorted(store.evaluations.glob("*/record.json")):
        record = store.evaluation(path.parent.name).record()
        if record is not None:
            yield record.training, record.spec, record, store.training(record.training.id).record()


def _training_records(store: Store) -> Iterator[TrainingRecord]:
    for path in sorted(store.trainings.glob("*/training.json")):
        record = store.training(path.parent.name).record()
        if record is not None:
            yield record


def _planned(plan: Plan, store: Store, left_out: Mapping[str, str], problems: list[str]) -> Iterator[_Entry]:
    for training in plan.trainings:
        try:
            trained = store.training(training.spec.id).record()
        except StoreError as error:
            problems.append(str(error))
            trained = None
        for evaluation in training.evaluations:
            try:
                record = store.evaluation(evaluation.spec.id).record()
            except StoreError as error:
                problems.append(str(error))
                state, reason = "unreadable", f"unreadable: {_shorten(str(error))}"
                yield _Entry(training.spec, evaluation.spec, None, trained, state, reason)
                continue
            unbegun = left_out.get(training.spec.id, "missing")
            reason = "" if record is not None else _reason(training, evaluation, store, unbegun)
            state = "done" if record is not None else reason.partition(":")[0]
            yield _Entry(training.spec, evaluation.spec, record, trained, state, reason)


def _reason(training: PlannedTraining, evaluation: PlannedEvaluation, store: Store, unbegun: str) -> str:
    """Why an evaluation has no record."""
    status = evaluation.status
    if status.state == "running":
        progress = store.training(training.spec.id).job_progress()
        return f"running: {progress.phase}, epoch {progress.epoch} of {progress.epochs}" if progress else "running"
    if status.state == "missing":
        status = training.status
    if status.state == "done":
        return "missing: trained, not evaluated yet"
    if status.reason:
        return f"{status.state}: {_shorten(status.reason)}"
    return unbegun if status.state == "missing" else status.state


def _shorten(message: str) -> str:
    return textwrap.shorten(message, MESSAGE_LENGTH, placeholder=" …")


def _frame(entries: Iterator[_Entry]) -> pd.DataFrame:
    return pd.DataFrame([dict(_columns(entry)) for entry in entries])


def _columns(entry: _Entry) -> Iterator[tuple[str, Any]]:
    training, evaluation, record = entry.training, entry.evaluation, entry.record
    settings = shared_settings(training, evaluation)
    yield "row", _row_id(settings)
    yield from {"training": training.id, "evaluation": evaluation.id}.items()
    yield from {"state": entry.state, "reason": entry.reason, "seed": training.seed}.items()
    yield from ((name, _plain(value)) for name, value in settings.items())
    yield from _metrics(entry)
    yield from _costs(training)
    yield from _published(training, evaluation)
    trained = entry.training_record
    yield "instances", record.instances if record else None
    yield "seconds", record.seconds if record else None
    yield "training_seconds", trained.seconds if trained else None
    yield "epochs_done", len(trained.history) if trained else None
    yield "scored_by", record.scored_by if record else ""
    yield "simulated", any(item is not None and item.simulated for item in (record, trained))
    origin = record.provenance if record else None
    for name in ("commit", "dirty", "command", "started"):
        yield name, getattr(origin, name) if origin else None
    yield "device", origin.hardware.get("device") if origin else None
    yield "torch", origin.versions.get("torch") if origin else None


def _row_id(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:ROW_ID_LENGTH]


def _plain(value: Any) -> Any:
    """A setting as a cell of a frame: numbers, truth values and texts stay, others become text."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _metrics(entry: _Entry) -> Iterator[tuple[str, float]]:
    record = entry.record
    try:
        names = metrics_of(entry.training.data)
    except UnknownNameError:  # a dataset whose extension is not loaded
        names = tuple(record.metrics) if record else ()
    sources = {"": record.metrics, "baseline_": record.baseline, "ceiling_": record.ceiling} if record else {"": {}}
    for prefix, values in sources.items():
        # COCO's -1 says that there was nobody to measure.
        yield from (
            (prefix + name, value if (value := values.get(name, -1)) >= 0 else float("nan"))
            for name in dict.fromkeys((*names, *values))
        )


def _costs(training: TrainSpec) -> Iterator[tuple[str, int | None]]:
    try:
        complexity: Complexity | None = complexity_of(training)
    except UnknownNameError:
        complexity = None
    for name in ("params", "multiply_adds", "published_convention"):
        yield name, getattr(complexity, name) if complexity else None


def _published(training: TrainSpec, evaluation: EvalSpec) -> Iterator[tuple[str, Any]]:
    rows: tuple[PublishedRow, ...] = answered_rows(training, evaluation)
    yield "published_row", ", ".join(row.id for row in rows)
    yield from {f"published_{name}": value for row in reversed(rows) for name, value in row.metrics.items()}.items()
