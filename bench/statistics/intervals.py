"""The mean of independent repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.statistics.estimate import EffectEstimate

__all__ = ["mean_over_seeds"]


def mean_over_seeds(values: Sequence[float]) -> EffectEstimate:
    """Mean of one value per seed with Student's standard error; one seed alone says nothing of its error.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("the mean of no values")
    count = len(values)
    mean = float(np.mean(values))
    if count == 1:
        return EffectEstimate(mean)
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    return EffectEstimate(mean, error, count - 1, count, ("seeds",))
