"""Parts that representations by maps share: a map per keypoint at a quarter of the input size."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec, peak, shift_right
from bench.pose.geometry import Size
from bench.pose.precision import copy_to

__all__ = [
    "STRIDE",
    "HeatmapTarget",
    "MapCodec",
    "Rounding",
    "gaussians",
    "half_squared_difference",
    "highest_cell",
    "windowed_gaussians",
]

STRIDE = 4
"""Input px per map cell."""

Rounding = Literal["reference", "exact"]
"""Whether windows of Gaussians end where public implementations end them, or at 3 sigma."""

TargetT = TypeVar("TargetT")


class HeatmapTarget(NamedTuple):
    """Maps (instances, keypoints, height / 4, width / 4) and keypoint weights (instances, keypoints)."""

    maps: Tensor
    weight: Tensor


class MapCodec(Codec[Tensor, TargetT]):
    """A map per keypoint.

    Args:
        input_size: crop height and width in px.
        flip_indices: keypoint permutation of a horizontal flip.
        shift: cells by which the map of the flipped image moves to the right before it is averaged.
    """

    def __init__(self, input_size: Size, flip_indices: tuple[int, ...], *, shift: float) -> None:
        self.input_size = input_size
        self.height, self.width = input_size[0] // STRIDE, input_size[1] // STRIDE
        self.flip_indices = list(flip_indices)
        self.shift = shift

    def merge(self, output: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Mean of the map and the unflipped map of the flipped view (behaviour E1)."""
        if flipped is None:
            return output
        order = copy_to(flipped.device, torch.tensor(self.flip_indices))
        restored = shift_right(flipped.index_select(1, order).flip(-1), self.shift)
        return restored.add_(output).mul_(0.5)  # the maps are large: the fewer of them, the more stay in the cache


def gaussians(center: Tensor, size: int, sigma: float) -> Tensor:
    """Gaussians of peak 1 (instances, keypoints, size) along an axis; centers (instances, keypoints) in cells."""
    distance = torch.arange(size, device=center.device) - center.unsqueeze(-1)
    return torch.exp(-(distance**2) / (2 * sigma**2))


def windowed_gaussians(
    center: Tensor, nearest: Tensor, size: int, sigma: float, rounding: Rounding
) -> tuple[Tensor, Tensor]:
    """Gaussians along an axis, cut off at 3 sigma around the nearest cell, and whether that window reaches the axis.

    Args:
        center: (instances, keypoints) in cells.
        nearest: (instances, keypoints) nearest cells.
        size: cells of the axis.
        sigma: standard deviation in cells.
        rounding: "reference" rounds the window's ends towards zero, as public implementations do: it still counts as
            reached one cell too far left, and if 3 sigma is no whole number, Gaussians there lie a cell off.

    Returns:
        Gaussians (instances, keypoints, size) in float32, and bools (instances, keypoints).
    """
    reach = 3 * sigma
    if rounding == "exact":
        first, end = torch.ceil(nearest - reach), torch.floor(nearest + reach) + 1
        reaches = (first < size) & (end > 0)
    else:
        first, end = torch.trunc(nearest - reach), torch.trunc(nearest + reach + 1)
        reaches = (first < size) & (end >= 0)
        center = first + (2 * reach + 1) // 2 + center - nearest
    cells = torch.arange(size, device=center.device)
    inside = (cells >= first.unsqueeze(-1)) & (cells < end.unsqueeze(-1))
    return torch.where(inside, gaussians(center, size, sigma), 0).float(), reaches


def half_squared_difference(output: Tensor, target: HeatmapTarget) -> Tensor:
    """Half the mean squared difference; the divisor counts weightless keypoints too (behaviour T11)."""
    weight = target.weight[..., None, None]
    return 0.5 * torch.nn.functional.mse_loss(output * weight, target.maps * weight)


def highest_cell(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Values (instances, keypoints) and places (instances, keypoints, 2) x and y of each map's maximum, the first."""
    confidence, index = peak(maps.flatten(2))
    return confidence, torch.stack([index % maps.shape[-1], index // maps.shape[-1]], dim=-1)
