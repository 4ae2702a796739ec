"""DARK: sub-cell refinement of heatmap peaks from the maps' second-order Taylor expansion (Zhang et al., CVPR 2020).

The facts that fix it here are those of the method's published settings for heatmaps of sigma 2: a Gaussian blur of 11
cells, logarithm, one Newton step.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["dark_offset"]

BLUR_CELLS = 11
BLUR_SIGMA = 2.0
"""What OpenCV takes for a kernel of 11: 0.3 * ((11 - 1) / 2 - 1) + 0.8."""

LOG_FLOOR = 1e-10


def dark_offset(maps: Tensor, cell: Tensor) -> Tensor:
    """Offset of the true peak from the highest cell, in cells; 0 within two cells of the border or on flat maps.

    Args:
        maps: (instances, keypoints, height, width).
        cell: (instances, keypoints, 2) x and y of each map's highest cell.
    """
    height, width = maps.shape[-2:]
    x, y = cell.unbind(-1)
    inner = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    log = _blur(maps).clamp(min=LOG_FLOOR).log().flatten(2)
    center = (y.clamp(2, height - 3) * width + x.clamp(2, width - 3)).long()

    def at(dx: int, dy: int) -> Tensor:
        return log.gather(-1, (center + dy * width + dx).unsqueeze(-1)).squeeze(-1)

    gradient_x, gradient_y = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    xx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
    yy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    xy = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    determinant = xx * yy - xy**2
    usable = inner & (determinant != 0)
    scale = torch.where(usable, 1 / torch.where(usable, determinant, 1), 0)
    step_x = -(yy * gradient_x - xy * gradient_y) * scale
    step_y = -(xx * gradient_y - xy * gradient_x) * scale
    return torch.stack([step_x, step_y], dim=-1)


def _blur(maps: Tensor) -> Tensor:
    """Gaussian blur with zeros outside, each map brought back to its own maximum."""
    reach = BLUR_CELLS // 2
    distance = torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-(distance**2) / (2 * BLUR_SIGMA**2))
    kernel = kernel / kernel.sum()
    flat = maps.flatten(0, 1).unsqueeze(1)
    rows = torch.nn.functional.conv2d(flat, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    blurred = torch.nn.functional.conv2d(rows, kernel.view(1, 1, 1, -1), padding=(0, reach)).view_as(maps)
    before, after = maps.amax((-2, -1), keepdim=True), blurred.amax((-2, -1), keepdim=True)
    return blurred * before / after.clamp(min=torch.finfo(maps.dtype).tiny)
