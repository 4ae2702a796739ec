"""SimDR* (space-aware SimDR): a Gaussian over the bins of each coordinate instead of one class."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Keypoints, peak, vector_like
from bench.pose.codecs.coordinate import CoordinateCodec, CoordinateRefinement, blur_bins, mean, softmax
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.geometry import Size
from bench.pose.outputs import Coordinates

__all__ = ["SimDRStarCodec", "SimDRStarTarget"]


class SimDRStarTarget(NamedTuple):
    """Densities (instances, keypoints, bins) of x and y, and keypoint weights (instances, keypoints)."""

    x: Tensor
    y: Tensor
    weight: Tensor


@codec(
    "simdr_star",
    title="SimDR*",
    output="coordinates",
    settings=("split_ratio", "sigma", "weight_bounds"),
    decoding={"post_process": ("none", "dark")},
)
class SimDRStarCodec(CoordinateCodec[SimDRStarTarget]):
    """SimDR*. See `CoordinateCodec` for the arguments not listed here.

    Args:
        sigma: standard deviation of the Gaussian, in bins.
        weight_bounds: "reference" keeps the weight of keypoints up to 3 sigma *px* outside the crop, though sigma is in
            bins (behaviour D24); "exact" keeps it where the Gaussian, cut off at 3 sigma bins, reaches a bin.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        split_ratio: float,
        sigma: float,
        weight_bounds: Literal["reference", "exact"] = "reference",
        flip_shift: FlipShift = "reference",
        post_process: CoordinateRefinement = "none",
    ) -> None:
        super().__init__(
            input_size, flip_indices, split_ratio=split_ratio, flip_shift=flip_shift, post_process=post_process
        )
        self.blur = (blur_bins(sigma), blur_bins(sigma))
        self.sigma = sigma
        self.weight_bounds = weight_bounds

    def encode(self, keypoints: Tensor, visible: Tensor) -> SimDRStarTarget:
        """Normal densities around the exact coordinate, not renormalized at the borders (behaviour D25)."""
        weight = (visible & self._within_reach(keypoints)).float()
        center = keypoints * self.split_ratio
        x, y = (self._density(center[..., axis], self.bins[axis]) * weight.unsqueeze(-1) for axis in (0, 1))
        return SimDRStarTarget(x.float(), y.float(), weight)

    def _within_reach(self, keypoints: Tensor) -> Tensor:
        """Whether each keypoint keeps its weight, (instances, keypoints)."""
        exact = self.weight_bounds == "exact"
        unit = self.split_ratio if exact else 1.0
        center = keypoints * unit
        limit = vector_like(center, self.input_size[::-1]) * unit
        reach = 3 * self.sigma
        # Truncation towards zero, as in the reference, keeps a keypoint whose last cell ends just outside.
        first, end = torch.trunc(center - reach), torch.trunc(center + reach + 1)
        return ((first < limit) & (end >= (1 if exact else 0))).all(dim=-1)

    def _density(self, center: Tensor, bins: int) -> Tensor:
        """Normal densities (instances, keypoints, bins) around centers (instances, keypoints) in bins."""
        distance = torch.arange(bins, device=center.device) - center.unsqueeze(-1)
        return torch.exp(-(distance**2) / (2 * self.sigma**2)) / (self.sigma * math.sqrt(2 * math.pi))

    def ideal_output(self, target: SimDRStarTarget) -> Coordinates:
        """Logits of the densities."""
        tiny = torch.finfo(target.x.dtype).tiny
        return Coordinates(target.x.clamp(min=tiny).log(), target.y.clamp(min=tiny).log())

    def loss(self, output: Coordinates, target: SimDRStarTarget) -> Tensor:
        """Kullback-Leibler divergence, averaged over bins, keypoints and instances, both axes added (behaviour T8)."""
        total = output.x.new_zeros(())
        for logits, density in ((output.x, target.x), (output.y, target.y)):
            divergence = torch.nn.functional.kl_div(logits.log_softmax(-1), density, reduction="none")
            total = total + (divergence * target.weight.unsqueeze(-1)).mean()
        return total

    def merge(self, output: Coordinates, flipped: Coordinates | None = None) -> Coordinates:
        """Logits (instances, keypoints, bins) of both axes, averaged over the two views."""
        return output if flipped is None else mean(output, self.unflip(flipped))

    def decode(self, merged: Coordinates) -> Keypoints:
        """The likeliest bin of each axis in crop px; the smaller of the two peaks is the confidence (behaviour E4)."""
        probabilities = softmax(merged)
        (peak_x, x), (peak_y, y) = peak(probabilities.x), peak(probabilities.y)
        return Keypoints(self.located((x, y), probabilities), torch.minimum(peak_x, peak_y))
