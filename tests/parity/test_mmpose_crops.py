"""Crops of both pixel alignments against mmpose's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.pose.geometry import SCALE_UNIT, affine_matrix, transform_points, unbiased_matrix, warp
from bench.pose.locating import crop_to_image, unbiased_crop_to_image
from tests.parity.golden import golden

GOLDEN = golden("udp_affine", "golden_mmpose")
CASES = range(len(GOLDEN["bbox"]))


def crop_of(case: int) -> tuple[np.ndarray, np.ndarray, float, tuple[int, int]]:
    """Center, scale, rotation in our direction (mmpose's unbiased crops turn the other way), height and width."""
    width, height = map(int, GOLDEN["input_size"][case])
    return (
        GOLDEN["center"][case],
        GOLDEN["scale_fixed"][case] / SCALE_UNIT,
        float(GOLDEN["rotation"][case]),
        (height, width),
    )


@pytest.mark.parametrize("case", CASES)
def test_matrices(case: int) -> None:
    center, scale, rotation, size = crop_of(case)
    unbiased = unbiased_matrix(center, scale, -rotation, size)
    np.testing.assert_allclose(unbiased, GOLDEN["warp_udp"][case], rtol=1e-5, atol=1e-4)
    plain = affine_matrix(center, scale, rotation, size)
    np.testing.assert_allclose(plain, GOLDEN["warp_plain"][case], rtol=1e-4, atol=1e-3)
    points = GOLDEN["kpts_image"][case]
    np.testing.assert_allclose(transform_points(points, unbiased), GOLDEN["kpts_crop_udp"][case], atol=1e-3)


@pytest.mark.parametrize("case", [case for case in CASES if GOLDEN["rotation"][case] == 0])
def test_the_way_back_is_the_inverse(case: int) -> None:
    center, scale, _, size = crop_of(case)
    points = torch.from_numpy(GOLDEN["decoded_crop"][case]).double()[None]
    where = torch.from_numpy(center).double()[None], torch.from_numpy(scale).double()[None], size
    for back, name in ((unbiased_crop_to_image, "udp"), (crop_to_image, "plain")):
        found = back(points, *where)[0].numpy()
        np.testing.assert_allclose(found, GOLDEN[f"image_inverse_{name}"][case], atol=2e-2 if name == "plain" else 1e-3)


def test_mmpose_s_way_back_of_unbiased_crops_multiplies_by_the_width_and_codecs_make_up_for_it() -> None:
    """Its decoders give w / (w - 1) times ours, so that dividing by w on the way back is dividing by w - 1."""
    for case in CASES:
        center, scale, rotation, size = crop_of(case)
        if rotation:
            continue
        ours = torch.from_numpy(GOLDEN["decoded_crop"][case]).double()[None]
        theirs = GOLDEN["image_from_decoded"][case]
        last = torch.tensor([size[1] - 1, size[0] - 1]) / torch.tensor([size[1], size[0]])
        where = torch.from_numpy(center).double()[None], torch.from_numpy(scale).double()[None], size
        np.testing.assert_allclose(unbiased_crop_to_image(ours * last, *where)[0].numpy(), theirs, atol=1e-3)


@pytest.mark.parametrize("number", range(4))
def test_pixels_of_unbiased_crops(number: int) -> None:
    """To a grey level: mmpose's matrix is rounded to float32 before the warp, ours is not."""
    x1, y1, x2, y2, rotation, width, height = GOLDEN[f"crop{number}_case"].tolist()
    size, center = (int(height), int(width)), np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    sides = np.array([x2 - x1, y2 - y1]) * 1.25
    sides = np.maximum(sides, sides[::-1] * [width / height, height / width])
    matrix = unbiased_matrix(center, sides / SCALE_UNIT, -rotation, size)
    found = warp(GOLDEN["crop_image"], matrix, size).astype(int)
    assert np.abs(found - GOLDEN[f"crop{number}_udp"]).max() <= 3
