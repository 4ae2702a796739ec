"""Conversion of Leeds Sports Pose Extended's `joints.mat` to the COCO format with CrowdPose's keypoints.

What is assumed of the original, as its files do not say so themselves:

- `joints` is 3 x 14 x instances (also taken: 14 x 3 x instances), each keypoint x, y in px and whether it is
  visible, and instance N of it, counted from 1, is on `im0000N.jpg`.
- The 14 keypoints are in the order of Leeds Sports Pose, `LSP_KEYPOINTS` below; "right" is the person's own right.
- A keypoint that is not visible has no usable position, and one outside the image nothing to see there; both become
  unlabelled (0, 0, 0), every other one visible (2).
- Positions are kept as they are: whether they count pixels from 0 or 1 is within the error of the annotations.

What the original does not have: boxes are the extent of the visible keypoints, on every side enlarged by 12 % of its
longer side and clipped to the image; areas are 0.53 of the box, as CrowdPose takes it.

People with fewer than `LEAST_VISIBLE` visible keypoints in their image are left out. The numbers 5, 10, 15, ... are for
validation, the others for training; but near-duplicate images (`bench.pose.data.near_duplicates`) all go where the one
with the lowest number goes, so that no photograph is both trained on and validated on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.datasets import CROWDPOSE_AREA
from bench.pose.data.images import read_image
from bench.pose.data.near_duplicates import fingerprint, near_duplicates
from bench.pose.data.writing import write_whole
from bench.pose.errors import DataError
from bench.pose.metrics.matlab import read_arrays
from bench.pose.skeletons import CROWDPOSE_14

__all__ = ["Conversion", "convert"]

LSP_KEYPOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head",
)  # fmt: skip
"""The original's order; "head" is the top of the head."""

ORDER = [LSP_KEYPOINTS.index(keypoint) for keypoint in CROWDPOSE_14.keypoints]
LEAST_VISIBLE = 10
"""Visible keypoints in the image that a person needs; with fewer the annotators were mostly guessing, or saw a part."""

MARGIN = 0.12
VALIDATION_EVERY = 5
SPLITS = ("train", "val")
DECIMALS = 2

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LspetPerson:
    """An instance of the original with enough visible keypoints.

    Attributes:
        number: from 1; also of its image.
        width: of the image in px.
        height: of the image in px.
        keypoints: (14, 3) in CrowdPose's order: x, y in px, and 2; or 0, 0, 0 where unlabelled.
        box: x, y, width, height in px.
        views: fingerprints of the image and of its part in the box.
    """

    number: int
    width: int
    height: int
    keypoints: Array
    box: Array
    views: tuple[Array, Array]


@dataclass(frozen=True)
class Conversion:
    """What became of the original's people.

    Attributes:
        instances: number of people in each split.
        few_keypoints: number of people that are left out for want of visible keypoints.
        outside: number of people with visible keypoints outside their image, which became unlabelled.
        groups: number of groups of near-duplicate images.
        grouped: number of images in them.
    """

    instances: Mapping[str, int]
    few_keypoints: int
    outside: int
    groups: int
    grouped: int

    def lines(self) -> list[str]:
        """All of it in words."""
        return [
            *(f"{split}: {count:,} instances" for split, count in self.instances.items()),
            f"left out: {self.few_keypoints:,} people with fewer than {LEAST_VISIBLE} visible keypoints in their image",
            f"unlabelled: the keypoints of {self.outside:,} people that lie outside their image",
            f"near-duplicates: {self.grouped:,} images in {self.groups:,} groups, each group in one split",
        ]


def convert(keypoints_file: Path, images: Path, folder: Path) -> Conversion:
    """Write `annotations/person_keypoints_{train,val}.json` and `images/{train,val}/`.

    Args:
        keypoints_file: the original `joints.mat`.
        images: folder of the original `im00001.jpg` and so on.
        folder: the dataset's folder.

    Returns:
        Who is in each split, and who is left out.

    Raises:
        DataError: the file has another format, an image is missing or unreadable, or has keypoints that are not finite.
    """
    original = _read(keypoints_file)
    people, outside = [], 0
    for number, keypoints in enumerate(original, start=1):
        image = read_image(images / _image_name(number))
        visible, height, width = keypoints[:, 2] > 0, *image.shape[:2]
        inside = (keypoints[:, :2] >= 0).all(axis=1) & (keypoints[:, :2] < (width, height)).all(axis=1)
        outside += bool((visible & ~inside).any())
        if (visible & inside).sum() >= LEAST_VISIBLE:
            people.append(_person(number, keypoints, visible & inside, image))
    first = _first_of_group(people)
    splits = np.where(first % VALIDATION_EVERY == 0, "val", "train")
    for split in SPLITS:
        members = [person for person, its in zip(people, splits, strict=True) if its == split]
        _write(split, members, images, folder)
    sizes = np.unique(first, return_counts=True)[1]
    return Conversion(
        instances={split: int((splits == split).sum()) for split in SPLITS},
        few_keypoints=len(original) - len(people),
        outside=outside,
        groups=int((sizes > 1).sum()),
        grouped=int(sizes[sizes > 1].sum()),
    )


