"""2-D Gaussian heatmaps at a quarter of the input size."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec, Keypoints, peak, shift_right
from bench.pose.codecs.dark import dark_offset
from bench.pose.codecs.representation import FlipShift, PostProcess, codec
from bench.pose.geometry import Size
from bench.pose.precision import copy_to

__all__ = ["STRIDE", "HeatmapCodec", "HeatmapTarget"]

STRIDE = 4
"""Input px per heatmap cell."""

FLIP_SHIFT = 1.0
"""Cells by which the flipped map moves to the right before averaging (behaviour E1)."""


class HeatmapTarget(NamedTuple):
    """Maps (instances, keypoints, height / 4, width / 4) and keypoint weights (instances, keypoints)."""

    maps: Tensor
    weight: Tensor


@codec(
    "heatmap",
    title="heatmap",
    output="maps",
    settings=("sigma", "heatmap_center", "weight_bounds"),
    decoding=("post_process",),
)
class HeatmapCodec(Codec[Tensor, HeatmapTarget]):
    """Heatmaps with mean-squared-error loss and argmax decoding.

    Args:
        input_size: crop height and width in px.
        flip_indices: keypoint permutation of a horizontal flip.
        sigma: standard deviation of the Gaussian, in map cells.
        heatmap_center: "rounded" puts the Gaussian on the nearest cell (D20), "exact" on the keypoint, as DARK encodes.
        weight_bounds: "reference" keeps the weight of keypoints whose Gaussian ends just left of or above the map
            (D21), "exact" drops them.
        post_process: "quarter" shifts each peak a quarter cell towards its higher neighbor (the reference's "extra
            post-processing", E7), "dark" by a Newton step (TokenPose's), "none" not at all.
        flip_shift: "none" leaves the flipped map in place, otherwise it moves one cell to the right before averaging.

    Attributes:
        shift: cells by which the flipped map moves to the right.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        sigma: float,
        heatmap_center: Literal["rounded", "exact"] = "rounded",
        weight_bounds: Literal["reference", "exact"] = "reference",
        post_process: PostProcess = "quarter",
        flip_shift: FlipShift = "reference",
    ) -> None:
        self.height, self.width = input_size[0] // STRIDE, input_size[1] // STRIDE
        self.flip_indices = list(flip_indices)
        self.sigma = sigma
        self.heatmap_center = heatmap_center
        self.weight_bounds = weight_bounds
        self.post_process = post_process
        self.shift = 0.0 if flip_shift == "none" else FLIP_SHIFT

    def encode(self, keypoints: Tensor, visible: Tensor) -> HeatmapTarget:
        """Gaussians of peak 1 around the nearest cell, cut off at 3 sigma (behaviour D20, D21), or the keypoint."""
        rounded = torch.trunc(keypoints / STRIDE + 0.5)
        reach = 3 * self.sigma
        limit = rounded.new_tensor([self.width, self.height])
        first = 1 if self.weight_bounds == "exact" else 0
        inside = ((rounded - reach < limit) & (rounded + reach + 1 >= first)).all(dim=-1)
        weight = (visible & inside).float()
        center = rounded if self.heatmap_center == "rounded" else keypoints / STRIDE
        columns = self._profile(center[..., 0], self.width)
        rows = self._profile(center[..., 1], self.height) * weight.unsqueeze(-1)
        # The maps are by far the largest: they are written once, in their final type.
        return HeatmapTarget(rows.unsqueeze(-1) * columns.unsqueeze(-2), weight)

    def _profile(self, center: Tensor, size: int) -> Tensor:
        """Gaussians (instances, keypoints, size) along an axis, around centers (instances, keypoints) in cells."""
        distance = torch.arange(size, device=center.device) - center.unsqueeze(-1)
        profile = torch.exp(-(distance**2) / (2 * self.sigma**2)).float()
        if self.heatmap_center == "exact":
            return profile
        return torch.where(distance.abs() <= 3 * self.sigma, profile, 0)

    def ideal_output(self, target: HeatmapTarget) -> Tensor:
        """The maps themselves."""
        return target.maps

    def loss(self, output: Tensor, target: HeatmapTarget) -> Tensor:
        """Half the mean squared difference; the divisor counts weightless keypoints too (behaviour T11)."""
        weight = target.weight[..., None, None]
        return 0.5 * torch.nn.functional.mse_loss(output * weight, target.maps * weight)

    def merge(self, output: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Mean of the map and the unflipped map of the flipped view (behaviour E1)."""
        if flipped is None:
            return output
        order = copy_to(flipped.device, torch.tensor(self.flip_indices))
        restored = shift_right(flipped.index_select(1, order).flip(-1), self.shift)
        return restored.add_(output).mul_(0.5)  # the maps are large: the fewer of them, the more stay in the cache

    def decode(self, merged: Tensor) -> Keypoints:
        """Position of the maximum in crop px, its value as confidence; (0, 0) where no value is positive (E6)."""
        confidence, index = peak(merged.flatten(2))
        cell = torch.stack([index % self.width, index // self.width], dim=-1)
        cell = cell * (confidence > 0).unsqueeze(-1)
        return Keypoints((cell + self._offset(merged, cell)) * float(STRIDE), confidence)

    def _offset(self, maps: Tensor, cell: Tensor) -> Tensor | int:
        """Offset of the refined peak from the highest cell, in cells (instances, keypoints, 2)."""
        if self.post_process == "dark":
            return dark_offset(maps, cell)
        return self._quarter_offset(maps, cell) if self.post_process == "quarter" else 0

    def _quarter_offset(self, maps: Tensor, cell: Tensor) -> Tensor:
        """0.25 cells towards the higher neighbor, away from the border only (behaviour E7)."""
        x, y = cell.unbind(-1)
        inner = (x > 1) & (x < self.width - 1) & (y > 1) & (y < self.height - 1)
        flat = maps.flatten(2)
        center = (y * self.width + x).clamp(self.width, self.width * (self.height - 1) - 1)

        def difference(step: int) -> Tensor:
            ahead = flat.gather(-1, (center + step).unsqueeze(-1))
            behind = flat.gather(-1, (center - step).unsqueeze(-1))
            return (ahead - behind).squeeze(-1)

        slope = torch.stack([difference(1), difference(self.width)], dim=-1)
        return 0.25 * slope.sign() * inner.unsqueeze(-1)
