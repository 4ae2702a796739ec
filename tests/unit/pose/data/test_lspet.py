"""The conversion of Leeds Sports Pose Extended: who is kept, which keypoints count, and which split gets whom."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.datasets import dataset_info
from bench.pose.data.lspet import LEAST_VISIBLE, LSP_KEYPOINTS, Conversion, convert
from bench.pose.data.prepare import prepare
from bench.pose.errors import DataError
from bench.pose.skeletons import CROWDPOSE_14


def original(folder: Path, instances: int = 7, *, transposed: bool = False) -> np.ndarray:
    """`joints.mat` and images; keypoint N of the original order lies at x = 10 + 5 N. Returns (3, 14, instances)."""
    keypoints = np.zeros((3, 14, instances))
    keypoints[0] = 10 + 5 * np.arange(14)[:, None]
    keypoints[1] = np.linspace(20, 60, 14)[:, None] + np.arange(instances)
    keypoints[2] = 1
    keypoints[:, LSP_KEYPOINTS.index("neck"), 0] = (-3, -4, 0)  # not visible
    keypoints[2, :, 6:7] = 0  # nobody to be seen
    (folder / "original").mkdir(parents=True)
    store(folder, keypoints.transpose(1, 0, 2) if transposed else keypoints)
    for number in range(1, instances + 1):
        draw(folder, number, np.zeros((90, 80 + number, 3), np.uint8))
    return keypoints


def store(folder: Path, keypoints: np.ndarray) -> None:
    scipy.io.savemat(folder / "joints.mat", {"joints": keypoints})


def draw(folder: Path, number: int, picture: np.ndarray) -> None:
    cv2.imwrite(str(folder / "original" / f"im{number:05d}.jpg"), picture)


def blocks(seed: int) -> np.ndarray:
    """A picture of 8 x 8 grey blocks."""
    grey = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return cv2.cvtColor(cv2.resize(grey, (81, 90), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)


def converted(folder: Path) -> Conversion:
    return convert(folder / "joints.mat", folder / "original", folder)


def numbers(folder: Path, split: str) -> list[int]:
    contents = json.loads((folder / "annotations" / f"person_keypoints_{split}.json").read_text())
    return [entry["id"] for entry in contents["annotations"]]


@pytest.mark.parametrize("transposed", [False, True])
def test_leeds_sports_instances_are_converted(transposed: bool, tmp_path: Path) -> None:
    keypoints = original(tmp_path, transposed=transposed)
    assert converted(tmp_path).instances == {"train": 5, "val": 1}
    train, val = (CocoKeypoints(tmp_path, split, CROWDPOSE_14) for split in ("train", "val"))
    instances = train.instances()
    assert [instance.image_id for instance in instances] == [1, 2, 3, 4, 6]
    assert [instance.image_id for instance in val.instances()] == [5]
    assert not train.problems
    first, second = instances[:2]
    assert first.visible.tolist() == [keypoint != "neck" for keypoint in CROWDPOSE_14.keypoints]
    for index, keypoint in enumerate(CROWDPOSE_14.keypoints):
        np.testing.assert_allclose(second.keypoints[index], keypoints[:2, LSP_KEYPOINTS.index(keypoint), 1], atol=0.005)
    # 65 px wide and 40 high from (10, 21): 7.8 px of margin, the left and right within the image of 82 px.
    box = train.annotations["annotations"][1]["bbox"]
    np.testing.assert_allclose(box, [2.2, 21 - 7.8, 82 - 2.2, 40 + 15.6], atol=0.02)
    assert train.annotations["annotations"][1]["area"] == pytest.approx(0.53 * box[2] * box[3], abs=0.5)
    assert (tmp_path / "images" / "val" / "im00005.jpg").is_file()


def test_converting_twice_makes_the_same_files(tmp_path: Path) -> None:
    original(tmp_path)
    said: list[str] = []
    contents = []
    for _ in range(2):
        prepare(dataset_info("lspet"), tmp_path, (), said.append)
        contents.append((tmp_path / "annotations" / "person_keypoints_train.json").read_bytes())
    assert contents[0] == contents[1]
    assert said[1:6] == [
        "train: 5 instances",
        "val: 1 instances",
        "left out: 1 people with fewer than 10 visible keypoints in their image",
        "unlabelled: the keypoints of 0 people that lie outside their image",
        "near-duplicates: 0 images in 0 groups, each group in one split",
    ]
    assert json.loads(contents[0])["categories"][0]["keypoints"] == list(CROWDPOSE_14.keypoints)


def test_keypoints_outside_the_image_are_unlabelled(tmp_path: Path) -> None:
    """Image 1 is 81 px wide and 90 high; a keypoint on its left and top edge is inside, on the others outside."""
    keypoints = original(tmp_path, 3)
    for name, place in {
        "right_ankle": (-0.01, 30), "left_ankle": (30, -5), "right_wrist": (30, 90), "neck": (80.999, 30),
        "head": (0, 0), "left_hip": (80.99, 89.99),
    }.items():  # fmt: skip
        keypoints[:, LSP_KEYPOINTS.index(name), 0] = (*place, 1)
    store(tmp_path, keypoints)
    found = converted(tmp_path)
    assert (found.outside, found.few_keypoints) == (1, 0)
    (first, *_) = CocoKeypoints(tmp_path, "train", CROWDPOSE_14).annotations["annotations"]
    values = np.reshape(first["keypoints"], (14, 3))
    unlabelled = {name for name, value in zip(CROWDPOSE_14.keypoints, values, strict=True) if not value.any()}
    assert unlabelled == {"right_ankle", "left_ankle", "right_wrist", "neck"}  # 80.999 would be 81.00
    assert (values[:, 2] > 0).sum() == first["num_keypoints"] == 10


@pytest.mark.parametrize(("visible", "kept"), [(LEAST_VISIBLE, True), (LEAST_VISIBLE - 1, False)])
def test_people_with_few_visible_keypoints_in_the_image_are_left_out(visible: int, kept: bool, tmp_path: Path) -> None:
    keypoints = original(tmp_path, 3)
    keypoints[2, visible:, 1] = 0
    keypoints[0, visible:, 2] = -1  # visible, but not in the image
    store(tmp_path, keypoints)
    found = converted(tmp_path)
    assert numbers(tmp_path, "train") == ([1, 2, 3] if kept else [1])
    assert (found.few_keypoints, found.outside) == (0 if kept else 2, 1)
    assert f"left out: {found.few_keypoints} people with fewer than 10 visible keypoints" in found.lines()[2]
    assert (tmp_path / "images" / "train" / "im00002.jpg").exists() == kept


def test_near_duplicates_go_where_the_first_of_them_goes(tmp_path: Path) -> None:
    """2 and 5 show the same, and so do 10 and 11: 5 leaves validation, and 11 leaves training."""
    original(tmp_path, 12)
    pictures = {number: blocks(number) for number in range(1, 13)}
    pictures |= {5: cv2.resize(pictures[2], (130, 140)), 11: pictures[10] // 2 + 60}
    for number, picture in pictures.items():
        draw(tmp_path, number, picture)
    found = converted(tmp_path)
    assert numbers(tmp_path, "val") == [10, 11]
    assert numbers(tmp_path, "train") == [1, 2, 3, 4, 5, 6, 8, 9, 12]
    assert found.lines()[-1] == "near-duplicates: 4 images in 2 groups, each group in one split"


def test_a_cutout_is_a_near_duplicate_by_the_part_with_the_person(tmp_path: Path) -> None:
    """5 is 2 in the corner of a larger picture."""
    keypoints = original(tmp_path, 6)
    pictures = {number: blocks(number) for number in range(1, 7)}
    canvas = cv2.resize(blocks(99), (300, 280))
    canvas[150:240, 200:281] = pictures[2]
    keypoints[:2, :, 4] = keypoints[:2, :, 1] + np.array([[200], [150]])
    store(tmp_path, keypoints)
    for number, picture in (pictures | {5: canvas}).items():
        draw(tmp_path, number, picture)
    assert converted(tmp_path).groups == 1
    assert numbers(tmp_path, "train") == [1, 2, 3, 4, 5, 6]


def test_nobody_left_makes_empty_splits(tmp_path: Path) -> None:
    keypoints = original(tmp_path, 2)
    store(tmp_path, keypoints * 0)
    found = converted(tmp_path)
    assert (found.instances, found.few_keypoints, found.groups) == ({"train": 0, "val": 0}, 2, 0)


def test_another_original_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"joints\.mat: no such file"):
        convert(tmp_path / "joints.mat", tmp_path, tmp_path)
    (tmp_path / "joints.mat").write_text("no MATLAB")
    with pytest.raises(DataError, match="not a readable MATLAB file"):
        convert(tmp_path / "joints.mat", tmp_path, tmp_path)
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": np.zeros((3, 16, 5))})
    with pytest.raises(DataError, match=r"expected numbers 'joints' of shape \(3, 14, instances\), found \(3, 16, 5\)"):
        convert(tmp_path / "joints.mat", tmp_path, tmp_path)
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": np.full((3, 14, 2), np.nan)})
    with pytest.raises(DataError, match="some keypoint is not finite"):
        convert(tmp_path / "joints.mat", tmp_path, tmp_path)
