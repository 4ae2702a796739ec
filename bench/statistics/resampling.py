"""Bootstrap over the units that a protocol judges one by one: images, or instances."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RESAMPLES = 1000
"""Drawn per set of units."""

SCHEME = 1
"""Raised whenever `resample_counts` draws otherwise, so that what was kept of earlier draws is not mixed with later."""

USABLE = 0.5
"""Part of the resamples on which a metric must be defined for anything to be said of it."""


def resample_counts(units: int, fingerprint: str, resamples: int = RESAMPLES) -> Array:
    """How often each unit is drawn, (resamples, units): `units` draws with replacement in each resample.

    The same units give the same counts in every process, which makes what is measured on them paired. Sets of units
    with different fingerprints are drawn independently, even where they are equally large.
    """
    seed = np.frombuffer(hashlib.sha256(fingerprint.encode()).digest(), dtype=np.uint32)
    generator = np.random.default_rng(seed.tolist())
    counts = np.empty((resamples, units), dtype=np.int32)
    for row in counts:
        row[:] = np.bincount(generator.integers(units, size=units), minlength=units)
    return counts


def bootstrap_variance(resampled: Array, units: int) -> float | None:
    """Variance of a number over resamples, (resamples,) with NaN where it is undefined; None where it mostly is.

    A resample of n units varies like n - 1 of them: the factor n / (n - 1) makes up for that.
    """
    defined = resampled[np.isfinite(resampled)]
    if units < 2 or len(defined) < max(2, USABLE * len(resampled)):
        return None
    return float(np.var(defined, ddof=1)) * units / (units - 1)
