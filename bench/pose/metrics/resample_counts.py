"""Validation of resamples for all per-instance results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["checked_counts", "single_values"]


def checked_counts(counts: npt.NDArray[Any], units: int) -> npt.NDArray[np.int32]:
    """Counts (resamples, units) as int32. Raises `ValueError` for another shape, fractions or negative numbers."""
    if counts.ndim != 2 or counts.shape[1] != units or counts.dtype.kind not in "iu":
        raise ValueError(f"counts are {counts.dtype} of shape {counts.shape}, expected integers (resamples, {units})")
    if counts.size and counts.min() < 0:
        raise ValueError("counts must not be negative")
    return np.ascontiguousarray(counts, dtype=np.int32)


def single_values(resampled: Mapping[str, npt.NDArray[Any]]) -> dict[str, float | None]:
    """The values of the first resample by name; None where they are NaN, because there is nobody to judge."""
    return {name: None if np.isnan(values[0]) else float(values[0]) for name, values in resampled.items()}
