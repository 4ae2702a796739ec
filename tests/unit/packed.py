"""A small split with all kinds of images, and the sources that its pixels can come from."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.pixels.gpu_cache import GpuCachedImages
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.data.pixels.packed import PackedImages, packed_folder
from bench.pose.data.pixels.packing import Packing, plan_packing
from bench.pose.skeletons import COCO_17
from tests.unit.tiny_datasets import coco_test_dev

SPLIT = "train2017"


def opened(folder: Path) -> CocoKeypoints:
    """The split of a folder that `coco_test_dev` filled."""
    return CocoKeypoints(folder, SPLIT, COCO_17)


def make_split(folder: Path) -> CocoKeypoints:
    """Six instances on images of their own: one of them no image, one missing, one a JPEG of an odd size, one 2 px."""
    split = opened(coco_test_dev(folder))
    images = split.image_folder
    (images / "101.png").write_text("no image")
    (images / "102.png").unlink()
    rng = np.random.default_rng(0)
    jpeg = cv2.imencode(".jpg", rng.integers(0, 255, (97, 131, 3), dtype=np.uint8))[1]
    (images / "103.png").write_bytes(jpeg.tobytes())
    cv2.imwrite(str(images / "104.png"), rng.integers(0, 255, (2, 2, 3), dtype=np.uint8))
    annotate(split.annotation_file, 103, 131, 97)
    annotate(split.annotation_file, 104, 2, 2)
    return split


def annotate(file: Path, image: int, width: int, height: int) -> None:
    """Give an image another size, and its instance a box of that size."""
    contents = json.loads(file.read_text())
    for entry in contents["images"]:
        if entry["id"] == image:
            entry.update(width=width, height=height)
    for entry in contents["annotations"]:
        if entry["image_id"] == image:
            entry["bbox"] = [0, 0, width, height]
    file.write_text(json.dumps(contents))


def quietly(_said: str) -> None:
    """Hears how far a packing is."""


def pack_quietly(planned: Packing, workers: int) -> None:
    """Pack, in a process of its own if need be."""
    planned.run(quietly, workers)


def pack(split: CocoKeypoints, budget: int | None = None) -> list[str]:
    """Pack the split in this process."""
    folder = packed_folder(split.folder, split.split)
    return plan_packing(folder, split.image_folder, split.instances(), budget=budget).run(quietly)


def packed_images(split: CocoKeypoints) -> PackedImages:
    """The packed images, opened anew."""
    return PackedImages(packed_folder(split.folder, split.split), split.image_folder)


def source(name: str, split: CocoKeypoints) -> ImageStore:
    """One of the sources of a packed split."""
    if name == "decoded":
        return DECODED
    packed = packed_images(split)
    return packed if name == "packed" else GpuCachedImages(packed, torch.device("cpu"))
