"""Straight lines by least squares against the base-2 logarithm of a setting, as weighted sums of what they go through.

A line's slope, its height and its crossing of zero are then judged like any other weighted sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.statistics.estimate import EffectEstimate

FEWEST = 2
"""Values of the setting that a line needs."""

MOST_DOUBLINGS = 10
"""Distance from the middle of the measured values, a thousandfold, beyond which nothing is said of a line."""

Judge = Callable[[Sequence[float]], EffectEstimate]
"""Estimates the sum of the measurements at some values, given their weights."""


@dataclass(frozen=True)
class Crossing:
    """Where a line is zero, with the ends of the values at which its interval holds zero (Fieller 1954)."""

    value: float
    low: float
    high: float


def slope_weights(values: Sequence[float]) -> list[float]:
    """Weights of the measurements at some values, whose sum is the slope per doubling of these values.

    Args:
        values: of the setting, above 0, at least two of them different.
    """
    places = _places(values)
    spread = sum(place * place for place in places)
    return [place / spread for place in places]


def height_weights(values: Sequence[float], at: float) -> list[float]:
    """Weights of the measurements at some values, whose sum is the height of the line at another value."""
    middle = sum(map(math.log2, values)) / len(values)
    distance = math.log2(at) - middle
    return [1 / len(values) + distance * weight for weight in slope_weights(values)]


def find_crossing(values: Sequence[float], judge: Judge) -> Crossing | None:
    """Where the line through some measurements crosses zero.

    None where that cannot be told: the interval of its slope holds zero or is not known, or that of the crossing has no
    end within `MOST_DOUBLINGS`.
    """
    # SciPy's optimizers take a while to import, and suites do without.
    from scipy.optimize import brentq

    slope = judge(slope_weights(values))
    interval = slope.interval()
    if interval is None or interval[0] <= 0 <= interval[1]:
        return None
    middle = sum(map(math.log2, values)) / len(values)
    reach = (middle - MOST_DOUBLINGS, middle + MOST_DOUBLINGS)
    ends = []
    for number in range(2):

        def end(place: float, number: int = number) -> float:
            found = judge(height_weights(values, 2.0**place)).interval()
            assert found is not None, "the slope has an interval"
            return found[number]

        if end(reach[0]) * end(reach[1]) >= 0:
            return None
        ends.append(2.0 ** float(brentq(end, *reach)))
    place = middle - judge(height_weights(values, 2.0**middle)).value / slope.value
    return Crossing(2.0**place, min(ends), max(ends))


def _places(values: Sequence[float]) -> list[float]:
    """Each value's distance from their geometric mean, in doublings."""
    logarithms = [math.log2(value) for value in values]
    middle = sum(logarithms) / len(logarithms)
    return [logarithm - middle for logarithm in logarithms]
