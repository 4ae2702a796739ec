"""Forecasts of plans, and what of a plan fits a budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Literal

from bench.planning.forecast.evidence import Evidence
from bench.planning.forecast.prices import TimeEstimate
from bench.planning.forecast.work import WorkItem, evaluation_item, training_item
from bench.planning.plan import PlannedTraining
from bench.pose.errors import BenchError

__all__ = ["CALIBRATE", "BudgetError", "Forecast", "Unknown", "affordable", "forecast", "total"]

HOUR = 3600.0

CALIBRATE = "`bench calibrate` measures it in a minute"

UNMEASURED = "this hardware was never measured"


@dataclass(frozen=True)
class Forecast:
    """What is left of a training, in device-hours: a device less time than the job takes is a device fewer.

    Attributes:
        estimate: in device-seconds.
        source: "measured" if all parts of it are on record for the same hardware; "calibration" if one had to be
            priced.
    """

    estimate: TimeEstimate
    source: Literal["measured", "calibration"]

    @property
    def hours(self) -> float:
        """Device-hours that are as likely too many as too few."""
        return self.estimate.seconds / HOUR

    @property
    def bounds(self) -> tuple[float, float]:
        """Device-hours between which the truth lies with a probability of 90 %."""
        low, high = self.estimate.bounds
        return low / HOUR, high / HOUR

    def as_json(self) -> dict[str, Any]:
        """The documented form of `plan --json`."""
        low, high = self.bounds
        return {"hours": self.hours, "low": low, "high": high, "source": self.source}


@dataclass(frozen=True)
class Unknown:
    """Why there is no forecast."""

    reason: str


class BudgetError(BenchError):
    """A budget for trainings whose cost is not known."""


def forecast(training: PlannedTraining, evidence: Evidence) -> Forecast | Unknown:
    """What is left of an unfinished training; an interrupted one counts as a whole."""
    if not evidence.rates and evidence.prices is None:
        return Unknown(UNMEASURED)
    spec, instances = training.spec, evidence.instances
    tasks = [] if training.state == "done" or not spec.epochs else [(spec.id, training_item(spec, instances))]
    tasks += [
        (way.spec.id, evaluation_item(way.spec, spec, instances)) for way in training.evaluations if way.state != "done"
    ]
    estimates, measured = [], True
    for run, task in tasks:
        found = task if isinstance(task, str) else _estimate(task, run, evidence)
        if isinstance(found, str):
            return Unknown(found)
        estimates.append(found)
        measured = measured and isinstance(task, WorkItem) and task.key in evidence.rates
    return Forecast(reduce(add, estimates, TimeEstimate()), "measured" if measured else "calibration")


def _estimate(task: WorkItem, run: str, evidence: Evidence) -> TimeEstimate | str:
    """Device-seconds of a task, or what is not known of it."""
    if task.key in evidence.rates:
        return evidence.rates.estimate(task.key, task.units, run).times(task.devices)
    if task.work is None:
        return task.unknown
    if evidence.prices is None:
        return UNMEASURED
    return evidence.prices.estimate(task.network, task.work)


def total(forecasts: Iterable[Forecast | Unknown]) -> TimeEstimate:
    """Device-seconds of all that is known."""
    return reduce(add, (item.estimate for item in forecasts if isinstance(item, Forecast)), TimeEstimate())


def affordable(trainings: Sequence[PlannedTraining], forecasts: Sequence[Forecast | Unknown], hours: float) -> int:
    """How many of the trainings, from the first on, fit together into so many device-hours.

    Their upper bounds are added up: the sum is above the upper bound of all together, so that the budget holds with
    more than 95 % probability. The first that does not fit ends it, however small the ones after it.

    Raises:
        BudgetError: a training up to there has no forecast.
    """
    spent = 0.0
    for number, (training, item) in enumerate(zip(trainings, forecasts, strict=True)):
        if isinstance(item, Unknown):
            raise BudgetError(f"--budget: training {training.spec.id} has no forecast: {item.reason}; {CALIBRATE}")
        spent += item.bounds[1]
        if spent > hours:
            return number
    return len(trainings)
