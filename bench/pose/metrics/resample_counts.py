"""Validation of resamples for all per-instance results."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["checked_counts"]


def checked_counts(counts: npt.NDArray[Any], units: int) -> npt.NDArray[np.int32]:
    """Counts (resamples, units) as int32. Raises `ValueError` for another shape, fractions or negative numbers."""
    if counts.ndim != 2 or counts.shape[1] != units or counts.dtype.kind not in "iu":
        raise ValueError(f"counts are {counts.dtype} of shape {counts.shape}, expected integers (resamples, {units})")
    if counts.size and counts.min() < 0:
        raise ValueError("counts must not be negative")
    return np.ascontiguousarray(counts, dtype=np.int32)
