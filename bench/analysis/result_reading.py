"""Reading the records of a plan or of a whole results folder, with the reason wherever there is none."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.files import StoreError
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.suite.schema import Suite
from bench.suite.specs import EvalSpec, TrainSpec, shared_settings

GRID_ORDER = ("backbone", "input_size", "representation")
"""Axes by which rows are ordered, as in the paper's tables: what is compared stands together."""

MESSAGE_LENGTH = 300
"""Characters of a failure's message that are kept."""


@dataclass(frozen=True)
class EvaluationResult:
    """One evaluation with what is known of it.

    Attributes:
        training: spec of the training that it measures.
        evaluation: its spec.
        record: its result; None until it is done.
        training_record: result of the training; None until it is done.
        state: "done", "missing", "failed", ...
        reason: the state, then after a colon what else is known of why there is no record; "" where there is one.
    """

    training: TrainSpec
    evaluation: EvalSpec
    record: Record | None
    training_record: TrainingRecord | None
    state: str = "done"
    reason: str = ""


def stored_results(store: Store) -> Iterator[EvaluationResult]:
    """Every finished evaluation of a store, by id. Raises `StoreError` for unreadable records."""
    for path in sorted(store.evaluations.glob("*/record.json")):
        record = store.evaluation(path.parent.name).record()
        if record is not None:
            trained = store.training(record.training.id).record()
            yield EvaluationResult(record.training, record.spec, record, trained)


def stored_trainings(store: Store) -> Iterator[TrainingRecord]:
    """Every finished training of a store, by id. Raises `StoreError` for unreadable records."""
    for path in sorted(store.trainings.glob("*/training.json")):
        record = store.training(path.parent.name).record()
        if record is not None:
            yield record


def planned_results(
    plan: Plan, store: Store, left_out: Mapping[str, str], problems: list[str]
) -> list[EvaluationResult]:
    """All evaluations of a plan in the order of the suite's tables, the seeds of a row together.

    Args:
        plan: of the suite.
        store: what is there of it.
        left_out: why trainings that nobody has begun were not run, or why evaluations have no record, by their ids,
            where more is known than the store says.
        problems: gets the files that cannot be read, which cost their own evaluation only.
    """
    return _in_table_order(plan.suite, list(_read(plan, store, left_out, problems)))


def _read(plan: Plan, store: Store, left_out: Mapping[str, str], problems: list[str]) -> Iterator[EvaluationResult]:
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
                record, reason = None, f"unreadable: {_shorten(str(error))}"
            else:
                known = left_out.get(evaluation.spec.id)
                unbegun = left_out.get(training.spec.id, "missing")
                reason = "" if record is not None else known or missing_reason(training, evaluation, store, unbegun)
            state = reason.partition(":")[0] or "done"
            yield EvaluationResult(training.spec, evaluation.spec, record, trained, state, reason)


def missing_reason(
    training: PlannedTraining, evaluation: PlannedEvaluation, store: Store, unbegun: str = "missing"
) -> str:
    """Why an evaluation has no record: a state, then after a colon what else is known; `unbegun` if nobody began."""
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


def _in_table_order(suite: Suite, results: list[EvaluationResult]) -> list[EvaluationResult]:
    first: dict[str, int] = {}
    keys = {}
    for result in results:
        row = first.setdefault(repr(shared_settings(result.training, result.evaluation)), len(first))
        places = [suite.axes[axis].index(getattr(result.training, axis)) for axis in GRID_ORDER]
        keys[result.evaluation.id] = (*places, row)
    return sorted(results, key=lambda result: keys[result.evaluation.id])
