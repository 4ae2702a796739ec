"""Sub-cell refinement of peaks that is right up to the border: one Newton step on the logarithm of a blurred peak.

Within a blur's reach of the border the kernel shrinks until it fits, so that it stays symmetric around the peak: zeros
or copies outside would move the peak. A peak in the outermost cells is expanded around their neighbors inside.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.pose.codecs.blur import gaussian_kernel
from bench.pose.codecs.dark import newton_step
from bench.pose.precision import copy_to

__all__ = ["map_offset", "vector_offset"]

LOG_FLOOR = 1e-3
"""Smallest value beside a peak of 1 whose logarithm is taken."""

LONGEST = 1.0
"""Longest step in cells: a peak that lies farther from the highest cell is not one."""


def map_offset(maps: Tensor, cell: Tensor, blur_cells: int) -> Tensor:
    """Offset of the true peak from the highest cell, in cells; 0 where the map has no peak there.

    Args:
        maps: (instances, keypoints, height, width), at least 3 cells each way.
        cell: (instances, keypoints, 2) x and y of each map's highest cell.
        blur_cells: width of the blur, odd.
    """
    height, width = maps.shape[-2:]
    x, columns, along_x = _neighborhood(cell[..., 0], width, blur_cells)
    y, rows, along_y = _neighborhood(cell[..., 1], height, blur_cells)
    index = rows.unsqueeze(-1) * width + columns.unsqueeze(-2)
    patch = maps.flatten(2).gather(-1, index.flatten(2)).view(index.shape)
    log = _log(along_y.to(maps) @ patch @ along_x.to(maps).mT)
    gradient_x, xx = _derivatives(log[..., 1, :])
    gradient_y, yy = _derivatives(log[..., :, 1])
    xy = (log[..., 0, 0] + log[..., 2, 2] - log[..., 0, 2] - log[..., 2, 0]) / 4
    peaked = (xx < 0) & (yy < 0) & (xx * yy > xy**2)
    step = newton_step(gradient_x, gradient_y, xx, yy, xy, where=peaked)
    return _limited(torch.stack([x, y], dim=-1) - cell + step, peaked.unsqueeze(-1))


def vector_offset(vectors: Tensor, bins: Tensor, blur_bins: int) -> Tensor:
    """Offset of the true peak from the highest bin, in bins; 0 where the vector has no peak there.

    Args:
        vectors: (instances, keypoints, bins), at least 3 bins.
        bins: (instances, keypoints) each vector's highest bin.
        blur_bins: width of the blur, odd.
    """
    center, index, weights = _neighborhood(bins, vectors.shape[-1], blur_bins)
    log = _log((weights.to(vectors) @ vectors.gather(-1, index).unsqueeze(-1)).squeeze(-1).unsqueeze(-2)).squeeze(-2)
    gradient, curvature = _derivatives(log)
    peaked = curvature < 0
    return _limited(center - bins - gradient / torch.where(peaked, curvature, 1), peaked)


def _neighborhood(cell: Tensor, size: int, blur_cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Center of the expansion along one axis, the cells around it, and the weights of their blur at three places.

    Args:
        cell: (instances, keypoints) int64.
        size: of the axis.
        blur_cells: width of the blur, odd.

    Returns:
        Center (instances, keypoints), 1 or more cells off the border; indices (instances, keypoints, blur_cells + 2);
        weights (instances, keypoints, 3, blur_cells + 2) for the blurred values before, at and after the center.
    """
    reach = blur_cells // 2
    center = cell.clamp(1, size - 2)
    room = torch.minimum(center - 1, size - 2 - center).clamp(max=reach)
    kernels = torch.stack([_padded(gaussian_kernel(2 * half + 1), reach - half) for half in range(reach + 1)])
    kernel = copy_to(cell.device, kernels.float())[room]
    weights = torch.stack([_padded(kernel, before, 2 - before) for before in (0, 1, 2)], dim=-2)
    around = center.unsqueeze(-1) + torch.arange(-reach - 1, reach + 2, device=cell.device)
    return center, around.clamp(0, size - 1), weights


def _padded(values: Tensor, before: int, after: int | None = None) -> Tensor:
    return torch.nn.functional.pad(values, (before, before if after is None else after))


def _log(values: Tensor) -> Tensor:
    """Logarithm of (..., 3, 3) or (..., 1, 3) values as fractions of the largest."""
    highest = values.amax((-2, -1), keepdim=True)
    return (values / highest.clamp(min=torch.finfo(values.dtype).tiny)).clamp(min=LOG_FLOOR).log()


def _derivatives(log: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivative at the middle of three values (..., 3)."""
    return (log[..., 2] - log[..., 0]) / 2, log[..., 2] - 2 * log[..., 1] + log[..., 0]


def _limited(offset: Tensor, peaked: Tensor) -> Tensor:
    return torch.where(peaked, offset.clamp(-LONGEST, LONGEST), 0)
