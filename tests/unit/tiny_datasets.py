"""Datasets of a few noisy images in the formats of MPII, CrowdPose and COCO's test-dev."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from bench.pose.skeletons import COCO_17, CROWDPOSE_14

INSTANCES = 6
HEIGHT, WIDTH = 120, 160


def _draw(file: Path, seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8))


def _write(file: Path, contents: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(contents))


def mpii_instance(number: int, **fields: Any) -> dict[str, Any]:
    """One entry of MPII's list: keypoints 1-based, some not visible."""
    rng = np.random.default_rng(number)
    visible = rng.integers(0, 4, 16) > 0
    keypoints = np.where(visible[:, None], rng.uniform(20, 100, (16, 2)).round(), -1)
    return {
        "image": f"{number}.png",
        "center": [70.0, 55.0 + number],
        "scale": 0.4,
        "joints": keypoints.tolist(),
        "joints_vis": visible.astype(int).tolist(),
    } | fields


def mpii(folder: Path, entries: list[Any] | None = None) -> Path:
    """`train.json` and `valid.json` with the same instances, `gt_valid.mat`, images. Returns the dataset's folder."""
    instances = [mpii_instance(number) for number in range(INSTANCES)] if entries is None else entries
    for split in ("train", "valid"):
        _write(folder / "annot" / f"{split}.json", instances)
    head_truth(folder / "annot" / "gt_valid.mat", [mpii_instance(number) for number in range(len(instances))])
    for number in range(len(instances)):
        _draw(folder / "images" / f"{number}.png", number)
    return folder


def head_truth(file: Path, instances: list[dict[str, Any]], head: float = 20.0) -> None:
    """A `gt_valid.mat` in which every head box is a square of this side."""
    boxes = np.zeros((2, 2, len(instances)))
    boxes[1] = head
    scipy.io.savemat(
        file,
        {
            "dataset_joints": np.array(["rank"], dtype=object),
            "jnt_missing": 1 - np.array([instance["joints_vis"] for instance in instances]).T,
            "pos_gt_src": np.transpose([instance["joints"] for instance in instances], (1, 2, 0)),
            "headboxes_src": boxes,
        },
    )


def coco_like(keypoints: tuple[str, ...], **of_images: Any) -> dict[str, Any]:
    """An annotation file of one instance an image. No areas, as in CrowdPose."""
    rng = np.random.default_rng(1)
    images = [
        {"id": 100 + number, "file_name": f"{100 + number}.png", "width": WIDTH, "height": HEIGHT}
        | {name: value(number) for name, value in of_images.items()}
        for number in range(INSTANCES)
    ]
    annotations = [
        {
            "id": number + 1, "image_id": 100 + number, "category_id": 1, "iscrowd": 0, "bbox": [20, 10, 90, 100],
            "num_keypoints": 12,
            "keypoints": np.column_stack([rng.uniform(20, 100, (len(keypoints), 2)), np.full(len(keypoints), 2)])
            .ravel().tolist(),
        }
        for number in range(INSTANCES)
    ]  # fmt: skip
    categories = [{"id": 1, "name": "person", "keypoints": list(keypoints)}]
    return {"images": images, "annotations": annotations, "categories": categories}


def boxes() -> list[dict[str, Any]]:
    """Two detections per image of `coco_like`."""
    return [
        {"image_id": 100 + number, "category_id": 1, "bbox": [20.5 + shift, 10, 80, 90], "score": 0.9 - shift / 100}
        for number in range(INSTANCES)
        for shift in (0, 30)
    ]


def crowdpose(folder: Path) -> Path:
    """Splits `trainval` and `test` with the same instances, and the boxes of the published results."""
    contents = coco_like(CROWDPOSE_14.keypoints, crowdIndex=lambda number: number / INSTANCES)
    for split in ("trainval", "test"):
        _write(folder / "annotations" / f"crowdpose_{split}.json", contents)
    _write(folder / "annotations" / "det_for_crowd_test_0.1_0.5.json", boxes())
    for image in contents["images"]:
        _draw(folder / "images" / image["file_name"], image["id"])
    return folder


def coco_format(folder: Path, keypoints: tuple[str, ...]) -> Path:
    """Splits `train` and `val` of the same instances with these keypoints. Returns the dataset's folder."""
    contents = coco_like(keypoints)
    for split in ("train", "val"):
        _write(folder / "annotations" / f"person_keypoints_{split}.json", contents)
        for image in contents["images"]:
            _draw(folder / "images" / split / image["file_name"], image["id"])
    return folder


def coco_test_dev(folder: Path) -> Path:
    """COCO with its instances (`train2017`) and without (`test-dev2017`), and the published boxes of the latter."""
    contents = coco_like(COCO_17.keypoints)
    _write(folder / "annotations" / "person_keypoints_train2017.json", contents)
    bare = {"images": contents["images"], "categories": [{"id": 3, "name": "car"}], "info": {}}
    _write(folder / "annotations" / "image_info_test-dev2017.json", bare)
    published = "COCO_test-dev2017_detections_AP_H_609_person.json"
    _write(folder / "person_detection_results" / published, boxes())
    for image in contents["images"]:
        for split in ("train2017", "test2017"):
            _draw(folder / "images" / split / image["file_name"], image["id"])
    return folder
