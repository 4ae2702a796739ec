"""Heatmaps without bias (UDP, Huang et al., CVPR 2020): cells reach from the first to the last pixel of the crop."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.dark import BLUR_CELLS, reference_map_offset
from bench.pose.codecs.maps import (
    HeatmapTarget,
    MapCodec,
    Rounding,
    half_squared_difference,
    highest_cell,
    windowed_gaussians,
)
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.codecs.taylor import map_offset
from bench.pose.geometry import Size

__all__ = ["UDPCodec"]


@codec(
    "udp",
    title="UDP heatmap",
    output="maps",
    settings={"sigma": "positive", "window": ("exact", "reference")},
    decoding={"blur_cells": "odd", "border": ("exact", "reference")},
)
class UDPCodec(MapCodec[HeatmapTarget]):
    """UDP heatmaps. Cell i lies at i (w - 1) / (W - 1) px: mirrored maps are maps of mirrored keypoints, not shifted.

    mmpose's loss is twice ours and takes weights once: the same for weights of 0 and 1 but for the factor, which Adam
    does not see. Its decoded coordinates are w / (w - 1) times ours, as its way back to the image divides by w.

    Args:
        input_size: crop height and width in px.
        flip_indices: keypoint permutation of a horizontal flip.
        sigma: standard deviation of the Gaussian, in map cells.
        window: "exact" cuts the Gaussian off at 3 sigma; "reference" as mmpose: see `windowed_gaussians`.
        blur_cells: width of the blur before the Newton step, odd.
        border: "exact" decodes rightly up to the border; "reference" does as mmpose: see `reference_map_offset`.
        flip_shift: makes no difference.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        sigma: float = 2.0,
        window: Rounding = "exact",
        blur_cells: int = BLUR_CELLS,
        border: Literal["exact", "reference"] = "exact",
        flip_shift: FlipShift = "exact",
    ) -> None:
        super().__init__(input_size, flip_indices, shift=0.0)
        del flip_shift
        self.sigma = sigma
        self.window = window
        self.blur_cells = blur_cells
        self.border = border
        sides = ((input_size[1], self.width), (input_size[0], self.height))
        self.step = [(side - 1) / (cells - 1) for side, cells in sides]

    def encode(self, keypoints: Tensor, visible: Tensor) -> HeatmapTarget:
        """Gaussians around the exact keypoint, cut off at 3 sigma around the nearest cell."""
        profiles = []
        for axis, size in ((0, self.width), (1, self.height)):
            center = keypoints[..., axis] / self.step[axis]
            nearest = torch.floor(center + 0.5) if self.window == "exact" else torch.trunc(center + 0.5)
            profiles.append(windowed_gaussians(center, nearest, size, self.sigma, self.window))
        (columns, reach_x), (rows, reach_y) = profiles
        weight = (visible & reach_x & reach_y).float()
        rows = rows * weight.unsqueeze(-1)
        return HeatmapTarget(rows.unsqueeze(-1) * columns.unsqueeze(-2), weight)

    def ideal_output(self, target: HeatmapTarget) -> Tensor:
        """The maps themselves."""
        return target.maps

    def loss(self, output: Tensor, target: HeatmapTarget) -> Tensor:
        """Half the mean squared difference; the divisor counts weightless keypoints too."""
        return half_squared_difference(output, target)

    def decode(self, merged: Tensor) -> Keypoints:
        """The refined maximum in crop px, its value as confidence; (0, 0) where no value is positive.

        mmpose puts such a keypoint at cell (-1, -1).
        """
        confidence, cell = highest_cell(merged)
        positive = (confidence > 0).unsqueeze(-1)
        if self.border == "reference":
            cell = torch.where(positive, cell, -1)
            found = cell + reference_map_offset(merged, cell, self.blur_cells)
        else:
            found = (cell + map_offset(merged, cell, self.blur_cells)) * positive
        return Keypoints(found * found.new_tensor(self.step), confidence)
