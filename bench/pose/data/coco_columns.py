"""The columns of a cleaned COCO annotation file: which annotations are instances, and their clipped boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic_core

from bench.pose.data.annotation_file import AnnotationFile
from bench.pose.data.columns import Columns, pack_names

__all__ = ["LEFT_OUT", "coco_columns", "without_outlines"]

LEFT_OUT = (
    "",
    "crowds",
    "without labelled keypoints",
    "with num_keypoints 0",
    "with area 0",
    "with a box without width or height",
    "with a box outside the image",
)
"""Why an annotation is no instance, by its number in the columns; the first that holds counts."""

OUTLINE = re.compile(rb'"segmentation"\s*:\s*(\[[-+.,\deE\s\[\]]*\])')
"""Within a string its quotes would be escaped. What it takes for one value is one, or `without_outlines` finds out."""

Array = npt.NDArray[Any]


def without_outlines(contents: bytes) -> bytes:
    """The JSON of an annotation file with 0 for each outline, which nothing reads and most of a file consists of.

    Raises `ValueError` for an outline that is not JSON, which would go unnoticed otherwise.
    """

    def replaced(found: re.Match[bytes]) -> bytes:
        pydantic_core.from_json(found[1])
        return b'"segmentation":0'

    return OUTLINE.sub(replaced, contents)


def coco_columns(found: AnnotationFile, file: Path, keypoints: int, protocol: str) -> Columns:
    """The columns of an annotation file, images and each image's annotations in file order.

    Args:
        found: its usable contents.
        file: where it was read.
        keypoints: number of keypoints per instance.
        protocol: "crowdpose" leaves out instances with `num_keypoints` 0 too.
    """
    images, annotations = found.contents["images"], found.contents["annotations"]
    positions = {image["id"]: position for position, image in enumerate(images)}
    listed = np.array([positions[one["image_id"]] for one in annotations], dtype=np.int32)
    order = np.argsort(listed, kind="stable")

    def column(name: str, *shape: int) -> Array:
        values = np.array([one[name] for one in annotations], dtype=np.float64)
        return values.reshape(len(annotations), *shape)[order]

    listed, points, given = listed[order], column("keypoints", keypoints, 3), column("bbox", 4)
    sizes = np.array([(image["height"], image["width"]) for image in images], dtype=np.float64).reshape(-1, 2)
    boxes = _clipped(given, sizes[listed])
    area = column("area")
    left_out = _first_reason(
        [
            column("iscrowd") != 0,
            points.max(axis=(1, 2)) == 0,
            np.logical_and(protocol == "crowdpose", column("num_keypoints") == 0),
            area <= 0,
            given[:, 2:].min(axis=1) == 0,
            boxes[:, 2:].min(axis=1) < 0,
        ]
    )
    kept = left_out == 0
    ids = {
        name: np.array([one[name] for one in annotations], dtype=np.int64)[order][kept] for name in ("id", "image_id")
    }
    names, name_ends = pack_names(image["file_name"] for image in images)
    start = f"{file}: "
    return Columns(
        image=listed[kept],
        image_id=ids["image_id"],
        annotation_id=ids["id"],
        box=boxes[kept],
        keypoints=points[kept, :, :2],
        visible=points[kept, :, 2] > 0,
        area=area[kept],
        score=np.ones(kept.sum()),
        given_crop=np.full((kept.sum(), 2, 2), np.nan),
        names=names,
        name_ends=name_ends,
        sizes=sizes,
        image_ids=np.array(list(positions), dtype=np.int64),
        listed=listed,
        left_out=left_out,
        facts={
            "problems": [problem.removeprefix(start) for problem in found.problems],
            "notes": [note.removeprefix(start) for note in found.notes],
            "conventions": found.conventions.as_json(),
        },
    )


def _first_reason(holds: Sequence[Array]) -> Array:
    """Number of the first condition that holds, from 1, (annotations,) uint8; 0 for none."""
    return np.select(holds, [np.uint8(number) for number in range(1, len(holds) + 1)], default=np.uint8(0))


def _clipped(boxes: Array, sizes: Array) -> Array:
    """Boxes within their images, a pixel narrower and lower than annotated (behaviour D11); negative sides outside."""
    corners = np.where(boxes[:, :2] > 0, boxes[:, :2], 0.0)
    opposite = np.minimum(sizes[:, ::-1] - 1.0, corners + np.maximum(0.0, boxes[:, 2:] - 1))
    return np.concatenate([corners, opposite - corners], axis=1)
