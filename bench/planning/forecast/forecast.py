"""Forecasts of trainings, and the trainings that fit a budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.planning.forecast.evidence import Evidence
from bench.planning.forecast.prices import TimeEstimate
from bench.planning.forecast.work import UnknownTimeError, WorkItem, evaluation_item, training_item
from bench.planning.plan import PlannedTraining
from bench.pose.errors import BenchError

HOUR = 3600.0

CALIBRATE = "`bench calibrate` measures it in a minute"


@dataclass(frozen=True)
class Forecast:
    """The remaining time of a training in device-hours: wall hours times devices.

    Attributes:
        estimate: estimate in device-seconds.
        source: "measured" if all of the work was done before on the same hardware, otherwise "calibration".
    """

    estimate: TimeEstimate
    source: Literal["measured", "calibration"]

    @property
    def hours(self) -> float:
        """Median device-hours."""
        return self.estimate.seconds / HOUR

    @property
    def bounds(self) -> tuple[float, float]:
        """90 % interval of device-hours."""
        low, high = self.estimate.bounds
        return low / HOUR, high / HOUR

    def as_json(self) -> dict[str, Any]:
        """The documented form of `plan --json`."""
        low, high = self.bounds
        return {"hours": self.hours, "low": low, "high": high, "source": self.source}


@dataclass(frozen=True)
class Unknown:
    """There is no forecast, for this reason."""

    reason: str


class BudgetError(BenchError):
    """The cost of a training in a budget is unknown."""


def forecast(training: PlannedTraining, evidence: Evidence) -> Forecast | Unknown:
    """Forecast of an unfinished training; an interrupted one counts as a whole."""
    if not evidence.rates and evidence.prices is None:
        return Unknown(evidence.unmeasured)
    spec, instances = training.spec, evidence.instances
    try:
        items = {} if training.state == "done" or not spec.epochs else {spec.id: training_item(spec, instances)}
        for evaluation in training.evaluations:
            if evaluation.state != "done":
                items[evaluation.spec.id] = evaluation_item(evaluation.spec, spec, instances)
        estimate = sum((_estimate(item, run, evidence) for run, item in items.items()), TimeEstimate())
    except UnknownTimeError as error:
        return Unknown(str(error))
    measured = all(item.key in evidence.rates for item in items.values())
    return Forecast(estimate, "measured" if measured else "calibration")


def _estimate(item: WorkItem, run: str, evidence: Evidence) -> TimeEstimate:
    """Device-seconds of some work. Raises `UnknownTimeError`."""
    if item.key in evidence.rates:
        return evidence.rates.estimate(item.key, item.units, run).times(item.devices)
    if isinstance(item.work, str):
        raise UnknownTimeError(item.work)
    if evidence.prices is None:
        raise UnknownTimeError(evidence.unmeasured)
    return evidence.prices.estimate(item.network, item.work)


def total(forecasts: Iterable[Forecast | Unknown]) -> Forecast:
    """Sum of all known forecasts."""
    known = [item for item in forecasts if isinstance(item, Forecast)]
    measured = all(item.source == "measured" for item in known)
    return Forecast(sum((item.estimate for item in known), TimeEstimate()), "measured" if measured else "calibration")


def affordable(trainings: Sequence[PlannedTraining], forecasts: Sequence[Forecast | Unknown], hours: float) -> int:
    """Number of trainings, from the first on, that fit into a budget of device-hours together.

    Their upper bounds are added. The sum is above the upper bound of the total, so the budget holds with a probability
    of more than 95 %. The first training that does not fit ends the count, even if later ones are smaller.

    Raises:
        BudgetError: one of these trainings has no forecast.
    """
    spent = 0.0
    for number, (training, item) in enumerate(zip(trainings, forecasts, strict=True)):
        if isinstance(item, Unknown):
            raise BudgetError(f"--budget: training {training.spec.id} has no forecast: {item.reason}; {CALIBRATE}")
        spent += item.bounds[1]
        if spent > hours:
            return number
    return len(trainings)
