"""SimDR: the bin of each coordinate as a class, trained with label smoothing."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Keypoints, peak, vector_like
from bench.pose.codecs.coordinate import CoordinateCodec, CoordinateRefinement, mean, softmax
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.geometry import Size
from bench.pose.outputs import Coordinates

__all__ = ["SimDRCodec", "SimDRTarget", "smoothed_divergence"]


CERTAIN = 50.0
"""Logit of the right bin in an ideal output, where all others have 0."""


class SimDRTarget(NamedTuple):
    """Bins (instances, keypoints, 2) of x and y, int64, and keypoint weights (instances, keypoints)."""

    bins: Tensor
    weight: Tensor


@codec(
    "simdr",
    title="SimDR",
    output="coordinates",
    settings=("split_ratio", "label_smoothing", "loss_reduction"),
    decoding={"post_process": ("none", "dark")},
)
class SimDRCodec(CoordinateCodec[SimDRTarget]):
    """SimDR. See `CoordinateCodec` for the arguments not listed here.

    Args:
        label_smoothing: probability mass spread over the other bins; 0 gives plain cross entropy.
        loss_reduction: "sum" adds over bins and keypoints and divides by instances (the reference's NMTCritierion, T7);
            "mean" averages over bins, keypoints and instances (NMTNORMCritierion, T8).
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        split_ratio: float,
        label_smoothing: float = 0.1,
        loss_reduction: Literal["sum", "mean"] = "sum",
        flip_shift: FlipShift = "reference",
        post_process: CoordinateRefinement = "none",
    ) -> None:
        super().__init__(
            input_size, flip_indices, split_ratio=split_ratio, flip_shift=flip_shift, post_process=post_process
        )
        self.label_smoothing = label_smoothing
        self.loss_reduction = loss_reduction

    def encode(self, keypoints: Tensor, visible: Tensor) -> SimDRTarget:
        """Nearest bins, ties to even; a keypoint whose bin lies outside loses its weight (behaviour D23)."""
        bins = torch.round(keypoints * self.split_ratio).long()
        last = vector_like(bins, self.bins) - 1
        inside = ((bins >= 0) & (bins <= last)).all(dim=-1)
        return SimDRTarget(bins.clamp(min=torch.zeros_like(last), max=last), (visible & inside).float())

    def ideal_output(self, target: SimDRTarget) -> Coordinates:
        """Logits that are certain of the class: how a smoothed one would be spread does not move its peak."""
        x, y = (torch.nn.functional.one_hot(target.bins[..., axis], self.bins[axis]) for axis in (0, 1))
        return Coordinates(x * CERTAIN, y * CERTAIN)

    def loss(self, output: Coordinates, target: SimDRTarget) -> Tensor:
        """Divergence of the predicted distributions from the smoothed classes, over both axes."""
        instances, keypoints = target.weight.shape
        total = output.x.new_zeros(())
        for logits, bins in zip(output, target.bins.unbind(-1), strict=True):
            divergence = smoothed_divergence(logits, bins, self.label_smoothing) * target.weight
            count = instances if self.loss_reduction == "sum" else instances * keypoints * logits.shape[-1]
            total = total + divergence.sum() / count
        return total

    def merge(self, output: Coordinates, flipped: Coordinates | None = None) -> Coordinates:
        """Probabilities (instances, keypoints, bins) of both axes, averaged over the two views."""
        view = softmax(output)
        return view if flipped is None else mean(view, softmax(self.unflip(flipped)))

    def decode(self, merged: Coordinates) -> Keypoints:
        """The likeliest bin of each axis in crop px; the larger of the two peaks is the confidence (behaviour E4)."""
        (peak_x, x), (peak_y, y) = peak(merged.x), peak(merged.y)
        return Keypoints(self.located((x, y), merged), torch.maximum(peak_x, peak_y))


def smoothed_divergence(logits: Tensor, classes: Tensor, smoothing: float) -> Tensor:
    """Kullback-Leibler divergence from the smoothed one-hot target to the softmax of the logits, summed over classes.

    The target has `1 - smoothing` on the class and `smoothing / (classes - 1)` on each other one. It is never built:
    the divergence needs only the class's log probability and the sum of all.

    Args:
        logits: (..., classes).
        classes: (...) int64.
        smoothing: 0 <= smoothing < 1.
    """
    log_p = logits.log_softmax(dim=-1)
    on = log_p.gather(-1, classes.unsqueeze(-1)).squeeze(-1)
    if not smoothing:
        return -on
    rest = smoothing / (logits.shape[-1] - 1)
    negative_entropy = (1 - smoothing) * math.log(1 - smoothing) + smoothing * math.log(rest)
    return negative_entropy - (1 - smoothing - rest) * on - rest * log_p.sum(dim=-1)
