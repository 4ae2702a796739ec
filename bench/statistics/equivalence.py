"""Equivalence by two one-sided tests (Schuirmann 1987): closeness must be shown, not the absence of a difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scipy.special import stdtr

from bench.statistics.estimate import EffectEstimate
from bench.statistics.variances import LEVEL

Agreement = Literal["equivalent", "different", "undecided"]
"""Surely within a margin of a number, surely further from it, or neither."""


@dataclass(frozen=True)
class Equivalence:
    """Outcome of the test.

    Attributes:
        p: the larger of the two one-sided tests' p; None where nothing is known of the error.
        agreement: equivalent where p is below 1 - `LEVEL`; different where the two-sided interval at this level has no
            point within the margin.
    """

    p: float | None
    agreement: Agreement


def equivalence(estimate: EffectEstimate, margin: float) -> Equivalence:
    """Whether an estimated difference is closer to zero than a margin.

    Args:
        estimate: of the difference.
        margin: in its units, positive.
    """
    interval = estimate.interval()
    if estimate.error is None or interval is None:
        return Equivalence(None, "undecided")
    if estimate.error == 0:
        p = 0.0 if abs(estimate.value) < margin else 1.0
    else:
        above = stdtr(estimate.freedom, -(estimate.value + margin) / estimate.error)
        below = stdtr(estimate.freedom, (estimate.value - margin) / estimate.error)
        p = float(max(above, below))
    if p < 1 - LEVEL:
        return Equivalence(p, "equivalent")
    apart = interval[0] >= margin or interval[1] <= -margin
    return Equivalence(p, "different" if apart else "undecided")
