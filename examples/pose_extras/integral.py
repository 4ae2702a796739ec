"""Keypoints as the means of two distributions (Sun et al., ECCV 2018, brought to SimDR's vectors)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec, Keypoints
from bench.pose.codecs.coordinate import softmax
from bench.pose.models.heads import Coordinates


class IntegralTarget(NamedTuple):
    """Keypoints (instances, keypoints, 2) in crop px and their weights (instances, keypoints)."""

    keypoints: Tensor
    weight: Tensor


class IntegralCodec(Codec[Coordinates, IntegralTarget]):
    """Distributions over bins of 1 / `split_ratio` px; bin i stands for the coordinate i / `split_ratio`."""

    def __init__(self, input_size: tuple[int, int], flip_indices: tuple[int, ...], *, split_ratio: float) -> None:
        self.size = (input_size[1], input_size[0])
        self.flip_indices = list(flip_indices)
        self.split_ratio = split_ratio

    def encode(self, keypoints: Tensor, visible: Tensor) -> IntegralTarget:
        """The keypoints themselves; those outside of the crop have no weight, as no mean can lie there."""
        inside = ((keypoints >= 0) & (keypoints <= keypoints.new_tensor(self.size) - 1)).all(dim=-1)
        return IntegralTarget(keypoints.float(), (visible & inside).float())

    def loss(self, output: Coordinates, target: IntegralTarget) -> Tensor:
        """Mean distance along the axes, in px; keypoints without weight count as right.

        A mean over instances, whatever each has of keypoints: processes that share a batch find the same then.
        """
        distance = (self._means(softmax(output)) - target.keypoints).abs().sum(dim=-1)
        return (distance * target.weight).mean()

    def merge(self, output: Coordinates, flipped: Coordinates | None = None) -> Coordinates:
        """Distributions, averaged with those of the flipped view: its bin 0 stands for the crop's last px column."""
        view = softmax(output)
        if flipped is None:
            return view
        x, y = (axis.index_select(1, torch.tensor(self.flip_indices, device=axis.device)) for axis in softmax(flipped))
        # Column c of the crop is column W - 1 - c of the flipped one: bins turn around W - 1 px, not around the last
        # bin, so that those beyond the last column wrap to where they were never likely.
        x = x.flip(-1).roll(round(1 - self.split_ratio), dims=-1)
        return Coordinates((view.x + x) / 2, (view.y + y) / 2)

    def decode(self, merged: Coordinates) -> Keypoints:
        """Means in crop px; the confidence is the larger of the two peaks, as SimDR's."""
        peaks = torch.maximum(merged.x.amax(dim=-1), merged.y.amax(dim=-1))
        return Keypoints(self._means(merged), peaks)

    def _means(self, distributions: Coordinates) -> Tensor:
        axes = [axis @ torch.arange(axis.shape[-1], device=axis.device).to(axis) for axis in distributions]
        return torch.stack(axes, dim=-1) / self.split_ratio
