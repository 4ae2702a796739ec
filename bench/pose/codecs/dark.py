"""Sub-cell refinement of peaks as published: one Newton step on the logarithm of blurred maps or vectors.

DARK (Zhang et al., CVPR 2020), the variant of UDP (Huang et al., CVPR 2020) and that of SimCC's vectors in mmpose. The
latter two do strange things at borders and in empty maps; `bench.pose.codecs.taylor` does what they were meant to do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.pose.codecs.blur import blurred

__all__ = ["BLUR_CELLS", "dark_offset", "reference_map_offset", "reference_vector_offset"]

BLUR_CELLS = 11
"""Width of the published blur of heatmaps of sigma 2."""

LOG_FLOOR = 1e-10

REFERENCE_RANGE = (1e-3, 50.0)
"""Values to which mmpose clips before it takes the logarithm of maps for UDP, and of SimCC's vectors."""

EPSILON = torch.finfo(torch.float32).eps


def dark_offset(maps: Tensor, cell: Tensor, blur_cells: int = BLUR_CELLS) -> Tensor:
    """Offset of the true peak from the highest cell, in cells; 0 within two cells of the border or on flat maps.

    Args:
        maps: (instances, keypoints, height, width).
        cell: (instances, keypoints, 2) x and y of each map's highest cell.
        blur_cells: width of the blur, odd.
    """
    height, width = maps.shape[-2:]
    x, y = cell.unbind(-1)
    inner = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    log = blurred(maps, blur_cells, (-2, -1)).clamp(min=LOG_FLOOR).log().flatten(2)
    center = (y.clamp(2, height - 3) * width + x.clamp(2, width - 3)).long()

    def at(dx: int, dy: int) -> Tensor:
        return log.gather(-1, (center + dy * width + dx).unsqueeze(-1)).squeeze(-1)

    gradient_x, gradient_y = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    xx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
    yy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    xy = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    return newton_step(gradient_x, gradient_y, xx, yy, xy, where=inner)


def newton_step(x: Tensor, y: Tensor, xx: Tensor, yy: Tensor, xy: Tensor, *, where: Tensor) -> Tensor:
    """Newton step (..., 2) from first and second derivatives (...); 0 elsewhere and where there is no solution."""
    determinant = xx * yy - xy**2
    usable = where & (determinant != 0)
    scale = torch.where(usable, 1 / torch.where(usable, determinant, 1), 0)
    return torch.stack([-(yy * x - xy * y) * scale, -(xx * y - xy * x) * scale], dim=-1)


def reference_map_offset(maps: Tensor, cell: Tensor, blur_cells: int = BLUR_CELLS) -> Tensor:
    """Offset of UDP's peaks in cells as mmpose computes it (`refine_keypoints_dark_udp`), faults included.

    The border is repeated, which moves any peak in an outer row or column half a cell outwards. Cell (-1, -1), where
    mmpose puts keypoints without a positive value, reads the maps of the keypoint before. A map of zeros gives NaN.

    Args:
        maps: (instances, keypoints, height, width).
        cell: (instances, keypoints, 2) x and y of each map's highest cell, or -1.
        blur_cells: width of the blur, odd.
    """
    empty = (maps.amax((-2, -1), keepdim=True) == 0) & (maps.amin((-2, -1), keepdim=True) == 0)
    smooth = blurred(maps, blur_cells, (-2, -1)).masked_fill(empty, torch.nan)
    log = torch.nn.functional.pad(smooth.clamp(*REFERENCE_RANGE).log(), (1, 1, 1, 1), mode="replicate")
    row, size = log.shape[-1], log[0, 0].numel()
    place = cell[..., 0] + 1 + (cell[..., 1] + 1) * row + size * torch.arange(log.shape[1], device=log.device)
    flat = log.flatten(1)

    def at(dx: int, dy: int) -> Tensor:
        return flat.gather(-1, (place + dx + dy * row) % flat.shape[-1])

    xx, yy = at(1, 0) - 2 * at(0, 0) + at(-1, 0), at(0, 1) - 2 * at(0, 0) + at(0, -1)
    corners = at(1, 1) - at(1, 0) - at(0, 1) + at(0, 0)
    xy = (corners + at(0, 0) - at(-1, 0) - at(0, -1) + at(-1, -1)) / 2
    gradient = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    return newton_step(*gradient, xx + EPSILON, yy + EPSILON, xy, where=torch.ones_like(xx, dtype=torch.bool))


def reference_vector_offset(vectors: Tensor, bins: Tensor, blur_bins: int) -> Tensor:
    """Offset of a vector's peak in bins as mmpose computes it (`refine_simcc_dark`): wild within `blur_bins` / 3 bins.

    Args:
        vectors: (instances, keypoints, bins).
        bins: (instances, keypoints) each vector's highest bin, or -1.
        blur_bins: width of the blur, odd.
    """
    empty = (vectors == 0).all(dim=-1, keepdim=True)
    smooth = blurred(vectors, blur_bins, (-1,)).masked_fill(empty, torch.nan)
    log = torch.nn.functional.pad(smooth.clamp(*REFERENCE_RANGE).log(), (2, 2), mode="replicate")

    def at(step: int) -> Tensor:
        return log.gather(-1, (bins + 2 + step).clamp(0, log.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)

    return -((at(1) - at(-1)) / 2) / (1e-9 + (at(2) - 2 * at(0) + at(-2)) / 4)
