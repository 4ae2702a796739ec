"""What is known of one metric of one row: ours with its uncertainty, the paper's, and how the two agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis.formatting import format_difference, format_interval, format_metric
from bench.analysis.uncertainty import Uncertainty
from bench.statistics.equivalence import Agreement


@dataclass(frozen=True)
class Finding:
    """One metric of one row; values in the units of records, None where there is no such value.

    Attributes:
        metric: its name.
        mean: mean over seeds.
        std: sample standard deviation over seeds; None for fewer than two.
        low: lower end of the interval of the mean; None where nothing is known of its error.
        high: upper end, likewise.
        published: the paper's value.
        difference: ours minus the paper's; None where the two do not measure the same.
        agreement: verdict on the difference; None where nothing can be said.
    """

    metric: str
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None
    published: float | None = None
    difference: float | None = None
    agreement: Agreement | None = None

    @property
    def mean_text(self) -> str:
        """The mean as printed, with ± the deviation where there is one; "" where it is not measured."""
        spread = "" if self.std is None else f" ± {self._text(self.std)}"
        return self._text(self.mean) + spread

    @property
    def interval_text(self) -> str:
        """The interval as printed; "" where there is none."""
        known = self.low is not None and self.high is not None
        return format_interval(self.metric, (self.low, self.high)) if known else ""  # type: ignore[arg-type]  # as known

    @property
    def published_text(self) -> str:
        """The paper's value as printed; "" where there is none."""
        return self._text(self.published)

    @property
    def difference_text(self) -> str:
        """The difference as printed, with a sign; "" where none is taken."""
        return "" if self.difference is None else format_difference(self.metric, self.difference)

    def _text(self, value: float | None) -> str:
        return "" if value is None else format_metric(self.metric, value)


def measure_rows(frame: pd.DataFrame, metric: str, uncertainty: Uncertainty) -> dict[str, Finding]:
    """A metric of every row of a results frame, without the paper's value, by row."""
    found = {}
    values = frame.groupby("row", sort=False)[metric]
    for (row, mean), std in zip(values.mean().items(), values.std(), strict=True):
        if pd.isna(mean):
            found[str(row)] = Finding(metric)
            continue
        estimate = uncertainty.of(str(row), metric)
        low, high = (estimate.interval() if estimate is not None else None) or (None, None)
        found[str(row)] = Finding(metric, float(mean), None if pd.isna(std) else float(std), low, high)
    return found


def compare_with_paper(
    finding: Finding, row: str, published: Mapping[str, float], margin: float | None, uncertainty: Uncertainty
) -> Finding:
    """The finding beside the paper's value.

    Args:
        finding: to complete.
        row: that it is of.
        published: the paper's values by metric.
        margin: of equivalence; None where the two do not measure the same, so that no difference is taken.
        uncertainty: of the row.
    """
    value = published.get(finding.metric)
    if value is None or finding.mean is None or margin is None:
        return replace(finding, published=value)
    agreement = uncertainty.agreement(row, finding.metric, value, margin)
    return replace(finding, published=value, difference=finding.mean - value, agreement=agreement)
