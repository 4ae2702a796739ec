"""A synthetic instance-keypoint dataset in COCO format, for trying the harness out without a download.

Pixels and annotations depend on nothing but `VERSION`, the name of the split and its `SyntheticSet`: each
image is drawn from a random stream of its own, so neither the number of processes nor their order matters.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock

from bench.pose.data.drawing.scenes import DrawnInstance, draw_scene, keypoints, roomy
from bench.pose.data.filling import filling, spread
from bench.pose.data.writing import write_whole
from bench.pose.errors import DataError
from bench.pose.skeletons import COCO_17

__all__ = ["VERSION", "SyntheticSet", "generate"]

VERSION = 2
"""Version of the drawing; raised whenever the same spec would give other pixels or annotations."""

MINIMUM_SIDE = 64
"""Least height and width of an image, in pixels."""

_JPEG_QUALITY = 95


@dataclass(frozen=True)
class SyntheticSet:
    """What to generate.

    Attributes:
        instances: number of annotated instances in the split, reached exactly.
        seed: of the random streams, at least 0.
        image_size: height and width of every image, in pixels; instances stand 0.45 to 0.95 of the height tall
            (less in an image that is much higher than wide).
    """

    instances: int
    seed: int
    image_size: tuple[int, int] = (160, 208)


def generate(folder: Path, split: str, spec: SyntheticSet, *, workers: int | None = None) -> Path:
    """Write one split as `images/<split>/*.jpg` and `annotations/person_keypoints_<split>.json`.

    The annotation file is written last and atomically, so its presence means that the split is complete;
    where it already describes `spec`, nothing is done. A calling script must guard its top level with
    `if __name__ == "__main__"`, since worker processes are spawned.

    Args:
        folder: root of the dataset; created if need be.
        split: name of the split; letters, digits, `_`, `-` and `.`.
        spec: what to generate.
        workers: number of processes; all processors unless told.

    Returns:
        Path of the annotation file.

    Raises:
        DataError: for an impossible spec, split or number of workers, where the annotation file in the way
            was not written by this function, or where the folder cannot be written.
    """
    workers = (os.cpu_count() or 1) if workers is None else workers
    _check(split, spec, workers)
    target = folder / "annotations" / f"person_keypoints_{split}.json"
    with filling(folder):
        if _described(target) == _description(spec):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            found = _described(target)  # another process may have finished the split meanwhile
            if found != _description(spec):
                _write_split(folder / "images" / split, target, split, spec, workers)
    return target


def _check(split: str, spec: SyntheticSet, workers: int) -> None:
    if spec.instances < 1:
        raise DataError(f"a synthetic set needs at least 1 instance, got instances={spec.instances}")
    if spec.seed < 0:
        raise DataError(f"the seed of a synthetic set must not be negative, got seed={spec.seed}")
    if min(spec.image_size) < MINIMUM_SIDE:
        height, width = spec.image_size
        raise DataError(
            f"synthetic images of {height} x {width} px (height x width) are too small to draw instances; "
            f"each side needs at least {MINIMUM_SIDE} px"
        )
    if not re.fullmatch(r"\w[\w.-]*", split):
        raise DataError(f"invalid split name {split!r}: use letters, digits, '_', '-' and '.', such as 'train'")
    if workers < 1:
        raise DataError(f"generating needs at least 1 worker process, got workers={workers}")


def _description(spec: SyntheticSet) -> dict[str, Any]:
    return {"version": VERSION, **asdict(spec), "image_size": list(spec.image_size)}


def _described(annotations: Path) -> dict[str, Any] | None:
    """The `synthetic` block of an annotation file, or nothing where there is no file."""
    try:
        found = json.loads(annotations.read_bytes())["info"]["synthetic"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{annotations} exists but was not written by the synthetic generator; "
            "choose another folder or split, or remove the file"
        ) from error
    return dict(found)


def _write_split(images: Path, target: Path, split: str, spec: SyntheticSet, workers: int) -> None:
    _remove_old(images, target)
    images.mkdir(parents=True, exist_ok=True)
    crowds = list(_crowds(split, spec))
    task = partial(_write_image, images, split, spec)
    annotated = list(spread(task, crowds, workers, chunk=max(1, min(16, len(crowds) // workers))))
    write_whole(target, json.dumps(_coco(spec, annotated), separators=(",", ":")))


def _remove_old(images: Path, target: Path) -> None:
    """Remove the split of another spec: first the annotation file, which vouches for the images."""
    if not target.exists():
        return
    listed = json.loads(target.read_bytes())["images"]
    target.unlink()
    for image in listed:
        (images / Path(image["file_name"]).name).unlink(missing_ok=True)


def _stream(split: str, spec: SyntheticSet, image_id: int) -> np.random.Generator:
    # 0 is the stream of the split itself; images count from 1.
    return np.random.default_rng([spec.seed, zlib.crc32(split.encode()), image_id])


def _crowds(split: str, spec: SyntheticSet) -> Iterator[tuple[int, int]]:
    """Id of each image and the number of instances in it; the numbers add up to `spec.instances`."""
    rng = _stream(split, spec, 0)
    shares = np.array([0.4, 0.35, 0.25][: roomy(spec.image_size)])
    left, image_id = spec.instances, 0
    while left:
        image_id += 1
        instances = min(left, 1 + int(rng.choice(len(shares), p=shares / shares.sum())))
        left -= instances
        yield image_id, instances


def _file_name(image_id: int) -> str:
    return f"{image_id:012d}.jpg"


def _write_image(images: Path, split: str, spec: SyntheticSet, crowd: tuple[int, int]) -> list[dict[str, Any]]:
    """Draw and write one image; returns its annotations, still without ids of their own."""
    image_id, instances = crowd
    scene = draw_scene(_stream(split, spec, image_id), spec.image_size, instances)
    _, encoded = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    (images / _file_name(image_id)).write_bytes(encoded.tobytes())
    return [{"image_id": image_id, **_annotation(instance)} for instance in scene.instances]


def _annotation(instance: DrawnInstance) -> dict[str, Any]:
    x, y, width, height = cv2.boundingRect(instance.visible.view(np.uint8))
    return {
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [float(x), float(y), float(width), float(height)],
        "area": float(instance.silhouette.sum()),
        "keypoints": keypoints(instance),
        "num_keypoints": int((instance.visibility > 0).sum()),
    }


def _coco(spec: SyntheticSet, annotated: list[list[dict[str, Any]]]) -> dict[str, Any]:
    height, width = spec.image_size
    instances = [annotation for annotations in annotated for annotation in annotations]
    return {
        "info": {"description": "synthetic figures", "synthetic": _description(spec)},
        "licenses": [],
        "images": [
            {"id": image_id, "file_name": _file_name(image_id), "height": height, "width": width}
            for image_id in range(1, len(annotated) + 1)
        ],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(instances, start=1)],
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO_17.keypoints),
                "skeleton": [[a + 1, b + 1] for a, b in COCO_17.limb_indices],
            }
        ],
    }
