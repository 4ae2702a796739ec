"""From an instance's box to a crop and back.

Pixel centers lie on integers. An instance is cropped by a center (px) and a scale (box size in units of 200 px, as the
reference stores it), warped so that the center lands on (width / 2, height / 2) of the crop. Only the width of the
scale counts: the crop is never stretched (behaviour D14, D16).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "BOX_PADDING",
    "SCALE_UNIT",
    "PixelAlignment",
    "affine_matrix",
    "box_to_center_scale",
    "crop_matrix",
    "padded_area",
    "transform_points",
    "unbiased_matrix",
    "warp",
    "warp_flipped",
]

Array = npt.NDArray[np.float64]
Size = tuple[int, int]
"""Height and width in px."""

PixelAlignment = Literal["corner", "unbiased"]
"""Where a crop's center lands: on (width / 2, height / 2), or in the middle of its pixels (Huang et al., CVPR 2020)."""

SCALE_UNIT = 200.0
"""Pixels per unit of scale."""

FINE = 1024
"""OpenCV rounds sampled positions to this fraction of a px."""

BOX_PADDING = 1.25
"""Side of a crop relative to the instance's box."""


def box_to_center_scale(
    box: npt.ArrayLike, size: Size, padding: float = BOX_PADDING
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Center (px) and scale (units of 200 px) of the padded crop around a box (behaviour D13).

    Args:
        box: x, y, width, height in px.
        size: crop height and width in px; the box grows to that aspect ratio.
        padding: enlargement per side, not applied to a box centered on x = -1 (the reference's "no box" mark).
    """
    x, y, width, height = np.asarray(box, dtype=np.float64).tolist()
    center = np.array([x + width / 2, y + height / 2], dtype=np.float32)
    aspect = size[1] / size[0]
    width, height = max(width, height * aspect), max(height, width / aspect)
    scale = np.array([width / SCALE_UNIT, height / SCALE_UNIT], dtype=np.float32)
    return center, scale * np.float32(padding) if center[0] != -1 else scale


def affine_matrix(
    center: npt.ArrayLike, scale: npt.ArrayLike, rotation: float, size: Size, *, inverse: bool = False
) -> Array:
    """The 2x3 matrix that maps image px to crop px (or back, with `inverse`).

    It is solved from three corresponding points that are rounded to float32 first, as the reference does, so that
    crops agree with it to the bit.

    Args:
        center: crop center in image px.
        scale: crop size in units of 200 px; only the width counts.
        rotation: degrees, clockwise on screen.
        size: crop height and width in px.
        inverse: map crop px to image px instead.
    """
    height, width = size
    half_width = float(np.asarray(scale)[0] * SCALE_UNIT) / 2
    angle = math.radians(rotation)
    x, y = (float(value) for value in np.asarray(center))
    image = _corner_points(x, y, half_width * math.sin(angle), -half_width * math.cos(angle))
    crop = _crop_corner_points(height, width)
    points = (crop, image) if inverse else (image, crop)
    return np.asarray(cv2.getAffineTransform(*points), dtype=np.float64)


def unbiased_matrix(center: npt.ArrayLike, scale: npt.ArrayLike, rotation: float, size: Size) -> Array:
    """The 2x3 matrix from image px to crop px that maps the edges of the box to the centers of the border's pixels.

    The center lands on ((width - 1) / 2, (height - 1) / 2), as in UDP (Huang et al., CVPR 2020), so that flipping a
    crop is flipping the image. Arguments are those of `affine_matrix`, but both sides of the scale count. mmpose
    rotates the other way, which symmetric random angles do not show.
    """
    angle, last = math.radians(rotation), np.array([size[1] - 1, size[0] - 1])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    linear = (last / (np.asarray(scale, dtype=np.float64) * SCALE_UNIT))[:, None] * turn
    offset = last / 2 - linear @ np.asarray(center, dtype=np.float64)
    return np.concatenate([linear, offset[:, None]], axis=1)


def crop_matrix(
    center: npt.ArrayLike, scale: npt.ArrayLike, rotation: float, size: Size, alignment: PixelAlignment
) -> Array:
    """The 2x3 matrix from image px to crop px of one alignment; see `affine_matrix` and `unbiased_matrix`."""
    make = unbiased_matrix if alignment == "unbiased" else affine_matrix
    return make(center, scale, rotation, size)


def _corner_points(x: float, y: float, up_x: float, up_y: float) -> npt.NDArray[np.float32]:
    """The origin, the point above it, and the point a quarter turn to the left of that, as float32."""
    points = np.array([[x, y], [x + up_x, y + up_y], [0, 0]], dtype=np.float32)
    (down_x, down_y), above = points[0] - points[1], points[1]
    points[2] = above[0] - down_y, above[1] + down_x
    return points


@cache
def _crop_corner_points(height: int, width: int) -> npt.NDArray[np.float32]:
    return _corner_points(width / 2, height / 2, 0, -width / 2)


def transform_points(points: npt.ArrayLike, matrix: Array) -> Array:
    """Apply affine matrices (..., 2, 3) to points (..., points, 2), or one to points of any shape."""
    return np.asarray(points, dtype=np.float64) @ matrix[..., :2].swapaxes(-1, -2) + matrix[..., None, :, 2]


def warp(
    image: npt.NDArray[np.uint8], matrix: Array, size: Size, into: npt.NDArray[np.uint8] | None = None
) -> npt.NDArray[np.uint8]:
    """Crop an image (height, width, 3) to `size` by bilinear sampling, black outside the image (behaviour D16).

    `into`, if given, is an array of the crop's shape to write it to.
    """
    crop = cv2.warpAffine(image, matrix, (size[1], size[0]), into, flags=cv2.INTER_LINEAR)
    return np.asarray(crop, dtype=np.uint8)


def warp_flipped(
    image: npt.NDArray[np.uint8], matrix: Array, size: Size, into: npt.NDArray[np.uint8] | None = None
) -> npt.NDArray[np.uint8]:
    """Bit-exact `warp` of the image flipped left to right, in most cases without flipping it.

    OpenCV rounds the start of each row and the step to each column to 1/1024 px, adds half of 1/32 px, and cuts their
    sum to 1/32 px. Seen in the mirror, cutting rounds the other way; a start that is 1/1024 px lower makes up for that.
    """
    inverse = cv2.invertAffineTransform(matrix)
    seen = inverse.copy()
    seen[0] *= -1
    seen[0, 2] += image.shape[1] - 1 - 1 / FINE
    if not _is_exact(inverse[0], seen[0], image.shape[1], size[0]):
        return warp(np.asarray(cv2.flip(image, 1), dtype=np.uint8), matrix, size, into)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, seen, (size[1], size[0]), into, flags=flags), dtype=np.uint8)


def _is_exact(across: Array, seen: Array, width: int, rows: int) -> bool:
    """Whether the rounded starts of all rows are mirror images of each other; ties can break that."""
    total = (width - 1) * FINE - 1
    if across[1] == 0:  # upright: all rows start alike
        return round(float(across[2]) * FINE) + round(float(seen[2]) * FINE) == total
    row = np.arange(rows)
    starts, seen_starts = (np.rint((values[1] * row + values[2]) * FINE) for values in (across, seen))
    return bool((starts + seen_starts == total).all())


def padded_area(scales: npt.ArrayLike) -> Array:
    """Area in px^2 of the padded crop boxes, which the reference's OKS-NMS uses (behaviour E10).

    Args:
        scales: (instances, 2) units of 200 px.
    """
    return np.prod(np.asarray(scales, dtype=np.float64) * SCALE_UNIT, axis=-1)
