"""Annotations that do not fit their images: told by `data verify`, and never trained on in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.datasets import DatasetInfo, dataset_info
from bench.pose.data.images import exif_orientation
from bench.pose.data.layout import MPII_LAYOUT
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.pixels.choice import choose_images
from bench.pose.data.pixels.gpu_cache import GpuCachedImages
from bench.pose.data.verify import Findings, verify
from bench.pose.skeletons import COCO_17, MPII_16
from tests.unit.packed import pack, packed_images
from tests.unit.tiny_datasets import boxes, coco_format, coco_test_dev, mpii, mpii_instance

INFO = DatasetInfo("own", "Own", COCO_17, "drawn")
Change = Callable[[dict[str, Any]], object]


def checked(folder: Path, change: Change | None = None) -> Findings:
    """The findings in a split whose first annotation was changed."""
    coco_format(folder, COCO_17.keypoints)
    file = folder / "annotations/person_keypoints_val.json"
    contents = json.loads(file.read_text())
    if change is not None:
        change(contents["annotations"][0])
    file.write_text(json.dumps(contents))
    return verify(INFO, folder, "val")


def placed(x: float, y: float) -> Change:
    return lambda entry: entry["keypoints"].__setitem__(slice(0, 3), [x, y, 2])


def parts(entry: dict[str, Any]) -> None:
    points = np.array(entry["keypoints"]).reshape(-1, 3) / [160, 120, 1]
    entry["keypoints"] = points.ravel().tolist()


def doubled(entry: dict[str, Any]) -> None:
    points = np.array(entry["keypoints"]).reshape(-1, 3) * [2, 2, 1]
    entry["keypoints"] = points.ravel().tolist()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            placed(200, 50),
            "1 of 6 instances have keypoints far outside their image, such as annotation 1: nose at (200, 50",
        ),
        (placed(-17, 50), "annotation 1: nose at (-17, 50) of 160 x 120; was the image scaled or cropped?"),
        (placed(50, 133), "nose at (50, 133) of 160 x 120"),
        (doubled, "1 of 6 instances have keypoints far outside their image"),
        (parts, "annotation 1: its keypoints are all from 0 to 1; expected px, not parts of the image"),
        (
            lambda entry: entry.update(bbox=[0.1, 0.1, 0.6, 0.8]),
            "1 of 6 instances have boxes of a pixel or less, such as annotation 1; are they in parts of the image",
        ),
    ],
)
def test_what_lies_elsewhere_is_a_problem(change: Change, problem: str, tmp_path: Path) -> None:
    (found,) = checked(tmp_path, change).problems
    assert problem in found


@pytest.mark.parametrize("change", [None, placed(170, 50), placed(-15, -11), placed(160, 120), placed(0.5, 0.5)])
def test_a_little_outside_is_none(change: Change | None, tmp_path: Path) -> None:
    findings = checked(tmp_path, change)
    assert (findings.problems, findings.missing) == ([], [])


def test_keypoints_that_are_not_labelled_may_be_anywhere(tmp_path: Path) -> None:
    assert not checked(tmp_path, lambda entry: entry["keypoints"].__setitem__(slice(0, 3), [9e5, -9e5, 0])).problems


def test_mpii_is_checked_too(tmp_path: Path) -> None:
    """It has no annotated sizes: the decoded one counts."""
    inside, far = (np.full((16, 2), 50.0).tolist() for _ in range(2))
    far[3] = [250.0, 50.0]
    entries = [mpii_instance(number, joints=inside, joints_vis=[1] * 16) for number in range(6)]
    entries[2] |= {"joints": far}
    entries[4] |= {"joints": np.full((16, 2), 0.5).tolist()}
    findings = verify(DatasetInfo("own", "", MPII_16, "", "mpii", MPII_LAYOUT), mpii(tmp_path, entries), "train")
    outside, parts = findings.problems
    assert "1 of 5 instances have keypoints far outside their image, such as annotation 2" in outside
    assert "instance 4: its joints are all from 0 to 1; expected px" in parts


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_that_is_ignored_is_noted(orientation: int, tmp_path: Path) -> None:
    """The size fits, so the annotations may well be of the stored pixels; half a turn does not change it."""
    coco_format(tmp_path, COCO_17.keypoints)
    file, exif = tmp_path / "images/val/100.png", Image.Exif()
    exif[0x0112] = orientation
    with Image.open(file) as image:
        image.save(file, "JPEG", exif=exif)
    assert exif_orientation(file) == orientation
    findings = verify(INFO, tmp_path, "val")
    assert findings.complete
    notes = [note for note in findings.notes if "EXIF" in note]
    assert len(notes) == (orientation != 1)
    assert all(f"1 images have an EXIF orientation, such as {file}: it is ignored" in note for note in notes)


def test_what_is_no_image_has_no_orientation(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    assert exif_orientation(tmp_path / "text.jpg") == 1
    assert exif_orientation(tmp_path / "missing.jpg") == 1


@pytest.mark.parametrize("source", ["decoded", "packed", "gpu_cache"])
def test_every_source_of_pixels_compares_the_size(source: str, tmp_path: Path) -> None:
    split = CocoKeypoints(coco_format(tmp_path, COCO_17.keypoints), "val", COCO_17)
    for number in (100, 101):
        file = tmp_path / f"images/val/{number}.png"
        with Image.open(file) as image:
            image.resize((80, 60)).save(file)
    instances = split.instances()
    pack(split)
    device = torch.device("cpu")
    cached = GpuCachedImages(packed_images(split), device) if source == "gpu_cache" else None
    images = cached or choose_images(split, instances, "decoded" if source == "decoded" else "packed", device)
    (batch,) = evaluation_batches(instances, CropSettings((64, 64), "rgb", COCO_17), batch_size=8, images=images)
    assert isinstance(batch, Batch)
    assert batch.indices.tolist() == [2, 3, 4, 5]
    assert len(batch.broken) == 2
    assert all(
        "its pixels are 80 x 60 (width x height), but it is annotated as 160 x 120" in said for _, said in batch.broken
    )


def test_detected_boxes_are_of_the_annotated_size_too(tmp_path: Path) -> None:
    info = dataset_info("coco")
    split = info.read(coco_test_dev(tmp_path), "test-dev2017")
    file = info.box_file(tmp_path, "test-dev2017")
    assert file is not None
    assert len(boxes()) == 12
    assert {instance.image_size for instance in split.detections(file)} == {(120, 160)}
    with Image.open(tmp_path / "images/test2017/100.png") as image:
        image.resize((80, 60)).save(tmp_path / "images/test2017/100.png")
    assert any("its pixels are 80 x 60" in problem for problem in verify(info, tmp_path, "test-dev2017").problems)
