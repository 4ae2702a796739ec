"""The dataset `gingerbread`: figures with six keypoints, drawn on first use and written down in COCO's format.

A real one would convert its own files here. A dataset that is in COCO's format already needs no code at all: see
`own_data.yaml`.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bench.extend import dataset
from bench.pose.errors import DataError
from bench.pose.skeletons import Skeleton

SKELETON = Skeleton(
    name="gingerbread_6",
    keypoints=("head", "belly", "left_hand", "right_hand", "left_foot", "right_foot"),
    pairs=(("left_hand", "right_hand"), ("left_foot", "right_foot")),
    sigmas=(0.05, 0.08, 0.06, 0.06, 0.08, 0.08),
    upper=("head", "left_hand", "right_hand"),
    limbs=(("head", "belly"), ("belly", "left_hand"), ("belly", "right_hand"), ("belly", "left_foot"),
           ("belly", "right_foot")),
)  # fmt: skip

SIDE = 160
"""Height and width of every image in px."""


@dataset("gingerbread", title="gingerbread figures", skeleton=SKELETON, source="drawn by pose_extras")
def draw(folder: Path, split: str) -> None:
    """Draw a split that is named by its number of figures, such as `train64`; the name decides every pixel."""
    annotations = folder / f"annotations/person_keypoints_{split}.json"
    if annotations.is_file():
        return
    match = re.fullmatch(r"[a-z]+([1-9][0-9]{0,4})", split)
    if match is None:
        raise DataError(f"gingerbread split {split!r}: expected a name and a number of figures, such as train64")
    images = folder / "images" / split
    images.mkdir(parents=True, exist_ok=True)
    annotations.parent.mkdir(exist_ok=True)
    instances = [_figure(images, number, split) for number in range(int(match[1]))]
    names = [
        {"id": number, "file_name": f"{number:05}.png", "height": SIDE, "width": SIDE}
        for number in range(len(instances))
    ]
    category = {"id": 1, "name": "person", "keypoints": list(SKELETON.keypoints)}
    partial = annotations.with_suffix(".partial")
    partial.write_text(json.dumps({"images": names, "annotations": instances, "categories": [category]}))
    partial.replace(annotations)  # last and at once: where it is, the split is complete


def _figure(images: Path, number: int, split: str) -> dict[str, object]:
    """Draw one image; the annotation of its figure."""
    rng = np.random.default_rng([number, zlib.crc32(split.encode())])
    image = rng.integers(90, 140, (SIDE, SIDE, 3), dtype=np.uint8)
    keypoints = _pose(rng)
    head, belly, *ends = (tuple(map(int, keypoint)) for keypoint in keypoints)
    dough = tuple(map(int, rng.integers([20, 60, 120], [60, 110, 200])))
    for end, icing in zip(ends, ((255, 255, 255), (40, 40, 220), (255, 200, 60), (60, 220, 60)), strict=True):
        cv2.line(image, belly, end, dough, 12)
        cv2.circle(image, end, 5, icing, -1)
    cv2.line(image, head, belly, dough, 16)
    cv2.circle(image, head, 14, dough, -1)
    cv2.circle(image, head, 4, (0, 0, 0), -1)
    cv2.imwrite(str(images / f"{number:05}.png"), image)
    low, high = keypoints.min(axis=0) - 14, keypoints.max(axis=0) + 14
    x, y, width, height = (*low.tolist(), *(high - low).tolist())
    flat = np.column_stack([keypoints, np.full(len(keypoints), 2)]).ravel().tolist()
    return {
        "id": number + 1,
        "image_id": number,
        "category_id": 1,
        "bbox": [x, y, width, height],
        "area": width * height * 0.5,
        "iscrowd": 0,
        "num_keypoints": len(keypoints),
        "keypoints": flat,
    }


def _pose(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Keypoints of a figure in px, (6, 2): limbs swing about their rest."""
    belly = rng.uniform(70, 90, 2)
    # The left of the figure is the right of the image.
    degrees = np.array([-90, -20, -160, 60, 120]) + rng.uniform(-22, 22, 5)
    lengths = np.array([40, 46, 46, 48, 48]) * rng.uniform(0.8, 1.0)
    ends = belly + lengths[:, None] * np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    return np.round(np.vstack([ends[:1], belly, ends[1:]]), 1)