def _read(file: Path) -> Array:
    """Keypoints (instances, 14, 3) in CrowdPose's order, rounded as they are written."""
    keypoints = np.asarray(read_arrays(file).get("joints", ()))
    if keypoints.ndim != 3 or sorted(keypoints.shape[:2]) != [3, len(LSP_KEYPOINTS)]:
        raise DataError(f"{file}: expected numbers 'joints' of shape (3, 14, instances), found {keypoints.shape}")
    axes = (2, 1, 0) if keypoints.shape[0] == 3 else (2, 0, 1)
    if not np.isfinite(keypoints).all():
        raise DataError(f"{file}: some keypoint is not finite")
    return np.transpose(keypoints, axes).astype(np.float64)[:, ORDER].round(DECIMALS)


def _image_name(number: int) -> str:
    return f"im{number:05d}.jpg"


def _person(
    number: int, keypoints: Array, labelled: npt.NDArray[np.bool_], image: npt.NDArray[np.uint8]
) -> LspetPerson:
    height, width = image.shape[:2]
    box = _box(keypoints[labelled, :2], width, height)
    left, top, right, bottom = (int(value) for value in (*box[:2], *(box[:2] + box[2:])))
    return LspetPerson(
        number=number,
        width=width,
        height=height,
        keypoints=np.where(labelled[:, None], np.column_stack([keypoints[:, :2], np.full(len(keypoints), 2)]), 0),
        box=box,
        views=(fingerprint(image), fingerprint(image[top : bottom + 1, left : right + 1])),
    )


def _first_of_group(people: Sequence[LspetPerson]) -> npt.NDArray[np.int64]:
    """For each person, the lowest number of the near-duplicates of the image, itself included."""
    numbers = np.array([person.number for person in people], dtype=np.int64)
    if not people:
        return numbers
    groups = near_duplicates([np.array(view) for view in zip(*(person.views for person in people), strict=True)])
    first = np.full(len(numbers), numbers.max())
    np.minimum.at(first, groups, numbers)
    return np.asarray(first[groups])


def _box(points: Array, width: int, height: int) -> Array:
    """x, y, width, height in px around points, with the margin, within the image."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * (high - low).max()
    limits = np.array([width, height], dtype=np.float64)
    low, high = np.clip(low - margin, 0, limits), np.clip(high + margin, 0, limits)
    return np.concatenate([low, high - low])


def _rounded(values: Array) -> list[float]:
    return [round(float(value), DECIMALS) for value in values]


def _write(split: str, people: Sequence[LspetPerson], images: Path, folder: Path) -> None:
    """The annotation file of a split, and copies of its images."""
    annotations, target = folder / "annotations", folder / "images" / split
    for made in (annotations, target):
        made.mkdir(parents=True, exist_ok=True)
    for person in people:
        name = _image_name(person.number)
        if not (target / name).exists():
            shutil.copyfile(images / name, target / name)
    contents = {
        "info": {"description": "Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011), converted"},
        "images": [
            {
                "id": person.number,
                "file_name": _image_name(person.number),
                "width": person.width,
                "height": person.height,
            }
            for person in people
        ],
        "annotations": [_annotation(person) for person in people],
        "categories": [{"id": 1, "name": "person", "keypoints": list(CROWDPOSE_14.keypoints)}],
    }
    write_whole(annotations / f"person_keypoints_{split}.json", json.dumps(contents, separators=(",", ":")))


def _annotation(person: LspetPerson) -> dict[str, Any]:
    return {
        "id": person.number,
        "image_id": person.number,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": _rounded(person.box),
        "area": round(CROWDPOSE_AREA * float(person.box[2] * person.box[3]), DECIMALS),
        "keypoints": _rounded(person.keypoints.ravel()),
        "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
    }
