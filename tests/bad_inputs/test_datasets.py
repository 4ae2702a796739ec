"""Annotation files and box files: unusable ones are refused, single entries that make no sense are left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.pose.skeletons import COCO_17
from tests.bad_inputs.case import Case, Meet
from tests.unit import tiny_datasets

Edit = Callable[[Any], Any]

COCO = Path("coco/annotations/person_keypoints_train2017.json")
MPII = Path("mpii/annot/train.json")
BOXES = Path("crowdpose/annotations/det_for_crowd_test_0.1_0.5.json")


def data(folder: Path) -> None:
    """COCO, CrowdPose and MPII with six instances each, without fault."""
    tiny_datasets.coco_test_dev(folder / "coco")
    tiny_datasets.crowdpose(folder / "crowdpose")
    tiny_datasets.mpii(folder / "mpii")


def _case(name: str, file: Path, command: str, change: Edit | bytes | None, says: tuple[str, ...], status: int) -> Case:
    def build(folder: Path) -> None:
        data(folder)
        target = folder / file
        if change is None:
            target.unlink()
        elif isinstance(change, bytes):
            target.write_bytes(change)
        else:
            contents = json.loads(target.read_text())
            changed = change(contents)
            target.write_text(json.dumps(contents if changed is None else changed))

    return Case(name, build, command, says, status)


def coco(name: str, change: Edit | bytes | None, *says: str) -> Case:
    """One bad entry: named, and the command ends with 1."""
    return _case(f"COCO: {name}", COCO, "data verify coco train2017 --data-root .", change, says, 1)


def refused(name: str, change: Edit | bytes | None, *says: str) -> Case:
    """A file that nothing can be made of, met by whoever needs its instances."""
    return _case(f"COCO refused: {name}", COCO, "data pack coco train2017 --data-root .", change, says, 3)


def mpii(name: str, change: Edit | bytes | None, *says: str, status: int = 1) -> Case:
    return _case(f"MPII: {name}", MPII, "data verify mpii train --data-root .", change, says, status)


def boxes(name: str, change: Edit | bytes, *says: str) -> Case:
    return _case(f"boxes: {name}", BOXES, "data verify crowdpose test --data-root .", change, says, 1)


def first(key: str, **fields: Any) -> Edit:
    return lambda contents: contents[key][0].update(fields)


def entries(key: str, **fields: Any) -> Edit:
    return lambda contents: [one.update(fields) for one in contents[key]] and None


def entry(**fields: Any) -> Edit:
    return lambda contents: contents[0].update(fields)


CASES = [
    coco("missing", None, "missing: coco/annotations/person_keypoints_train2017.json"),
    refused("missing", None, "error: coco/annotations/person_keypoints_train2017.json: no such file"),
    refused("empty", b"", "person_keypoints_train2017.json: not valid JSON"),
    refused("cut off", b'{"images": [', "person_keypoints_train2017.json: not valid JSON", "line 1 column 13"),
    refused("not UTF-8", b'{"a": "\xff"}', "person_keypoints_train2017.json: not valid JSON"),
    refused("nested without end", b"[" * 100_000, "person_keypoints_train2017.json: not valid JSON"),
    refused(
        "an endless number", b'{"images": ' + b"1" * 5000 + b"}", "person_keypoints_train2017.json: not valid JSON"
    ),
    refused("a list", b"[]", "person_keypoints_train2017.json: lacks the list 'images' of the COCO format"),
    refused("no annotations", lambda contents: {"images": []}, "lacks the list 'annotations' of the COCO format"),
    refused(
        "no instances",
        lambda contents: contents | {"categories": []},
        "person_keypoints_train2017.json: its categories must include one named person, found none",
    ),
    refused("nobody", lambda contents: contents | {"annotations": []}, "no usable instance in 0 annotations"),
    coco(
        "keypoints missing", first("annotations", keypoints=[1, 2, 3]), "annotation 1: 3 keypoint values, expected 51"
    ),
    coco(
        "keypoints of words",
        first("annotations", keypoints=["x"] * 51),
        "annotation 1: a keypoint value is not a finite",
    ),
    coco("not a number", first("annotations", keypoints=[float("nan")] * 51), "annotation 1: a keypoint value is not"),
    coco("box turned over", first("annotations", bbox=[1, 2, -3, 4]), "annotation 1: box [1, 2, -3, 4] is not"),
    coco("box without size", first("annotations", bbox=[1, 2, 0, 0]), "1 of 6 annotations have a box without width"),
    coco("area 0", first("annotations", area=0), "1 of 6 annotations have area 0", "instances: 1 with area 0"),
    coco("uncounted", first("annotations", num_keypoints=0), "1 of 6 annotations have num_keypoints 0 beside labelled"),
    coco("crowd of words", first("annotations", iscrowd="no"), "annotation 1: iscrowd 'no' is neither 0 nor 1"),
    coco(
        "image without fields", lambda contents: contents["images"][0].pop("width") and None, "image 100: lacks width"
    ),
    refused(
        "keypoints of others",
        first("categories", keypoints=["nose", "head_bottom", "head_top", *COCO_17.keypoints[3:]]),
        "train2017.json: its 17 keypoints are not the 17 of skeleton 'coco_17': it names head_bottom, head_top and",
        "lacks left_eye, right_eye",
    ),
    refused(
        "more keypoints",
        entries("annotations", keypoints=[1] * 63),
        "21 keypoints per instance, but skeleton 'coco_17'",
    ),
    refused(
        "no area", entries("annotations", area=0), "no usable instance in 6 annotations; left out are 6 with area 0"
    ),
    refused("one id", entries("images", id=7), "image id 7 is given to different images, '100.png' and '101.png'"),
    coco("box without end", first("annotations", bbox=[1, 2, float("inf"), 4]), "annotation 1: box [1, 2, inf, 4]"),
    coco("image unknown", first("annotations", image_id=999), "annotation 1: image 999 is not in the file"),
    coco(
        "annotation no object",
        lambda contents: contents["annotations"].insert(0, 3),
        "annotation number 0: not an object",
    ),
    coco("image without size", first("images", width=0), "image 100: size 0 x 120 is not two positive numbers"),
    coco("name with a null", first("images", file_name="a\x00b"), "image 100: file_name 'a\\x00b' names no file"),
    coco(
        "name that climbs",
        first("images", file_name="../../../etc/passwd"),
        "image 100: file name '../../../etc/passwd' leaves the image folder",
        "6 images listed",
    ),
    coco("name from the root", first("images", file_name="/etc/passwd"), "image 100: file name '/etc/passwd' leaves"),
    mpii("no list", b"{}", "train.json: expected MPII's list of instances, found dict"),
    mpii(
        "instance no object",
        lambda instances: instances.insert(0, 3),
        "instance 0: expected an object with image, center",
    ),
    mpii(
        "keypoints missing",
        entry(joints=[[1, 2]]),
        "train.json: instance 0: joints are not 16 pairs of finite numbers",
    ),
    mpii(
        "fields missing", lambda instances: instances[0].pop("joints") and None, "train.json: instance 0: lacks joints"
    ),
    mpii("no scale", entry(scale=0), "train.json: instance 0: scale 0 is not a positive number"),
    mpii("name that climbs", entry(image="../annot/train.json"), "instance 0: file name '../annot/train.json' leaves"),
    boxes("no list", b"{}", "det_for_crowd_test_0.1_0.5.json: expected a list of boxes in the COCO results format"),
    boxes(
        "others",
        lambda found: [one.update(category_id=3) for one in found] and None,
        "0.1_0.5.json: no box of category 1, person; found categories 3 (12)",
    ),
    boxes("cut off", b"[{", "det_for_crowd_test_0.1_0.5.json: not valid JSON"),
    boxes("no object", lambda found: found.insert(0, 3), "box 0: needs image_id, category_id, bbox and score, found 3"),
    boxes(
        "no score", lambda found: [*found[1:], {"image_id": 100}], "box 11: needs image_id, category_id, bbox and score"
    ),
    boxes(
        "score not a number", entry(score=float("nan")), "box 0: image_id must be a whole number, score a finite one"
    ),
    boxes("box turned over", entry(bbox=[1, 2, 3, -4]), "box 0: ", "the latter two from 0"),
    boxes("image of words", entry(image_id="first"), "box 0: image_id must be a whole number"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_datasets(case: Case, meet: Meet) -> None:
    meet(case)
