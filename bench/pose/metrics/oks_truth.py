"""The annotated instances of an OKS evaluation as arrays, so that many evaluations read them once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["COCO_AREAS", "OksTruth", "read_truth"]

Array = npt.NDArray[Any]

COCO_AREAS = ((0.0, 1e5**2), (32.0**2, 96.0**2), (96.0**2, 1e5**2))
"""Ranges of instances's areas in px^2: all, medium and large."""


@dataclass(frozen=True, eq=False)
class OksTruth:
    """Annotated instances in pycocotools' order: by image, and in an image as listed.

    Attributes:
        protocol: "coco" or "crowdpose".
        category: id of the instances's category.
        image_ids: (images,) int64, ascending.
        groups: (groups, images) bool, images on which statistics are taken again.
        ranges: (ranges, 2) px^2, least and largest area of who counts.
        images: (instances,) positions of their images.
        keypoints: (instances, keypoints, 2) px.
        labelled: (instances, keypoints) bool.
        boxes: (instances, 4) x, y, width, height in px.
        areas: (instances,) px^2.
        crowd: (instances,) bool.
        counted: (instances,) bool, who counts if of the right area: neither crowds nor instances without a counted
            keypoint.
        named: (instances,) bool; False for the id 0, which pycocotools cannot tell from nobody's.
    """

    protocol: str
    category: int
    image_ids: Array
    groups: Array
    ranges: Array
    images: Array
    keypoints: Array
    labelled: Array
    boxes: Array
    areas: Array
    crowd: Array
    counted: Array
    named: Array

    @property
    def ignored(self) -> Array:
        """Who does not count in each range, (instances, ranges) bool."""
        return ~self.counted[:, None] | self.outside(self.areas)

    def outside(self, areas: Array) -> Array:
        """Whether areas (n,) in px^2 lie outside each range, (n, ranges) bool."""
        return (areas[:, None] < self.ranges[:, 0]) | (areas[:, None] > self.ranges[:, 1])


def read_truth(
    annotations: Mapping[str, Any],
    keypoints: int,
    *,
    protocol: str = "coco",
    ranges: Sequence[Sequence[float]] = COCO_AREAS,
) -> OksTruth:
    """Instances of an annotation file's contents, without groups of images.

    Args:
        annotations: of one category; everybody has an area and a number of coordinates.
        keypoints: of each instance.
        protocol: see `OksTruth`.
        ranges: of areas; the first holds everybody.
    """
    (category,) = {entry["id"] for entry in annotations["categories"]}
    image_ids = np.unique(np.array([image["id"] for image in annotations["images"]], dtype=np.int64))
    instances = _instances(annotations["annotations"], set(image_ids.tolist()), category)
    coordinates = np.array([instance["keypoints"] for instance in instances], dtype=np.float64).reshape(
        -1, keypoints, 3
    )
    crowd = np.array([instance["iscrowd"] for instance in instances], dtype=bool)
    return OksTruth(
        protocol=protocol,
        category=category,
        image_ids=image_ids,
        groups=np.zeros((0, len(image_ids)), dtype=bool),
        ranges=np.array(ranges, dtype=np.float64),
        images=np.searchsorted(image_ids, np.array([instance["image_id"] for instance in instances], dtype=np.int64)),
        keypoints=coordinates[..., :2],
        labelled=coordinates[..., 2] > 0,
        boxes=np.array([instance["bbox"] for instance in instances], dtype=np.float64).reshape(-1, 4),
        areas=np.array([instance["area"] for instance in instances], dtype=np.float64),
        crowd=crowd,
        counted=~crowd & np.array([instance["num_keypoints"] != 0 for instance in instances], dtype=bool),
        named=np.array([instance["id"] != 0 for instance in instances], dtype=bool),
    )


def _instances(annotations: Sequence[Mapping[str, Any]], image_ids: set[int], category: int) -> list[Mapping[str, Any]]:
    """The evaluated instances in pycocotools' order; an id given several times counts as its last, that often."""
    by_id = {instance["id"]: instance for instance in annotations}
    listed = [one for one in annotations if one["image_id"] in image_ids and one["category_id"] == category]
    found = [by_id[one["id"]] for one in sorted(listed, key=lambda one: one["image_id"])]
    return sorted(found, key=lambda one: one["image_id"])
