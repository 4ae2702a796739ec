"""What is known of one metric of one row: ours with its uncertainty, the paper's, and how the two agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.formatting import format_difference, format_interval, format_metric
from bench.analysis.uncertainty import Agreement, Uncertainty
from bench.report.layout import Line
from bench.suite import schema

__all__ = ["Finding", "find", "find_all"]


@dataclass(frozen=True)
class Finding:
    """One metric of one row; values in the units of records.

    Attributes:
        metric: name of it.
        mean: over seeds; None where it is not measured.
        deviation: sample standard deviation over seeds; None for fewer than two.
        interval: of the mean; None where nothing is known of its error.
        published: the paper's value, where it has this row.
        difference: from it; None where one of the two is missing or they do not measure the same.
        agreement: of ours with the paper's; None where nothing can be said.
    """

    metric: str
    mean: float | None = None
    deviation: float | None = None
    interval: tuple[float, float] | None = None
    published: float | None = None
    difference: float | None = None
    agreement: Agreement | None = None

    @property
    def mean_text(self) -> str:
        """As printed, with ± the deviation where there is one; "" where it is not measured."""
        if self.mean is None:
            return ""
        spread = "" if self.deviation is None else f" ± {format_metric(self.metric, self.deviation)}"
        return format_metric(self.metric, self.mean) + spread

    @property
    def interval_text(self) -> str:
        """As printed; "" where there is none."""
        return "" if self.interval is None else format_interval(self.metric, self.interval)

    @property
    def published_text(self) -> str:
        """As printed; "" where the paper has no such value."""
        return "" if self.published is None else format_metric(self.metric, self.published)

    @property
    def difference_text(self) -> str:
        """As printed, with a sign; "" where none is taken."""
        return "" if self.difference is None else format_difference(self.metric, self.difference)


def find(line: Line, metric: str, uncertainty: Uncertainty, margin: float) -> Finding:
    """What is known of a metric of a row; `margin` of equivalence in the units of records."""
    published = line.paper.metrics.get(metric) if line.paper is not None else None
    condition = line.condition
    mean = condition.mean(metric) if condition is not None else None
    if condition is None or mean is None:
        return Finding(metric, published=published)
    estimate = uncertainty.of(condition, metric)
    interval = estimate.interval() if estimate is not None else None
    finding = Finding(metric, mean, condition.deviation(metric), interval, published)
    if published is None or line.obstacle:
        return finding
    agreement = uncertainty.agreement(condition, metric, published, margin)
    return replace(finding, difference=mean - published, agreement=agreement)


def find_all(
    lines: Sequence[Line], wanted: schema.SuiteTable, uncertainty: Uncertainty
) -> Mapping[Line, Mapping[str, Finding]]:
    """What is known of each row of a table, by metric."""
    return {
        line: {metric: find(line, metric, uncertainty, wanted.margin_of(metric)) for metric in wanted.metrics}
        for line in lines
    }
