"""A number with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from bench.statistics.variances import LEVEL, Variance, add_safely

Source = Literal["seeds", "images"]


@dataclass(frozen=True)
class EffectEstimate:
    """A number with its standard error.

    Attributes:
        value: the number.
        error: its standard error; None where nothing is known of it.
        freedom: degrees of freedom of the error.
        seeds: trainings behind it, the fewest of any of its terms.
        sources: what varied: the seeds of trainings, the images that they were measured on.
    """

    value: float
    error: float | None = None
    freedom: float = math.inf
    seeds: int = 1
    sources: tuple[Source, ...] = ()

    def interval(self) -> tuple[float, float] | None:
        """Two-sided interval at `LEVEL` by Student's t; None where nothing is known of the error."""
        if self.error is None:
            return None
        from scipy.special import stdtrit  # slow to import, and plans know this class but estimate nothing

        reach = self.error * float(stdtrit(self.freedom, 0.5 + LEVEL / 2))
        return self.value - reach, self.value + reach

    def widened(self, variance: float) -> EffectEstimate:
        """The estimate with an independent error of a known variance on top; itself if its own error is not known."""
        if self.error is None:
            return self
        combined = add_safely([Variance(self.error**2, self.freedom), Variance(variance)])
        return replace(self, error=math.sqrt(combined.value), freedom=combined.freedom)
