"""RLE, residual log-likelihood estimation (Li et al., ICCV 2021): regression that learns how its errors spread."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.points import PointCodec, PointTarget, mirrored
from bench.pose.codecs.realnvp import RealNVP
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.geometry import Size

__all__ = ["RLECodec"]

TINY = 1e-9

CERTAIN = -5.0
"""Logit of the deviation in an ideal output."""


@codec(
    "rle",
    title="RLE",
    output="points",
    values=4,
    settings={
        "distribution": ("laplace", "gaussian"),
        "residual": "flag",
        "likelihood": ("exact", "reference"),
    },
)
class RLECodec(PointCodec):
    """RLE. A network outputs x, y and the logits of their deviations. See `PointCodec` for the other arguments.

    An error e = (output - keypoint) / s of deviation s has density q(e) f(e) / s: a fixed distribution q, corrected by
    f, which a flow learns. The loss is the negative logarithm of that, per instance: sum over keypoints of
    log s_x + log s_y - log q(e_x) - log q(e_y) - log f(e).

    Args:
        distribution: q, "laplace" or "gaussian".
        residual: whether there is a q; without it the flow learns the whole density.
        likelihood: "exact" is the sum above; "reference" what mmpose and the method's authors compute, where f counts
            for each axis, though it is the density of both, and log s once for q and once for f, though their product
            is one density: deviations come out too small.
        flip_shift: see `PointCodec`.

    Attributes:
        loss_module: the flow. Its parameters are trained with the network; decoding does without.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        distribution: Literal["laplace", "gaussian"] = "laplace",
        residual: bool = True,
        likelihood: Literal["exact", "reference"] = "exact",
        flip_shift: FlipShift = "exact",
    ) -> None:
        super().__init__(input_size, flip_indices, flip_shift=flip_shift)
        self.distribution = distribution
        self.residual = residual
        self.flow_terms = 2 if likelihood == "reference" else 1
        self.scale_terms = 2 if likelihood == "reference" and residual else 1
        self.loss_module: nn.Module = RealNVP()

    def ideal_output(self, target: PointTarget) -> Tensor:
        """The fractions themselves, and small deviations."""
        return torch.cat([target.points, torch.full_like(target.points, CERTAIN)], dim=-1)

    def loss(self, output: Tensor, target: PointTarget) -> Tensor:
        """Negative log-likelihood, summed over keypoints and averaged over instances."""
        points, logits = output.chunk(2, dim=-1)
        error = (points - target.points) / (logits.sigmoid() + TINY)
        # The logarithm of a sigmoid is that of a number that may be too small for its type.
        value = self.scale_terms * torch.nn.functional.logsigmoid(logits).sum(dim=-1)
        value = value - self.flow_terms * self.loss_module(error)
        if self.residual:
            value = value + self._fixed(error).sum(dim=-1)
        return (value * target.weight).sum() / len(output)

    def _fixed(self, error: Tensor) -> Tensor:
        """Negative logarithm of the fixed distribution, elementwise."""
        if self.distribution == "laplace":
            return math.log(2) + error.abs()
        return 0.5 * math.log(2 * math.pi) + error**2 / 2

    def merge(self, output: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Fractions and deviations (instances, keypoints, 4), averaged over the two views."""
        view = _deviated(output)
        if flipped is None:
            return view
        return (view + mirrored(_deviated(flipped), self.flip_indices, self.shift)) / 2

    def decode(self, merged: Tensor) -> Keypoints:
        """Coordinates in crop px; the confidence is 1 minus the mean deviation."""
        height, width = self.input_size
        points, deviations = merged.chunk(2, dim=-1)
        return Keypoints(points * points.new_tensor([width, height]), 1 - deviations.mean(dim=-1))


def _deviated(output: Tensor) -> Tensor:
    """Fractions and deviations from fractions and logits, (instances, keypoints, 4)."""
    points, logits = output.chunk(2, dim=-1)
    return torch.cat([points, logits.sigmoid()], dim=-1)
