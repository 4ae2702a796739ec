"""Object keypoint similarity: how near predicted joints are, relative to the person's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["joint_similarity", "outside_box", "person_oks"]

Array = npt.NDArray[Any]


def joint_similarity(squared_distance: Array, area: Array | float, sigmas: Sequence[float] | Array) -> Array:
    """exp(-d^2 / (2 area (2 sigma)^2)) of each joint.

    Args:
        squared_distance: (..., joints) px^2.
        area: px^2, scalar or (...).
        sigmas: per joint, (joints,) or (..., joints).
    """
    variances = (2 * np.asarray(sigmas)) ** 2
    return np.exp(-squared_distance / variances / (np.asarray(area)[..., None] + np.spacing(1)) / 2)


def outside_box(points: Array, boxes: Array) -> Array:
    """How far points lie outside boxes that are enlarged to three times their width and height, each way.

    That is how pycocotools compares predictions with people without any labelled joint.

    Args:
        points: (..., 2) px.
        boxes: (..., 4) x, y, width, height in px.

    Returns:
        (..., 2) px, from 0.
    """
    low, size = boxes[..., :2], boxes[..., 2:]
    return np.maximum(low - size - points, 0) + np.maximum(points - (low + 2 * size), 0)


def person_oks(prediction: Array, truth: Array, visible: Array, area: float, sigmas: Sequence[float]) -> float:
    """OKS of predicted joints (joints, 2) with annotated ones (joints, 2), over the labelled joints (joints,)."""
    squared = ((prediction - truth) ** 2).sum(axis=-1)
    return float(joint_similarity(squared, area, sigmas)[visible].mean())
