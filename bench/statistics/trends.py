"""Straight lines by least squares against the base-2 logarithm of a setting, as weighted sums of what they go through.

A line's slope, its height and its crossing of zero are then judged like any other weighted sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FEWEST = 2
"""Values of the setting that a line needs."""


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


def _places(values: Sequence[float]) -> list[float]:
    """Each value's distance from their geometric mean, in doublings."""
    logarithms = [math.log2(value) for value in values]
    middle = sum(logarithms) / len(logarithms)
    return [logarithm - middle for logarithm in logarithms]
