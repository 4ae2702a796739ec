"""What all plots of a report are drawn from: the rows of its tables as points, and how each method looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.analysis.formatting import format_metric, in_print_units, metric_name, representation_name
from bench.analysis.results import Results, headline_metric
from bench.analysis.uncertainty import Uncertainty
from bench.planning.plan import PlannedTraining
from bench.report.plots.conditions import Condition, PlottedResults, plotted
from bench.report.plots.style import Look, looks
from bench.statistics.estimate import LEVEL, EffectEstimate

__all__ = ["MOST_METHODS", "NOTHING", "Material", "Point", "gather", "size_text"]

NOTHING = "Nothing is measured yet."

MOST_METHODS = 8
"""Told apart in one figure: as many as there are colors."""

DEVIATION = "sample standard deviations over seeds"


@dataclass(frozen=True, eq=False)
class Point:
    """A row of the tables as plots show it; numbers are of the headline metric in printed units.

    Attributes:
        condition: the row.
        planned: its training with the first seed.
        method: the series that it belongs to.
        value: mean over seeds; None where it is not measured.
        text: the value as tables print it; "" where it is not measured.
        interval: from where to where its error bar goes; None where nothing is known of the error.
        spread: what the error bar is, in words; "" where there is none.
        published: the paper's value, where the row measures the same.
    """

    condition: Condition
    planned: PlannedTraining
    method: str
    value: float | None
    text: str
    interval: tuple[float, float] | None
    spread: str
    published: float | None

    @property
    def level(self) -> float:
        """Its value, which must be there."""
        assert self.value is not None, "only measured points are drawn"
        return self.value

    @property
    def reach(self) -> tuple[float, float] | None:
        """Of the error bar below and above the value."""
        if self.value is None or self.interval is None:
            return None
        low, high = self.interval
        return max(0.0, self.value - low), max(0.0, high - self.value)

    @property
    def top(self) -> float:
        """The highest that is drawn of it."""
        return max(self.value or 0.0, self.published or 0.0, *(self.interval or ()), 0.0)

    @property
    def backbone(self) -> str:
        """Our name of it."""
        return self.condition.training.backbone

    @property
    def size(self) -> str:
        """Input size, "HxW"."""
        return str(self.condition.training.input_size)


@dataclass(frozen=True)
class Material:
    """What all plots of a report share.

    Attributes:
        results: of the suite.
        metric: the suite's headline metric.
        points: one per row of the tables, in their order.
        told_apart: whether each method has a series of its own; otherwise only representations with and without extra
            post-processing have, because too many other settings vary.
    """

    results: PlottedResults
    metric: str
    points: tuple[Point, ...]
    told_apart: bool

    @cached_property
    def measured(self) -> list[Point]:
        """Points that have a value."""
        return [point for point in self.points if point.value is not None]

    @cached_property
    def methods(self) -> dict[str, Look]:
        """How each series is drawn, in the order of the tables: the same in all figures."""
        return looks(list(dict.fromkeys(point.method for point in self.points)))

    @cached_property
    def backbones(self) -> list[str]:
        """In the order of the tables."""
        return list(dict.fromkeys(point.backbone for point in self.points))

    @cached_property
    def sizes(self) -> list[str]:
        """Input sizes in the order of the tables."""
        return list(dict.fromkeys(point.size for point in self.points))

    @property
    def name(self) -> str:
        """The headline metric in words."""
        if self.measure == "PCKh" and self.metric.startswith("Mean"):
            return f"mean PCKh@{self.metric.partition('@')[2] or '0.5'}"
        return metric_name(self.metric)

    @property
    def label(self) -> str:
        """The headline metric with its unit, for an axis."""
        percent = self.measure == "PCKh" or in_print_units(self.metric, 1) != 1
        return f"{self.name} (%)" if percent else self.name

    @property
    def measure(self) -> str:
        """What the suite's diagnostics measure keypoints by, see `Diagnostics`."""
        return "PCKh" if self.points[0].condition.evaluation.evaluator == "pckh" else "AP"

    @property
    def annotated(self) -> bool:
        """Whether there can be readings of single keypoints: whether the annotations that they need are public."""
        data = self.results.plan.suite.dataset
        return data.info.layout_of(data.eval).annotated

    @property
    def simulated(self) -> str:
        """The mark of figures of which all numbers, or some, are made up; "" where all were measured."""
        made_up = [record.simulated for record in self.results.records]
        made_up += [record.simulated for record in self.results.trainings.values()]
        return "" if not any(made_up) else "SIMULATED" if all(made_up) else "PARTLY SIMULATED"

    @property
    def legend_remark(self) -> str:
        """What a reader of the legend must know of the series."""
        return "" if self.told_apart else " Rows that differ in other settings look the same; the tables tell which."

    def counted(self, points: Sequence[Point]) -> str:
        """How many rows are drawn, and from how many seeds."""
        seeds = sorted({len(point.condition.records) for point in points})
        many = len(points) > 1
        text = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
        return f"n = {len(points)} row{'s' * many} of {text} seed{'s' * (seeds[-1] > 1)}{' each' * many}"

    def error_bars(self, points: Iterable[Point]) -> str:
        """A sentence on what the error bars of these points are."""
        kinds = list(dict.fromkeys(point.spread for point in points if point.spread))
        if not kinds:
            return "There are no error bars: a single seed, and nothing kept of single images."
        return f"Error bars: {'; elsewhere '.join(kinds)}."


