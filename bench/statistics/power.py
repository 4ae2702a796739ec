"""How many seeds it takes."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

from scipy.special import nctdtr, stdtrit

from bench.statistics.variances import LEVEL, Variance, add_safely, add_welch

POWER = 0.8
"""Probability of finding an effect that seeds are counted for."""

MOST_SEEDS = 1000
"""Beyond this we give no recommendation."""

SURE = 1e3
"""Standard errors that leave no doubt; SciPy cannot compute with many more."""


def power_of(effect: float, deviations: Sequence[float], seeds: int, *, fixed: float = 0.0) -> float:
    """Probability that a two-sided t test finds an effect, on its own side, by the noncentral t distribution.

    Args:
        effect: the difference from the bound that is tested against.
        deviations: between seeds, of what each kind of training adds to the effect.
        seeds: of each kind of training, two or more.
        fixed: variance of the effect that more seeds do not make smaller, taken as known.
    """
    over_seeds = add_welch([Variance(deviation**2 / seeds, seeds - 1) for deviation in deviations])
    variance = add_safely([over_seeds, Variance(fixed)])
    if not variance.value:
        return 1.0 if effect else 0.0
    shift = min(abs(effect) / math.sqrt(variance.value), SURE)
    critical = float(stdtrit(variance.freedom, 0.5 + LEVEL / 2))
    return 1 - float(nctdtr(variance.freedom, shift, critical))


def seeds_needed(effect: float, deviations: Sequence[float], *, fixed: float = 0.0) -> int | None:
    """Seeds of each kind of training, two at least, that make `power_of` reach `POWER`; None above `MOST_SEEDS`."""
    counts = range(2, MOST_SEEDS + 1)
    found = bisect.bisect_left(counts, POWER, key=lambda seeds: power_of(effect, deviations, seeds, fixed=fixed))
    return counts[found] if found < len(counts) else None
