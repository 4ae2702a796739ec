"""A number with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

__all__ = ["LEVEL", "Estimate", "Source"]

LEVEL = 0.95
"""Of intervals, unless said otherwise."""

Source = Literal["seeds", "images"]


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error.

    Attributes:
        value: the number.
        error: its standard error; None where nothing is known of it.
        freedom: degrees of freedom of the error; infinite where it comes from images alone.
        seeds: trainings behind it, the fewest of any of its terms.
        sources: what varied: the seeds of trainings, the images that they were measured on.
    """

    value: float
    error: float | None = None
    freedom: float = math.inf
    seeds: int = 1
    sources: tuple[Source, ...] = ()

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Two-sided interval by Student's t; None where nothing is known of the error."""
        if self.error is None:
            return None
        reach = self.error * float(stats.t.ppf(0.5 + level / 2, self.freedom))
        return self.value - reach, self.value + reach
