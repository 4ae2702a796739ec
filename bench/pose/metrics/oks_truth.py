"""The annotated people of an OKS evaluation as arrays, so that many evaluations read them once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["COCO_AREAS", "OksTruth", "read_truth"]

Array = npt.NDArray[Any]

COCO_AREAS = ((0.0, 1e5**2), (32.0**2, 96.0**2), (96.0**2, 1e5**2))
"""Ranges of people's areas in px^2: all, medium and large."""


@dataclass(frozen=True, eq=False)
class OksTruth:
    """Annotated people in pycocotools' order: by image, and in an image as listed.

    Attributes:
        protocol: "coco" or "crowdpose".
        category: id of the people's category.
        image_ids: (images,) int64, ascending.
        groups: (groups, images) bool, images on which statistics are taken again.
        ranges: (ranges, 2) px^2, least and largest area of who counts.
        images: (people,) positions of their images.
        joints: (people, joints, 2) px.
        labelled: (people, joints) bool.
        boxes: (people, 4) x, y, width, height in px.
        areas: (people,) px^2.
        crowd: (people,) bool.
        counted: (people,) bool, who counts if of the right area: neither crowds nor people without a counted joint.
        named: (people,) bool; False for the id 0, which pycocotools cannot tell from nobody's.
    """

    protocol: str
    category: int
    image_ids: Array
    groups: Array
    ranges: Array
    images: Array
    joints: Array
    labelled: Array
    boxes: Array
    areas: Array
    crowd: Array
    counted: Array
    named: Array

    @property
    def ignored(self) -> Array:
        """Who does not count in each range, (people, ranges) bool."""
        return ~self.counted[:, None] | self.outside(self.areas)

    def outside(self, areas: Array) -> Array:
        """Whether areas (n,) in px^2 lie outside each range, (n, ranges) bool."""
        return (areas[:, None] < self.ranges[:, 0]) | (areas[:, None] > self.ranges[:, 1])


def read_truth(
    annotations: Mapping[str, Any],
    joints: int,
    *,
    protocol: str = "coco",
    ranges: Sequence[Sequence[float]] = COCO_AREAS,
) -> OksTruth:
    """People of an annotation file's contents, without groups of images.

    Args:
        annotations: of one category; everybody has an area and a number of keypoints.
        joints: of each person.
        protocol: see `OksTruth`.
        ranges: of areas; the first holds everybody.
    """
    (category,) = {entry["id"] for entry in annotations["categories"]}
    image_ids = np.unique(np.array([image["id"] for image in annotations["images"]], dtype=np.int64))
    people = _people(annotations["annotations"], set(image_ids.tolist()), category)
    keypoints = np.array([person["keypoints"] for person in people], dtype=np.float64).reshape(-1, joints, 3)
    crowd = np.array([person["iscrowd"] for person in people], dtype=bool)
    return OksTruth(
        protocol=protocol,
        category=category,
        image_ids=image_ids,
        groups=np.zeros((0, len(image_ids)), dtype=bool),
        ranges=np.array(ranges, dtype=np.float64),
        images=np.searchsorted(image_ids, np.array([person["image_id"] for person in people], dtype=np.int64)),
        joints=keypoints[..., :2],
        labelled=keypoints[..., 2] > 0,
        boxes=np.array([person["bbox"] for person in people], dtype=np.float64).reshape(-1, 4),
        areas=np.array([person["area"] for person in people], dtype=np.float64),
        crowd=crowd,
        counted=~crowd & np.array([person["num_keypoints"] != 0 for person in people], dtype=bool),
        named=np.array([person["id"] != 0 for person in people], dtype=bool),
    )


def _people(annotations: Sequence[Mapping[str, Any]], image_ids: set[int], category: int) -> list[Mapping[str, Any]]:
    """Who is evaluated, in pycocotools' order; of people with one id it takes the last, as often as there are any."""
    by_id = {person["id"]: person for person in annotations}
    listed = [one for one in annotations if one["image_id"] in image_ids and one["category_id"] == category]
    found = [by_id[one["id"]] for one in sorted(listed, key=lambda one: one["image_id"])]
    return sorted(found, key=lambda one: one["image_id"])
