"""The baseline that any trained network must beat: every instance gets the mean pose of the training instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.instances import Instance, Instances
from bench.pose.errors import DataError

__all__ = ["mean_pose", "place_mean_pose"]

Array = npt.NDArray[np.float64]

MIDDLE = 0.5
"""Of a box, in its widths and heights."""


def mean_pose(instances: Sequence[Instance]) -> Array:
    """Mean position of each visible keypoint within the instance's box, as (keypoints, 2) in box widths and heights.

    Instances whose box has no width or no height are skipped. A keypoint that is visible in none of the others is put
    into the middle of the box.

    Raises:
        DataError: there are no instances with a box.
    """
    found = Instances.of(instances)
    found = found.take(np.flatnonzero(found.column("box")[:, 2:].all(axis=1)))
    if not found:
        raise DataError("a mean pose needs instances with a box")
    visible, boxes, keypoints = map(found.column, ("visible", "box", "keypoints"))
    relative = (keypoints - boxes[:, None, :2]) / boxes[:, None, 2:]
    counts = visible.sum(axis=0)[:, None]
    total = np.where(visible[..., None], relative, 0).sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), MIDDLE)


def place_mean_pose(pose: Array, instances: Sequence[Instance]) -> list[dict[str, Any]]:
    """COCO results that put the mean pose into each instance's box with full confidence."""
    return [
        {
            "image_id": instance.image_id,
            "category_id": 1,
            "keypoints": np.column_stack([instance.box[:2] + pose * instance.box[2:], np.ones(len(pose))])
            .ravel()
            .tolist(),
            "score": 1.0,
        }
        for instance in instances
    ]
