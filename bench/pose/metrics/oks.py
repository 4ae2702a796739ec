"""Object keypoint similarity: how near predicted keypoints are, relative to the instance's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["instance_oks", "keypoint_similarity"]

Array = npt.NDArray[Any]


def keypoint_similarity(squared_distance: Array, area: Array | float, sigmas: Sequence[float] | Array) -> Array:
    """exp(-d^2 / (2 area (2 sigma)^2)) of each keypoint.

    Args:
        squared_distance: (..., keypoints) px^2.
        area: px^2, scalar or (...).
        sigmas: per keypoint, (keypoints,) or (..., keypoints).
    """
    variances = (2 * np.asarray(sigmas)) ** 2
    return np.exp(-squared_distance / variances / (np.asarray(area)[..., None] + np.spacing(1)) / 2)


def instance_oks(prediction: Array, truth: Array, visible: Array, area: float, sigmas: Sequence[float]) -> float:
    """OKS of predicted keypoints (keypoints, 2) with annotated ones (keypoints, 2), over labelled ones (keypoints,)."""
    squared = ((prediction - truth) ** 2).sum(axis=-1)
    return float(keypoint_similarity(squared, area, sigmas)[visible].mean())
