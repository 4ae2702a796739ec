"""What a report is made of: a plan's records, seed by seed, with the reason wherever there is none."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.analysis.formatting import representation_name, setting_name, setting_text
from bench.files import StoreError
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining
from bench.pose.input_size import InputSize
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.suite.schema import Suite
from bench.suite.specs import EvalSpec, TrainSpec, shared_settings

__all__ = [
    "Condition",
    "Measurement",
    "Results",
    "common_baseline",
    "headline",
    "headline_metric",
    "load_results",
]

GRID_ORDER = ("backbone", "input_size", "representation")
"""Axes by which rows are ordered, as in the paper's tables: what is compared stands together."""

HEADLINES = ("AP", "Mean", "Mean@0.1")
"""Metrics that sum up the others of their protocol."""

MESSAGE_LENGTH = 300
"""Characters of a failure's message that are printed."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """One planned evaluation.

    Attributes:
        training: that it measures.
        evaluation: as planned.
        record: of it, if it is done.
        reason: why there is no record: a state, then after a colon what else is known; "" where there is one.
    """

    training: PlannedTraining
    evaluation: PlannedEvaluation
    record: Record | None
    reason: str

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.training.spec.seed


@dataclass(frozen=True, eq=False)
class Condition:
    """One row of a table: a training but for its seed, measured in one way, with a measurement per seed.

    Compared and hashed by identity: a row is itself, whatever it holds.
    """

    measurements: tuple[Measurement, ...]

    @property
    def training(self) -> TrainSpec:
        """Spec of the training with the first seed."""
        return self.measurements[0].training.spec

    @property
    def evaluation(self) -> EvalSpec:
        """Spec of the evaluation of the training with the first seed."""
        return self.measurements[0].evaluation.spec

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Records of the seeds that are done."""
        return tuple(item.record for item in self.measurements if item.record is not None)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything that all its seeds share; see `shared_settings` for the names."""
        return shared_settings(self.training, self.evaluation)

    @property
    def group(self) -> tuple[str, InputSize]:
        """Backbone and input size: rows of one group compete."""
        return self.training.backbone, self.training.input_size

    def values(self, metric: str) -> list[float]:
        """The metric of each seed that is done, in the units of records; COCO's -1, for "nobody", is left out."""
        return [record.metrics[metric] for record in self.records if record.metrics.get(metric, -1) >= 0]

    def mean(self, metric: str) -> float | None:
        """Mean over seeds; None where no seed has the metric."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """Sample standard deviation over seeds; None for fewer than two."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Results:
    """A plan with what the store holds of it.

    Attributes:
        plan: of the suite.
        conditions: rows in the order of the tables.
        trainings: finished trainings by id.
        ablated: settings that tell apart rows of the same backbone, input size, representation and post-processing.
        problems: files of the store that cannot be read.
    """

    plan: Plan
    conditions: tuple[Condition, ...]
    trainings: Mapping[str, TrainingRecord]
    ablated: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """All planned evaluations in the order of the tables."""
        return tuple(item for condition in self.conditions for item in condition.measurements)

    @property
    def records(self) -> tuple[Record, ...]:
        """All records in the order of the tables."""
        return tuple(record for condition in self.conditions for record in condition.records)

    @property
    def simulated(self) -> bool:
        """Whether any record of it is made up."""
        made_up = any(record.simulated for record in self.records)
        return made_up or any(training.simulated for training in self.trainings.values())

    @property
    def groups(self) -> dict[tuple[str, InputSize], list[Condition]]:
        """Rows by backbone and input size."""
        groups: dict[tuple[str, InputSize], list[Condition]] = {}
        for condition in self.conditions:
            groups.setdefault(condition.group, []).append(condition)
        return groups

    def method(self, condition: Condition) -> str:
        """The representation in words, with what else tells it from other rows of its group."""
        details = [f"{setting_name(name)} {setting_text(condition.settings[name])}" for name in self.ablated]
        name = representation_name(condition.training.representation)
        post_process = condition.evaluation.post_process
        name += "" if post_process == "none" else f" + {post_process}"
        return f"{name} ({', '.join(details)})" if details else name


