"""Rows of the results frame as objects: what the plots read until they read the frame themselves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.analysis.results import Results
from bench.analysis.rows import ablated_settings, split_rows
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining
from bench.store.documents import Record, TrainingRecord
from bench.suite.specs import EvalSpec, TrainSpec, shared_settings

__all__ = ["Condition", "Measurement", "PlottedResults", "common_baseline", "plotted"]


@dataclass(frozen=True, eq=False)
class Measurement:
    """One planned evaluation, with its record and the reason why there is none."""

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
    """One row: a training but for its seed, measured in one way."""

    row: str
    method: str
    measurements: tuple[Measurement, ...]

    @property
    def training(self) -> TrainSpec:
        """Spec of the training with the first seed."""
        return self.measurements[0].training.spec

    @property
    def evaluation(self) -> EvalSpec:
        """Spec of its evaluation."""
        return self.measurements[0].evaluation.spec

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Records of the seeds that are done."""
        return tuple(item.record for item in self.measurements if item.record is not None)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything that all its seeds share."""
        return shared_settings(self.training, self.evaluation)

    @property
    def group(self) -> tuple[str, str]:
        """Backbone and input size."""
        return self.training.backbone, str(self.training.input_size)

    def values(self, metric: str) -> list[float]:
        """The metric of each seed that is done."""
        return [record.metrics[metric] for record in self.records if record.metrics.get(metric, -1) >= 0]

    def mean(self, metric: str) -> float | None:
        """Mean over seeds."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """Sample standard deviation over seeds; None for fewer than two."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class PlottedResults:
    """The results of a suite as plots take them."""

    plan: Plan
    conditions: tuple[Condition, ...]
    trainings: Mapping[str, TrainingRecord]
    ablated: tuple[str, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """All records in the order of the tables."""
        return tuple(record for condition in self.conditions for record in condition.records)

    def method(self, condition: Condition) -> str:
        """The row's method in words."""
        return condition.method


def plotted(results: Results) -> PlottedResults:
    """The rows of some results as conditions, in the order of the tables."""
    planned = {item.spec.id: (training, item) for training in results.plan.trainings for item in training.evaluations}
    conditions = tuple(
        Condition(
            row,
            results.rows["method"][row],
            tuple(
                Measurement(*planned[id_], results.records.get(id_), reason)
                for id_, reason in zip(part["evaluation"], part["reason"], strict=True)
            ),
        )
        for row, part in split_rows(results.frame).items()
    )
    return PlottedResults(results.plan, conditions, results.trainings, ablated_settings(results.frame))


def common_baseline(records: Sequence[Record]) -> Mapping[str, float]:
    """Metrics of the mean pose, those on which all records agree."""
    if not records:
        return {}
    first, *others = (record.baseline for record in records)
    return {
        metric: value
        for metric, value in first.items()
        if all(abs(other.get(metric, float("inf")) - value) < 1e-6 for other in others)
    }
