"""Predicted instances of a whole split, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.geometry import padded_area

__all__ = ["Predictions"]


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
