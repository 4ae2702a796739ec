"""The representation `mean_of_bins`: keypoints as means of SimDR's distributions (as Sun et al., ECCV 2018)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bench.extend import codec
from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.coordinate import CoordinateCodec, mean, softmax
from bench.pose.outputs import Coordinates


class IntegralTarget(NamedTuple):
    """Keypoints (instances, keypoints, 2) in crop px and their weights (instances, keypoints)."""

    keypoints: Tensor
    weight: Tensor


@codec("mean_of_bins", output="coordinates", title="mean of bins")
class IntegralCodec(CoordinateCodec[IntegralTarget]):
    """The mean of SimDR's distributions rather than their peak, trained by its distance from the keypoint."""

    def encode(self, keypoints: Tensor, visible: Tensor) -> IntegralTarget:
        """The keypoints themselves; those outside the crop have no weight, because no mean can lie there."""
        last = keypoints.new_tensor((self.input_size[1], self.input_size[0])) - 1
        inside = ((keypoints >= 0) & (keypoints <= last)).all(dim=-1)
        return IntegralTarget(keypoints.float(), (visible & inside).float())

    def loss(self, output: Coordinates, target: IntegralTarget) -> Tensor:
        """Mean distance along the axes, in px; keypoints without weight count as right.

        The divisor is the number of instances, however many keypoints each has, so that processes that share a batch
        find the same gradients.
        """
        distance = (self._means(softmax(output)) - target.keypoints).abs().sum(dim=-1)
        return (distance * target.weight).mean()

    def merge(self, output: Coordinates, flipped: Coordinates | None = None) -> Coordinates:
        """Distributions (instances, keypoints, bins) of both axes, averaged over the two views."""
        view = softmax(output)
        return view if flipped is None else mean(view, softmax(self.unflip(flipped)))

    def decode(self, merged: Coordinates) -> Keypoints:
        """Means in crop px; the larger of the two peaks is the confidence, as in SimDR."""
        peaks = torch.maximum(merged.x.amax(dim=-1), merged.y.amax(dim=-1))
        return Keypoints(self._means(merged), peaks)

    def _means(self, distributions: Coordinates) -> Tensor:
        """Means (instances, keypoints, 2) of both axes in crop px."""
        axes = [axis @ torch.arange(axis.shape[-1], device=axis.device).to(axis) for axis in distributions]
        return torch.stack(axes, dim=-1) / self.split_ratio
