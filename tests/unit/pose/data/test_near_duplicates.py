"""Near-duplicates: what makes a picture another copy, what does not, and pairs of real photographs."""

import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from bench.pose.data.images import read_image
from bench.pose.data.near_duplicates import ALIKE, fingerprint, near_duplicates
from tests.shared import shared_data

Picture = np.ndarray

SAME = (
    (1672, 6460), (639, 6054), (719, 9517), (1195, 2494), (4433, 9130), (1803, 3959), (828, 6416), (4956, 7158),
    (3153, 9695), (3199, 5316), (3962, 6862), (5545, 8796), (457, 9410), (1240, 6741), (2268, 6949), (1170, 9527),
)  # fmt: skip
"""One photograph each, scaled, re-encoded or toned otherwise, by their numbers in Leeds Sports Pose Extended."""

CUTOUTS = ((1479, 9099), (3286, 9263))
"""One photograph each, cut out of a frame, or otherwise."""


def scene(seed: int) -> Picture:
    """A drawn scene of 200 x 300 px: a sky that grows darker, and figures of several sizes."""
    rng = np.random.default_rng(seed)
    picture = np.repeat(np.linspace(220, 120, 200)[:, None], 300, axis=1)[..., None].repeat(3, axis=2).astype(np.uint8)
    for _ in range(12):
        corner, size = rng.integers(0, 250, 2), rng.integers(15, 90, 2)
        color = rng.integers(0, 256, 3).tolist()
        cv2.rectangle(picture, corner.tolist(), (corner + size).tolist(), color, thickness=-1)
    return picture


def reencoded(picture: Picture) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_COLOR)


def noisy(picture: Picture) -> Picture:
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        reencoded,
        noisy,
        lambda picture: cv2.resize(picture, (150, 100), interpolation=cv2.INTER_AREA),
        lambda picture: cv2.resize(picture, (400, 300), interpolation=cv2.INTER_CUBIC),
        lambda picture: (picture * 0.5).astype(np.uint8),
        lambda picture: (picture * 0.6 + 90).astype(np.uint8),
        lambda picture: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
        lambda picture: picture[3:-3, 4:-4],
    ],
    ids=["reencoded", "noisy", "smaller", "larger", "darker", "pale", "grey", "trimmed"],
)
def test_a_copy_is_alike(change: Callable[[Picture], Picture]) -> None:
    for seed in range(10):
        picture = scene(seed)
        assert fingerprint(picture) @ fingerprint(change(picture)) > ALIKE


def test_another_moment_of_a_scene_is_alike() -> None:
    """A figure has moved through it."""
    similarities = []
    for seed in range(10):
        moments = [scene(seed) for _ in range(2)]
        for picture, place in zip(moments, ((60, 100), (200, 120)), strict=True):
            cv2.ellipse(picture, place, (7, 25), 20, 0, 360, (40, 40, 160), thickness=-1)
        similarities.append(float(fingerprint(moments[0]) @ fingerprint(moments[1])))
    assert min(similarities) > ALIKE
    assert np.median(similarities) < 0.95


def test_other_pictures_are_not_alike() -> None:
    views = np.array([fingerprint(scene(seed)) for seed in range(60)])
    assert (views @ views.T - np.eye(60)).max() < ALIKE - 0.1
    assert len(set(near_duplicates([views]).tolist())) == 60


def test_pictures_without_contrast_are_like_nothing() -> None:
    flat = np.array([fingerprint(np.full((40, 40, 3), value, np.uint8)) for value in (0, 0, 255)])
    assert not flat.any()
    assert len(set(near_duplicates([flat]).tolist())) == 3


def test_a_group_holds_what_is_alike_in_any_view_or_by_way_of_others() -> None:
    whole, part = np.eye(6, dtype=np.float32), np.eye(6, dtype=np.float32)
    whole[1] = (ALIKE + 0.01) * whole[0] + np.sqrt(1 - (ALIKE + 0.01) ** 2) * whole[1]
    part[4] = part[1]
    groups = near_duplicates([whole, part])
    assert groups[0] == groups[1] == groups[4]
    assert len(set(groups.tolist())) == 4


def test_groups_do_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.pose.data.near_duplicates.ROWS", 4)  # several blocks of rows
    pictures = [scene(seed) for seed in range(9)]
    pictures += [noisy(pictures[2]), reencoded(pictures[2]), noisy(pictures[7])]
    views = np.array([fingerprint(picture) for picture in pictures])
    order = np.random.default_rng(0).permutation(len(views))
    groups = [near_duplicates([views]), np.empty(len(views), dtype=int)]
    groups[1][order] = near_duplicates([views[order]])
    together = [[set(np.flatnonzero(found == group).tolist()) for group in found] for found in groups]
    assert together[0] == together[1]
    assert together[0][2] == {2, 9, 10}
    assert together[0][7] == {7, 11}


def test_real_photographs() -> None:
    """All known copies are found, and none among pictures that are known to be different."""
    folder = shared_data("lspet7k") / "lspet"
    contents = json.loads((folder / "annotations" / "person_keypoints_train.json").read_text())
    boxes = {entry["image_id"]: entry["bbox"] for entry in contents["annotations"]}
    known = [number for pair in (*SAME, *CUTOUTS) for number in pair]
    numbers = [*known, *[number for number in boxes if number not in known][:100]]
    whole, part = [], []
    for number in numbers:
        picture = read_image(folder / "images" / "train" / f"im{number:05d}.jpg")
        left, top, width, height = (int(value) for value in boxes[number])
        whole.append(fingerprint(picture))
        part.append(fingerprint(picture[top : top + height + 1, left : left + width + 1]))
    groups = near_duplicates([np.array(whole), np.array(part)])
    pairs = {frozenset(np.array(numbers)[groups == group].tolist()) for group in groups}
    assert {pair for pair in pairs if len(pair) > 1} == {frozenset(pair) for pair in (*SAME, *CUTOUTS)}
