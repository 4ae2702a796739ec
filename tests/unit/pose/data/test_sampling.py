"""Warps on a device and warps in a mirror: OpenCV's to the bit, wherever its rounding falls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.pose import geometry
from bench.pose.data.pixels.image_source import Placement
from bench.pose.data.pixels.sampling import Sources, sample
from bench.pose.geometry import FINE, affine_matrix, warp, warp_flipped
from tests.parity.golden import golden
from tests.parity.test_geometry import SIZES, synthetic_image

Array = np.ndarray
Shape = tuple[int, int]


def noise(shape: Shape) -> Array:
    return np.random.default_rng(shape).integers(0, 256, (*shape, 3), dtype=np.uint8)


def sampled(images: Sequence[Array], placements: Sequence[Placement], size: Shape) -> Array:
    """A crop of each image, all at once."""
    lengths = [image.size for image in images]
    inverses = [cv2.invertAffineTransform(placement.matrix) for placement in placements]
    sources = Sources(
        begins=torch.tensor([sum(lengths[:number]) for number in range(len(images))]),
        heights=torch.tensor([image.shape[0] for image in images]),
        widths=torch.tensor([image.shape[1] for image in images]),
        flipped=torch.tensor([placement.flipped for placement in placements]),
        inverses=torch.from_numpy(np.stack(inverses)),
    )
    return sample(torch.from_numpy(np.concatenate([image.ravel() for image in images])), sources, size).numpy()


def flip_columns(image: Array) -> Array:
    return np.ascontiguousarray(image[:, ::-1])


def assert_every_way_is_opencv_s(image: Array, matrix: Array, size: Shape) -> None:
    """Plainly and flipped; the image is not the first in its row of bytes."""
    plain, flipped = warp(image, matrix, size), warp(flip_columns(image), matrix, size)
    one, other = sampled([image, image], [Placement(matrix), Placement(matrix, flipped=True)], size)
    np.testing.assert_array_equal(one, plain)
    np.testing.assert_array_equal(other, flipped)
    np.testing.assert_array_equal(warp_flipped(image, matrix, size), flipped)
    into = np.full_like(plain, 7)
    warp_flipped(image, matrix, size, into)
    np.testing.assert_array_equal(into, flipped)


shapes = st.tuples(st.integers(1, 60), st.integers(1, 60))
sizes = st.tuples(st.integers(1, 48), st.integers(1, 48))


def parts(fraction: int, low: float, high: float) -> st.SearchStrategy[float]:
    """Multiples of 1 / fraction."""
    return st.integers(int(low * fraction), int(high * fraction)).map(lambda value: value / fraction)


centers = st.tuples(*[st.one_of(st.floats(-90, 150), parts(2, -20, 80), parts(2 * FINE, -2, 62))] * 2)
widths = st.one_of(st.floats(0.5, 400), st.sampled_from([2.0**power for power in range(-1, 9)]))
rotations = st.one_of(st.floats(-90, 90), st.sampled_from([0.0, 90.0, -90.0, 180.0, 45.0]))


@settings(max_examples=400, deadline=None)
@given(shape=shapes, size=sizes, center=centers, width=widths, rotation=rotations)
@example(shape=(1, 1), size=(4, 4), center=(0.0, 0.0), width=4.0, rotation=0.0)
@example(shape=(5, 8), size=(8, 8), center=(3.5, 2.0), width=0.0, rotation=0.0)
@example(shape=(5, 8), size=(8, 8), center=(1e8, -1e8), width=9.0, rotation=30.0)
def test_views_of_instances(shape: Shape, size: Shape, center: Sequence[float], width: float, rotation: float) -> None:
    matrix = affine_matrix(center, (width / 200, width / 200), rotation, size)
    assert_every_way_is_opencv_s(noise(shape), matrix, size)


@settings(max_examples=400, deadline=None)
@given(
    shape=shapes,
    size=sizes,
    power=st.integers(-3, 3),
    quarter=st.integers(0, 3),
    across=parts(4 * FINE, -50, 50),
    down=parts(4 * FINE, -50, 50),
)
def test_positions_that_are_exact_ties(
    shape: Shape, size: Shape, power: int, quarter: int, across: float, down: float
) -> None:
    cosine, sine = round(math.cos(quarter * math.pi / 2)), round(math.sin(quarter * math.pi / 2))
    scale = 2.0**power
    matrix = np.array([[scale * cosine, -scale * sine, across], [scale * sine, scale * cosine, down]])
    assert_every_way_is_opencv_s(noise(shape), matrix, size)


def test_at_ties_the_flipped_warp_needs_its_flipped_image(monkeypatch: pytest.MonkeyPatch) -> None:
    image, size = noise((9, 16)), (9, 16)
    shifts = [(number + 0.5) / FINE for number in range(-200, 200)]
    matrices = [np.array([[1, 0, shift], [0, 1, 0]]) for shift in shifts]
    for matrix in matrices:
        assert_every_way_is_opencv_s(image, matrix, size)
    monkeypatch.setattr(geometry, "_is_exact", lambda *_: True)
    wrong = [
        not np.array_equal(warp_flipped(image, one, size), warp(flip_columns(image), one, size)) for one in matrices
    ]
    assert any(wrong)


def test_nearly_all_views_are_had_without_flipping(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, image, flips = np.random.default_rng(0), noise((60, 80)), []
    monkeypatch.setattr(cv2, "flip", lambda image, _: flips.append(image) or flip_columns(image))
    for _ in range(200):
        warp_flipped(image, affine_matrix(rng.uniform(0, 60, 2), [0.2, 0.2], rng.uniform(-90, 90), (64, 48)), (64, 48))
    assert len(flips) < 10


def test_many_images_at_once() -> None:
    rng = np.random.default_rng(0)
    images = [noise(shape) for shape in ((1, 1), (40, 7), (3, 90), (64, 64), (1, 50))]
    placements = [
        Placement(affine_matrix(rng.uniform(0, 40, 2), rng.uniform(0.05, 0.5, 2), rng.uniform(-90, 90), (24, 32)), flip)
        for flip in (True, False, True, False, True)
    ]
    for image, placement, crop in zip(images, placements, sampled(images, placements, (24, 32)), strict=True):
        expected = warp(flip_columns(image) if placement.flipped else image, placement.matrix, (24, 32))
        np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize("size", SIZES)
def test_the_reference_s_crops(size: Shape) -> None:
    want, image = golden("warp_cv4"), synthetic_image()
    name = f"{size[0]}x{size[1]}"
    for j in (0, 1):
        case = want["cases"][2 * SIZES.index(size) + j]
        matrix = affine_matrix(np.float32(case[:2]), np.float32(case[2:4]), case[4], size)
        crops = sampled([image, flip_columns(image)], [Placement(matrix), Placement(matrix, flipped=True)], size)
        for crop in (*crops, warp_flipped(flip_columns(image), matrix, size)):
            np.testing.assert_array_equal(crop, want[f"crop_{name}_{j}"])
