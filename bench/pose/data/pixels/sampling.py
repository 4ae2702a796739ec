"""OpenCV 4's bilinear warp on a device, for whole batches, bit for bit.

OpenCV does not sample where the matrix says, but on a grid of 1/32 px: the start of each row and the step to each
column are rounded to 1/1024 px, added, and cut to 1/32 px. The four neighbours are weighed in whole 1/1024 of a grey
level. All of that is repeated here in integers (behaviour D16, D17).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bench.pose.geometry import Size

__all__ = ["Sources", "sample"]

COARSE_BITS, FINE_BITS = 5, 10
"""Positions are kept in 1/32 px and computed in 1/1024 px."""

CELLS = 1 << COARSE_BITS
HALF_CELL = 1 << (FINE_BITS - COARSE_BITS - 1)
CHANNELS = 3


class Sources(NamedTuple):
    """Images in one row of bytes and how each is sampled, one entry per crop.

    Attributes:
        begins: (crops,) int64 position of the image's first byte.
        heights: (crops,) int64 px.
        widths: (crops,) int64 px.
        flipped: (crops,) bool; the inverse is of the flipped image then.
        inverses: (crops, 2, 3) float64, from crop px to px of the image.
    """

    begins: Tensor
    heights: Tensor
    widths: Tensor
    flipped: Tensor
    inverses: Tensor


def sample(pixels: Tensor, sources: Sources, size: Size) -> Tensor:
    """Crops (crops, height, width, 3) uint8 of images, black outside them.

    Args:
        pixels: (bytes,) uint8, images as (height, width, 3) one behind the other.
        sources: on the same device.
        size: height and width of the crops in px.
    """
    x, y = (_positions(sources.inverses[:, axis], size) for axis in (0, 1))
    (column, right), (row, below) = ((at >> COARSE_BITS, at & (CELLS - 1)) for at in (x, y))
    total = torch.zeros((*x.shape, CHANNELS), dtype=torch.int32, device=pixels.device)
    for down in (0, 1):
        for across in (0, 1):
            weight = (right if across else CELLS - right) * (below if down else CELLS - below)
            total += _neighbours(pixels, sources, row + down, column + across) * weight[..., None]
    return (total + CELLS * CELLS // 2 >> 2 * COARSE_BITS).to(torch.uint8)


def _positions(inverse: Tensor, size: Size) -> Tensor:
    """One coordinate of the source of each crop pixel in 1/32 px, (crops, height, width) int32, of (crops, 3)."""
    rows, columns = (torch.arange(side, dtype=torch.float64, device=inverse.device) for side in size)
    across, down, start = inverse.unsqueeze(-1).unbind(1)
    begin = _fine(down * rows + start) + HALF_CELL
    step = _fine(across * columns)
    return begin[:, :, None] + step[:, None, :] >> FINE_BITS - COARSE_BITS


def _fine(values: Tensor) -> Tensor:
    """In whole 1/1024 px, ties to even."""
    return torch.round(values * (1 << FINE_BITS)).to(torch.int32)


def _neighbours(pixels: Tensor, sources: Sources, row: Tensor, column: Tensor) -> Tensor:
    """The pixels at rows and columns (crops, height, width), (crops, height, width, 3) int32; 0 outside."""
    heights, widths, begins, flipped = (
        values[:, None, None] for values in (sources.heights, sources.widths, sources.begins, sources.flipped)
    )
    inside = (row >= 0) & (row < heights) & (column >= 0) & (column < widths)
    column = torch.where(flipped, widths - 1 - column, column)
    first = torch.where(inside, begins + (row * widths + column) * CHANNELS, 0)
    found = pixels[first[..., None] + torch.arange(CHANNELS, device=pixels.device)]
    return torch.where(inside[..., None], found, 0).to(torch.int32)
