"""Predictions, as COCO results and as MATLAB files, and MPII's truth."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from bench.files import write_json
from bench.pose.data.datasets import open_split
from tests.bad_inputs.case import Case, Meet
from tests.unit import tiny_datasets
from tests.unit.capsule.test_capsule import predictions

Edit = Callable[[Any], Any]

SCORE = "score --protocol {} --predictions {} --annotations {}"
COCO = SCORE.format("coco", "predictions.json", "annotations/person_keypoints_train2017.json")
MPII = SCORE.format("mpii", "{}", "annot/gt_valid.mat")


def coco(name: str, change: Edit | bytes | None, *says: str) -> Case:
    def build(folder: Path) -> None:
        tiny_datasets.coco_test_dev(folder)
        _write(folder, predictions(open_split("coco", folder, "train2017"), seed=0), change)

    return Case(f"COCO: {name}", build, COCO, says)


def mpii(name: str, change: Edit | bytes | None, *says: str) -> Case:
    def build(folder: Path) -> None:
        tiny_datasets.mpii(folder)
        _write(folder, predictions(open_split("mpii", folder, "valid"), seed=0), change)

    return Case(f"MPII: {name}", build, MPII.format("predictions.json"), says)


def _write(folder: Path, instances: list[dict[str, Any]], change: Edit | bytes | None) -> None:
    file = folder / "predictions.json"
    if isinstance(change, bytes):
        file.write_bytes(change)
    elif change is not None:
        changed = change(instances)
        write_json(file, instances if changed is None else changed)


def truth(name: str, *says: str, contents: bytes | None = None, **arrays: Any) -> Case:
    """A `gt_valid.mat`: bytes, or the sound one's arrays with some replaced; None leaves one out."""

    def build(folder: Path) -> None:
        tiny_datasets.mpii(folder)
        _write(folder, predictions(open_split("mpii", folder, "valid"), seed=0), lambda _: None)
        file = folder / "annot" / "gt_valid.mat"
        if contents is not None:
            file.write_bytes(contents)
        else:
            kept = {name: array for name, array in scipy.io.loadmat(file).items() if not name.startswith("__")} | arrays
            scipy.io.savemat(file, {name: array for name, array in kept.items() if array is not None})

    return Case(f"gt_valid.mat: {name}", build, MPII.format("predictions.json"), says)


def pred(name: str, array: Any, *says: str) -> Case:
    def build(folder: Path) -> None:
        tiny_datasets.mpii(folder)
        scipy.io.savemat(folder / "pred.mat", {"preds": array})

    return Case(f"pred.mat: {name}", build, MPII.format("pred.mat"), says)


def cut(folder: Path) -> None:
    tiny_datasets.mpii(folder)
    file = folder / "annot" / "gt_valid.mat"
    file.write_bytes(file.read_bytes()[:1000])
    (folder / "predictions.json").write_text("[]")


