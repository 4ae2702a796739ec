"""2-D Gaussian heatmaps at a quarter of the input size."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.dark import BLUR_CELLS, dark_offset
from bench.pose.codecs.maps import (
    STRIDE,
    HeatmapTarget,
    MapCodec,
    Rounding,
    gaussians,
    half_squared_difference,
    highest_cell,
    windowed_gaussians,
)
from bench.pose.codecs.representation import FlipShift, PostProcess, codec
from bench.pose.geometry import Size

__all__ = ["HeatmapCodec"]

FLIP_SHIFT = 1.0
"""Cells by which the flipped map moves to the right before averaging (behaviour E1)."""


@codec(
    "heatmap",
    title="heatmap",
    output="maps",
    settings=("sigma", "heatmap_center", "weight_bounds"),
    decoding={"post_process": ("none", "quarter", "dark"), "blur_cells": "odd"},
)
class HeatmapCodec(MapCodec[HeatmapTarget]):
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
        blur_cells: width of the blur before DARK's Newton step, odd; it has no effect on the others.
        flip_shift: "none" leaves the flipped map in place, otherwise it moves one cell to the right before averaging.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        sigma: float,
        heatmap_center: Literal["rounded", "exact"] = "rounded",
        weight_bounds: Rounding = "reference",
        post_process: PostProcess = "quarter",
        blur_cells: int = BLUR_CELLS,
        flip_shift: FlipShift = "reference",
    ) -> None:
        super().__init__(input_size, flip_indices, shift=0.0 if flip_shift == "none" else FLIP_SHIFT)
        self.sigma = sigma
        self.heatmap_center = heatmap_center
        self.weight_bounds = weight_bounds
        self.post_process = post_process
        self.blur_cells = blur_cells

    def encode(self, keypoints: Tensor, visible: Tensor) -> HeatmapTarget:
        """Gaussians of peak 1 around the nearest cell, cut off at 3 sigma (behaviour D20, D21), or the keypoint."""
        (columns, reach_x), (rows, reach_y) = (
            self._profile(center, size)
            for center, size in zip((keypoints / STRIDE).unbind(-1), (self.width, self.height), strict=True)
        )
        weight = (visible & reach_x & reach_y).float()
        rows = rows * weight.unsqueeze(-1)
        # The maps are by far the largest: they are written once, in their final type.
        return HeatmapTarget(rows.unsqueeze(-1) * columns.unsqueeze(-2), weight)

    def _profile(self, center: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Gaussians (instances, keypoints, size) along an axis around centers in cells, and whether they reach it."""
        if self.heatmap_center == "rounded":
            nearest = torch.trunc(center + 0.5)
            return windowed_gaussians(nearest, nearest, size, self.sigma, self.weight_bounds)
        reach, first = 3 * self.sigma, 1 if self.weight_bounds == "exact" else 0
        reaches = (center - reach < size) & (center + reach + 1 >= first)
        return gaussians(center, size, self.sigma).float(), reaches

    def ideal_output(self, target: HeatmapTarget) -> Tensor:
        """The maps themselves."""
        return target.maps

    def loss(self, output: Tensor, target: HeatmapTarget) -> Tensor:
        """Half the mean squared difference; the divisor counts weightless keypoints too (behaviour T11)."""
        return half_squared_difference(output, target)

    def decode(self, merged: Tensor) -> Keypoints:
        """Position of the maximum in crop px, its value as confidence; (0, 0) where no value is positive (E6)."""
        confidence, cell = highest_cell(merged)
        cell = cell * (confidence > 0).unsqueeze(-1)
        return Keypoints((cell + self._offset(merged, cell)) * float(STRIDE), confidence)

    def _offset(self, maps: Tensor, cell: Tensor) -> Tensor | int:
        """Offset of the refined peak from the highest cell, in cells (instances, keypoints, 2)."""
        if self.post_process == "dark":
            return dark_offset(maps, cell, self.blur_cells)
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
