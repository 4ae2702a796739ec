"""Conversion of Leeds Sports Pose Extended's `joints.mat` to the COCO format with CrowdPose's keypoints.

What is assumed of the original, as its files do not say so themselves:

- `joints` is 3 x 14 x instances (also taken: 14 x 3 x instances), each keypoint x, y in px and whether it is
  visible, and instance N of it, counted from 1, is on `im0000N.jpg`.
- The 14 keypoints are in the order of Leeds Sports Pose, `LSP_KEYPOINTS` below; "right" is the person's own right.
- A keypoint that is not visible has no usable position; it becomes unlabelled (0, 0, 0), every other one visible (2).
- Positions are kept as they are: whether they count pixels from 0 or 1 is within the error of the annotations.

What the original does not have: boxes are the extent of the visible keypoints, on every side enlarged by 12 % of its
longer side and clipped to the image; areas are 0.53 of the box, as CrowdPose takes it; every fifth instance (5, 10,
15, ...) is for validation, the others are for training.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.datasets import CROWDPOSE_AREA
from bench.pose.data.images import read_image
from bench.pose.errors import DataError
from bench.pose.metrics.matlab import read_arrays
from bench.pose.skeletons import CROWDPOSE_14

__all__ = ["convert"]

LSP_KEYPOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head",
)  # fmt: skip
"""The original's order; "head" is the top of the head."""

ORDER = [LSP_KEYPOINTS.index(keypoint) for keypoint in CROWDPOSE_14.keypoints]
MARGIN = 0.12
VALIDATION_EVERY = 5
DECIMALS = 2

Array = npt.NDArray[np.float64]


def convert(keypoints_file: Path, images: Path, folder: Path) -> dict[str, int]:
    """Write `annotations/person_keypoints_{train,val}.json` and `images/{train,val}/`.

    Args:
        keypoints_file: the original `keypoints.mat`.
        images: folder of the original `im00001.jpg` and so on.
        folder: the dataset's folder.

    Returns:
        The number of instances in each split.

    Raises:
        DataError: the file has another format, an image is missing or unreadable, or has keypoints that are not finite.
    """
    keypoints = _read(keypoints_file)
    counts = {}
    for split in ("train", "val"):
        instances = [
            (number, instance)
            for number, instance in enumerate(keypoints, start=1)
            if (number % VALIDATION_EVERY == 0) == (split == "val")
        ]
        target = folder / "images" / split
        target.mkdir(parents=True, exist_ok=True)
        entries = [entry for number, instance in instances for entry in _entry(number, instance, images, target)]
        _write(folder / "annotations" / f"person_keypoints_{split}.json", entries)
        counts[split] = len(entries)
    return counts


def _read(file: Path) -> Array:
    """Keypoints (instances, 14, 3) in CrowdPose's order."""
    keypoints = np.asarray(read_arrays(file).get("joints", ()))
    if keypoints.ndim != 3 or sorted(keypoints.shape[:2]) != [3, len(LSP_KEYPOINTS)]:
        raise DataError(f"{file}: expected numbers 'joints' of shape (3, 14, instances), found {keypoints.shape}")
    axes = (2, 1, 0) if keypoints.shape[0] == 3 else (2, 0, 1)
    if not np.isfinite(keypoints).all():
        raise DataError(f"{file}: some keypoint is not finite")
    return np.transpose(keypoints, axes).astype(np.float64)[:, ORDER]


def _entry(number: int, instance: Array, images: Path, target: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The image and the annotation of an instance, unless no keypoint is visible."""
    name = f"im{number:05d}.jpg"
    image = read_image(images / name)
    visible = instance[:, 2] > 0
    if not visible.any():
        return
    height, width = image.shape[:2]
    box = _box(instance[visible, :2], width, height)
    keypoints = np.where(visible[:, None], np.column_stack([instance[:, :2], np.full(len(instance), 2)]), 0)
    if not (target / name).exists():
        shutil.copyfile(images / name, target / name)
    yield (
        {"id": number, "file_name": name, "width": width, "height": height},
        {
            "id": number,
            "image_id": number,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": _rounded(box),
            "area": round(CROWDPOSE_AREA * float(box[2] * box[3]), DECIMALS),
            "keypoints": _rounded(keypoints.ravel()),
            "num_keypoints": int(visible.sum()),
        },
    )


def _box(points: Array, width: int, height: int) -> Array:
    """x, y, width, height in px around points, with the margin, within the image."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * (high - low).max()
    limits = np.array([width, height], dtype=np.float64)
    low, high = np.clip(low - margin, 0, limits), np.clip(high + margin, 0, limits)
    return np.concatenate([low, high - low])


def _rounded(values: Array) -> list[float]:
    return [round(float(value), DECIMALS) for value in values]


def _write(file: Path, entries: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    contents = {
        "info": {"description": "Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011), converted"},
        "images": [image for image, _ in entries],
        "annotations": [annotation for _, annotation in entries],
        "categories": [{"id": 1, "name": "person", "keypoints": list(CROWDPOSE_14.keypoints)}],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.partial")
    temporary.write_text(json.dumps(contents, separators=(",", ":")), encoding="utf-8")
    temporary.replace(file)