def gather(found: Results, uncertainty: Uncertainty) -> Material:
    """The rows of a suite's tables as points."""
    metric, results = headline_metric(found.plan.suite), plotted(found)
    methods = [results.method(condition) for condition in results.conditions]
    told_apart = len(set(methods)) <= MOST_METHODS
    if not told_apart:
        methods = [_kind(condition) for condition in results.conditions]
    planned = {training.spec.id: training for training in results.plan.trainings}
    points = tuple(
        _point(condition, planned[condition.training.id], method, metric, uncertainty)
        for condition, method in zip(results.conditions, methods, strict=True)
    )
    return Material(results, metric, points, told_apart)


def size_text(size: str) -> str:
    """An input size as figures print it."""
    return size.replace("x", "×")


def _kind(condition: Condition) -> str:
    """The representation, and whether its peaks are refined."""
    name = representation_name(condition.training.representation)
    post_process = condition.evaluation.post_process
    return name if post_process == "none" else f"{name} + {post_process}"


def _point(condition: Condition, planned: PlannedTraining, method: str, metric: str, uncertainty: Uncertainty) -> Point:
    mean, rows = condition.mean(metric), condition.measurements[0].evaluation.published
    printed = [in_print_units(metric, row.metrics[metric]) for row in rows if metric in row.metrics]
    ends, spread = _error(condition, mean, uncertainty.of(condition.row, metric), metric)
    return Point(
        condition=condition,
        planned=planned,
        method=method,
        value=None if mean is None else in_print_units(metric, mean),
        text="" if mean is None else format_metric(metric, mean),
        interval=None if ends is None else (in_print_units(metric, ends[0]), in_print_units(metric, ends[1])),
        spread=spread,
        published=printed[0] if printed else None,
    )


def _error(
    condition: Condition, mean: float | None, estimate: EffectEstimate | None, metric: str
) -> tuple[tuple[float, float] | None, str]:
    """A row's error bar in the units of records, and what it is: an interval where one is known."""
    interval = None if estimate is None else estimate.interval()
    if estimate is not None and interval is not None:
        return interval, f"{LEVEL:.0%} confidence intervals over {' and '.join(estimate.sources)}"
    deviation = condition.deviation(metric)
    return (None, "") if mean is None or deviation is None else ((mean - deviation, mean + deviation), DEVIATION)
