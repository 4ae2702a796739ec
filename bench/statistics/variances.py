"""Sums of independent variances, each estimated with few degrees of freedom of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
"""Level of all intervals and tests."""


@dataclass(frozen=True)
class Variance:
    """A squared standard error with its degrees of freedom, infinite where it is known."""

    value: float
    freedom: float = math.inf


def add_welch(parts: Sequence[Variance]) -> Variance:
    """The sum, with degrees of freedom by Welch (1947) and Satterthwaite (1946)."""
    total = sum(part.value for part in parts)
    uncertain = sum(part.value**2 / part.freedom for part in parts)
    return Variance(total, total**2 / uncertain if uncertain else min(part.freedom for part in parts))


def add_safely(parts: Sequence[Variance]) -> Variance:
    """The sum, with as many degrees of freedom as make Student's interval as wide as Banerjee's (1960).

    That one squares and adds what each part reaches by itself, and covers at least as often as it says. Welch's rule
    does not: it trusts the part with many degrees of freedom whenever the one with few happens to be small.
    """
    total = sum(part.value for part in parts)
    if not total:
        return Variance(0.0, min(part.freedom for part in parts))
    reach = sum(part.value * _quantile(part.freedom) ** 2 for part in parts)
    quantile = math.sqrt(reach / total)
    if quantile <= _quantile(math.inf) * (1 + 1e-9):
        return Variance(total)
    from scipy.special import stdtridf  # slow to import, see `EffectEstimate.interval`

    return Variance(total, float(stdtridf(0.5 + LEVEL / 2, quantile)))


def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))
