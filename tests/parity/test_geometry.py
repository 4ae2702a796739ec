"""Boxes, affine matrices, crops, half bodies and records against the reference."""

import json

import cv2
import numpy as np
import pytest
import torch

from bench.pose.data.augmentation import half_body
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.geometry import affine_matrix, box_to_center_scale, transform_points, warp
from bench.pose.locating import crop_to_image
from bench.pose.skeletons import COCO_17
from tests.parity.golden import FIXTURES, golden

SIZES = [(64, 64), (128, 128), (256, 192), (384, 288)]


def test_affine_matrices_and_points() -> None:
    want = golden("affine_float32")
    for i, (width, height) in enumerate(want["output_size"]):
        case = (want["center"][i], want["scale"][i], want["rot"][i], (height, width))
        forward = affine_matrix(*case)
        np.testing.assert_allclose(forward, want["trans_inv0"][i], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(affine_matrix(*case, inverse=True), want["trans_inv1"][i], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(transform_points(want["points_in"][i], forward), want["points_out"][i], atol=1e-9)


def test_points_return_to_the_image() -> None:
    want = golden("affine_float32")
    for i, (width, height) in enumerate(want["output_size"]):
        arrays = (torch.from_numpy(want[name][i][None]) for name in ("pred_in", "center", "scale"))
        points = crop_to_image(*arrays, (height, width))
        np.testing.assert_allclose(points[0], want["pred_out"][i], atol=1e-4)


def synthetic_image() -> np.ndarray:
    y, x = np.mgrid[0:480, 0:640]
    channels = [(7 * x + 3 * y + (x * y) // 17) % 256, (x * x // 9 + 5 * y) % 256, ((x ^ y) * 3 + x // 2) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_crops_are_bit_identical(size: tuple[int, int]) -> None:
    assert cv2.__version__.startswith("4."), "OpenCV 5 samples warps differently from the paper's version"
    want, image = golden("warp_cv4"), synthetic_image()
    name = f"{size[0]}x{size[1]}"
    # Two of the eight cases per size, in the order of the sizes.
    for j in (0, 1):
        case = want["cases"][2 * SIZES.index(size) + j]
        matrix = affine_matrix(np.float32(case[:2]), np.float32(case[2:4]), case[4], size)
        np.testing.assert_allclose(matrix, want[f"trans_{name}_{j}"], rtol=1e-9, atol=1e-9)
        assert np.array_equal(warp(image, matrix, size), want[f"crop_{name}_{j}"])


@pytest.mark.parametrize("size", SIZES)
def test_boxes(size: tuple[int, int]) -> None:
    want, name = golden("box2cs"), f"{size[0]}x{size[1]}"
    for i, box in enumerate(want["boxes"]):
        center, scale = box_to_center_scale(box, size)
        assert np.array_equal(center, want[f"center_{name}"][i])
        np.testing.assert_allclose(scale, want[f"scale_{name}"][i], rtol=2e-7)


@pytest.mark.parametrize("half", ["upper", "lower"])
@pytest.mark.parametrize("size", [(64, 64), (256, 192)])
def test_half_body(half: str, size: tuple[int, int]) -> None:
    want, name = golden("half_body"), f"{half}_{size[0]}x{size[1]}"
    for i, keypoints in enumerate(want["joints"]):
        visible = want["joints_vis"][i, :, 0] > 0
        got = half_body(keypoints[:, :2], visible, COCO_17, size, prefer_upper=half == "upper")
        center, scale = want[f"center_{name}"][i], want[f"scale_{name}"][i]
        if np.isnan(center).any():
            assert got is None
            continue
        assert got is not None
        np.testing.assert_allclose(got[0], center, rtol=1e-6)
        np.testing.assert_allclose(got[1], scale, rtol=1e-6)


def test_records(tmp_path) -> None:
    want = golden("coco_db")
    annotations = json.loads((FIXTURES / "golden" / "coco_db_in.json").read_text())
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images" / "val2017").mkdir(parents=True)
    (tmp_path / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(annotations))
    instances = CocoKeypoints(tmp_path, "val2017", COCO_17).instances()
    assert [instance.image.name for instance in instances] == [path.split("/")[-1] for path in want["image"]]
    for i, instance in enumerate(instances):
        center, scale = box_to_center_scale(instance.box, (256, 192))
        np.testing.assert_array_equal(center, want["center"][i])
        np.testing.assert_allclose(scale, want["scale"][i], rtol=2e-7)
        np.testing.assert_array_equal(instance.keypoints, want["joints_3d"][i][:, :2])
        np.testing.assert_array_equal(instance.visible, want["joints_3d_vis"][i][:, 0] > 0)