def headline_metric(suite: Suite) -> str:
    """The metric by which methods are ranked and plotted; see `headline`."""
    return headline([metric for table in suite.tables for metric in table.metrics])


def headline(metrics: Sequence[str]) -> str:
    """The one of some metrics that sums up most: AP or the mean PCKh where there is one, else the first."""
    return next((metric for metric in HEADLINES if metric in metrics), metrics[0])


def common_baseline(records: Sequence[Record]) -> Mapping[str, float]:
    """Metrics of the mean pose, those on which all records agree (to one millionth)."""
    if not records:
        return {}
    first, *others = (record.baseline for record in records)
    return {
        metric: value
        for metric, value in first.items()
        if all(abs(other.get(metric, float("inf")) - value) < 1e-6 for other in others)
    }


def load_results(plan: Plan, store: Store, left_out: Mapping[str, str] | None = None) -> Results:
    """Read all records of a plan. A file that cannot be read costs its own cell only, and is named in `problems`.

    Args:
        plan: of the suite.
        store: what is there of it.
        left_out: why trainings that nobody has begun were not run, by their ids, where more is known than that.
    """
    problems: list[str] = []
    trainings: dict[str, TrainingRecord] = {}
    measurements = []
    for training in plan.trainings:
        id_ = training.spec.id
        try:
            record = store.training(id_).record()
        except StoreError as error:
            problems.append(str(error))
        else:
            trainings |= {id_: record} if record is not None else {}
        unbegun = (left_out or {}).get(id_, "missing")
        measurements += [_measure(training, item, store, unbegun, problems) for item in training.evaluations]
    conditions = _conditions(plan.suite, measurements)
    return Results(plan, conditions, trainings, _ablated(conditions), tuple(problems))


def _measure(
    training: PlannedTraining, evaluation: PlannedEvaluation, store: Store, unbegun: str, problems: list[str]
) -> Measurement:
    try:
        record = store.evaluation(evaluation.spec.id).record()
        reason = "" if record is not None else _reason(training, evaluation, store, unbegun)
    except StoreError as error:
        problems.append(str(error))
        return Measurement(training, evaluation, None, f"unreadable: {_shorten(str(error))}")
    return Measurement(training, evaluation, record, reason)


def _reason(training: PlannedTraining, evaluation: PlannedEvaluation, store: Store, unbegun: str) -> str:
    """Why an evaluation has no record."""
    status = evaluation.status
    if status.state == "running":
        job_progress = store.training(training.spec.id).job_progress()
        return (
            f"running: {job_progress.phase}, epoch {job_progress.epoch} of {job_progress.epochs}"
            if job_progress
            else "running"
        )
    if status.state == "missing":
        status = training.status
    if status.state == "done":
        return "missing: trained, not evaluated yet"
    if status.reason:
        return f"{status.state}: {_shorten(status.reason)}"
    return unbegun if status.state == "missing" else status.state


def _shorten(message: str) -> str:
    return textwrap.shorten(message, MESSAGE_LENGTH, placeholder=" …")


def _conditions(suite: Suite, measurements: Iterable[Measurement]) -> tuple[Condition, ...]:
    groups: dict[tuple[Any, ...], list[Measurement]] = {}
    for item in measurements:
        key = tuple(Condition((item,)).settings.values())
        groups.setdefault(key, []).append(item)
    conditions = [Condition(tuple(items)) for items in groups.values()]
    return tuple(
        sorted(
            conditions,
            key=lambda condition: [suite.axes[axis].index(condition.settings[axis]) for axis in GRID_ORDER],
        )
    )


def _ablated(conditions: Sequence[Condition]) -> tuple[str, ...]:
    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for condition in conditions:
        same = (*condition.group, condition.training.representation, condition.evaluation.post_process)
        rows.setdefault(same, []).append(condition.settings)
    names = conditions[0].settings
    return tuple(name for name in names if any(len({row[name] for row in alike}) > 1 for alike in rows.values()))