def bomb(folder: Path) -> None:
    """An array that is compressed a thousand times."""
    tiny_datasets.mpii(folder)
    scipy.io.savemat(
        folder / "annot" / "gt_valid.mat", {"jnt_missing": np.zeros((1 << 26) // 8 + 1)}, do_compression=True
    )
    (folder / "predictions.json").write_text("[]")


def no_crowd_index(folder: Path) -> None:
    tiny_datasets.crowdpose(folder)
    file = folder / "annotations" / "crowdpose_test.json"
    contents = json.loads(file.read_text())
    for image in contents["images"]:
        del image["crowdIndex"]
    write_json(file, contents)
    write_json(folder / "predictions.json", [])


def entry(**fields: Any) -> Edit:
    return lambda instances: instances[0].update(fields)


HDF5 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n"


def element(kind: int, data: bytes) -> bytes:
    """Of a MATLAB file."""
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


CRASHES = element(
    14,
    element(6, struct.pack("<II", 6, 0))
    + element(5, struct.pack("<ii", 16, 6))
    + element(1, b"jnt_missing")
    + element(0, bytes(8)),
)
"""An array of numbers of the type 0, which there is not: scipy's reader crashes."""

CASES = [
    coco("missing", None, "error: predictions.json: no such file"),
    coco("empty", b"", "error: predictions.json: not valid JSON"),
    coco("an object", b"{}", "error: predictions.json: expected a list of instances in the COCO results format"),
    coco(
        "instance no object",
        lambda instances: [3],
        "predictions.json: prediction 0: expected an object of the COCO results",
    ),
    coco("no keypoints", lambda instances: instances[0].pop("keypoints") and None, "prediction 0: lacks keypoints"),
    coco("image unknown", entry(image_id=999), "prediction 0: image 999 is not in the annotation file"),
    coco("image of words", entry(image_id="first"), "prediction 0: image 'first' is not in the annotation file"),
    coco(
        "category of others",
        lambda instances: [one | {"category_id": 0} for one in instances],
        "predictions.json: no prediction is of the category person; found categories 0 (6); person is 1",
    ),
    coco("score of words", entry(score="0.9"), "a value is not a finite number: score '0.9'"),
    Case(
        "annotations without crowdIndex",
        no_crowd_index,
        SCORE.format("crowdpose", "predictions.json", "annotations/crowdpose_test.json"),
        ("error: annotations/crowdpose_test.json: 6 of 6 images have no number as crowdIndex",),
    ),
    coco("category a list", entry(category_id=[1]), "prediction 0: category [1] is not a whole number"),
    coco("keypoints missing", entry(keypoints=[1, 2]), "prediction 0: 2 keypoint values, expected 51 for 17 keypoints"),
    coco(
        "keypoints too large", entry(keypoints=[2**64] * 51), "prediction 0 (image 100): a value is not a finite number"
    ),
    coco("keypoints of words", entry(keypoints=["x"] * 51), "prediction 0 (image 100): a value is not a finite number"),
    coco(
        "score without end",
        b'[{"image_id": 100, "category_id": 1, "score": Infinity, "keypoints": [' + b", ".join([b"1"] * 51) + b"]}]",
        "prediction 0 (image 100): a value is not a finite number",
    ),
    mpii(
        "instance unknown",
        entry(image_id=6),
        "predictions.json: prediction 0: image_id 6 is not a position among the 6 instances",
    ),
    mpii("instance twice", entry(image_id=1), "prediction 1: instance 1 is predicted a second time"),
    mpii("keypoints missing", entry(keypoints=[]), "prediction 0 (instance 0): keypoints are not 48 finite numbers"),
    truth(
        "text", "annot/gt_valid.mat: not a readable MATLAB file (its header is not that of level 5)", contents=b"text"
    ),
    truth("empty", "annot/gt_valid.mat: not a readable MATLAB file", contents=b""),
    truth(
        "version 7.3", "annot/gt_valid.mat: not a readable MATLAB file (of level 7.3; save it with -v7)", contents=HDF5
    ),
    truth(
        "what crashes scipy",
        "annot/gt_valid.mat: not a readable MATLAB file",
        contents=b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + CRASHES,
    ),
    truth("no head boxes", "annot/gt_valid.mat: lacks headboxes_src; expected MPII's gt_valid.mat", headboxes_src=None),
    truth("keypoints of words", "annot/gt_valid.mat: lacks pos_gt_src", pos_gt_src="joints"),
    truth(
        "other shape", "jnt_missing has shape (14, 6), expected numbers of shape (16, 6)", jnt_missing=np.zeros((14, 6))
    ),
    truth(
        "heads of others",
        "headboxes_src has shape (2, 2, 5), expected numbers of shape (2, 2, 6)",
        headboxes_src=np.zeros((2, 2, 5)),
    ),
    truth(
        "heads not a number",
        "annot/gt_valid.mat: the head box of instance 0 is not of finite numbers",
        headboxes_src=np.full((2, 2, 6), np.nan),
    ),
    Case("gt_valid.mat: cut off", cut, MPII.format("predictions.json"), ("gt_valid.mat: not a readable MATLAB file",)),
    Case(
        "gt_valid.mat: a bomb",
        bomb,
        MPII.format("predictions.json"),
        ("gt_valid.mat: not a readable MATLAB file (a compressed array is cut off, or has more than",),
    ),
    pred("other shape", np.zeros((6, 14, 2)), "pred.mat: expected numbers 'preds' of shape (instances, 16, 2 or more)"),
    pred("text", "joints", "pred.mat: expected numbers 'preds'", "found (0,)"),
    pred("other instances", np.zeros((5, 16, 2)), "predictions are (instances, keypoints) (5, 16), truth is (6, 16)"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_predictions(case: Case, meet: Meet) -> None:
    meet(case)
