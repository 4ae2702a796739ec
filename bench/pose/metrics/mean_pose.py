"""The baseline that any trained network must beat: everybody takes the mean pose of the training people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.people import Person
from bench.pose.errors import DataError

__all__ = ["mean_pose", "place_mean_pose"]

Array = npt.NDArray[np.float64]


def mean_pose(people: Sequence[Person]) -> Array:
    """Mean position of each visible joint within the person's box, as (joints, 2) in box widths and heights.

    People whose box has no width or no height say nothing about it.

    Raises:
        DataError: a joint is visible in nobody, or there is nobody.
    """
    people = [person for person in people if person.box[2:].all()]
    if not people:
        raise DataError("no people to take a mean pose of")
    visible = np.stack([person.visible for person in people])
    boxes = np.stack([person.box for person in people])
    joints = np.stack([person.joints for person in people])
    relative = (joints - boxes[:, None, :2]) / boxes[:, None, 2:]
    counts = visible.sum(axis=0)
    if not counts.all():
        raise DataError(f"joint {int(np.flatnonzero(counts == 0)[0])} is visible in none of {len(people)} people")
    total: Array = np.where(visible[..., None], relative, 0).sum(axis=0)
    return total / counts[:, None]


def place_mean_pose(pose: Array, people: Sequence[Person]) -> list[dict[str, Any]]:
    """COCO results that put the mean pose into each person's box with full confidence."""
    return [
        {
            "image_id": person.image_id,
            "category_id": 1,
            "keypoints": np.column_stack([person.box[:2] + pose * person.box[2:], np.ones(len(pose))]).ravel().tolist(),
            "score": 1.0,
        }
        for person in people
    ]
