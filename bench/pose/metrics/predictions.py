"""Predicted instances of a whole split, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.geometry import padded_area

__all__ = ["Predictions", "round_keypoints"]

DECIMALS = (3, 3, 6)
"""Of x and y in px and of the confidence: a file of predictions with all digits is three times as large."""


@dataclass(frozen=True)
class Predictions:
    """One row per predicted instance.

    Attributes:
        image_ids: (instances,) int64.
        keypoints: (instances, keypoints, 3): x, y in image px, confidence.
        centers: (instances, 2) image px of the crop's center.
        scales: (instances, 2) crop size in units of 200 px.
        box_scores: (instances,) of the detector, 1 for ground-truth boxes.
    """

    image_ids: npt.NDArray[np.int64]
    keypoints: npt.NDArray[Any]
    centers: npt.NDArray[Any]
    scales: npt.NDArray[Any]
    box_scores: npt.NDArray[Any]

    @property
    def areas(self) -> npt.NDArray[np.float64]:
        """Area in px^2 of each padded crop, (instances,)."""
        return padded_area(self.scales)


def round_keypoints(keypoints: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Keypoints (..., 3) as they are scored and stored, so that a file of results gives the same metrics to the bit."""
    return np.stack([keypoints[..., axis].astype(np.float64).round(DECIMALS[axis]) for axis in range(3)], axis=-1)
