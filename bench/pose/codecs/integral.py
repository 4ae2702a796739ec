"""Soft-argmax of maps: the keypoint is the mean of a map's distribution (integral regression, DSNT, debiased)."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Keypoints, vector_like
from bench.pose.codecs.maps import STRIDE, MapCodec, gaussians, windowed_gaussians
from bench.pose.codecs.points import CoordinateLoss, PointTarget, fractions, mirrored, weighted_error
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.geometry import Size

__all__ = ["IntegralCodec", "IntegralTarget"]

MAX_BACKGROUND = 0.5
"""Largest share of a map that is taken for background: a map without any peak has no place to correct."""


class IntegralTarget(NamedTuple):
    """Fractions of width and height (instances, keypoints, 2), keypoint weights, and maps that sum to 1."""

    points: Tensor
    weight: Tensor
    maps: Tensor


@codec(
    "integral",
    title="soft-argmax",
    output="maps",
    settings={
        "beta": "positive",
        "sigma": "positive",
        "coordinate_loss": ("l1", "smooth_l1"),
        "map_loss": ("divergence", "squared", "none"),
        "debias": ("none", "exact", "reference"),
        "grid": ("exact", "reference"),
        "heatmap_center": ("exact", "rounded"),
    },
)
class IntegralCodec(MapCodec[IntegralTarget]):
    """Soft-argmax of maps: the mean place under the softmax of `beta` times the map.

    Args:
        input_size: crop height and width in px.
        flip_indices: keypoint permutation of a horizontal flip.
        beta: factor of the maps before the softmax.
        sigma: standard deviation in cells of the Gaussian that the distributions are compared with.
        coordinate_loss: of the mean places: "l1", or "smooth_l1" as mmpose, half the square of such small errors.
        map_loss: of the distributions: "divergence" (Jensen-Shannon, DSNT), "squared", or "none" (plain).
        debias: takes out what zero logits pull towards the center: "exact" their share, one per cell; "reference" as
            mmpose: a single one, of the map without beta, towards 1 / 2 (wherever it is); "none".
        grid: "exact" puts the first and last cells on the first and last pixels; "reference" puts cell i at 4 i px, as
            heatmaps do: the last 3 px cannot be reached and a map's center is not the crop's.
        heatmap_center: "exact" puts the Gaussian on the keypoint, "rounded" on the nearest cell.
        flip_shift: "none" mirrors x as 1 - x; otherwise as 1 - 1 / w - x, which is where flipping puts the pixel.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        beta: float = 1.0,
        sigma: float = 2.0,
        coordinate_loss: CoordinateLoss = "l1",
        map_loss: Literal["divergence", "squared", "none"] = "divergence",
        debias: Literal["exact", "reference", "none"] = "none",
        grid: Literal["exact", "reference"] = "exact",
        heatmap_center: Literal["exact", "rounded"] = "exact",
        flip_shift: FlipShift = "exact",
    ) -> None:
        super().__init__(input_size, flip_indices, shift=0.0)
        self.mirror_shift = 0.0 if flip_shift == "none" else 1 / input_size[1]
        self.beta, self.sigma = beta, sigma
        self.coordinate_loss, self.map_loss = coordinate_loss, map_loss
        self.debias = debias
        self.heatmap_center = heatmap_center
        sides = ((input_size[1], self.width), (input_size[0], self.height))
        self.steps = [STRIDE if grid == "reference" else (side - 1) / (cells - 1) for side, cells in sides]

    def encode(self, keypoints: Tensor, visible: Tensor) -> IntegralTarget:
        """Fractions of the input's size, and Gaussians that sum to 1; a keypoint outside the crop has no weight."""
        points, weight = fractions(keypoints, visible, self.input_size)
        cells = torch.where(weight.unsqueeze(-1) > 0, keypoints, 0) / vector_like(keypoints, self.steps)
        columns, rows = (
            self._profile(center, size)
            for center, size in zip(cells.unbind(-1), (self.width, self.height), strict=True)
        )
        return IntegralTarget(points, weight, rows.unsqueeze(-1) * columns.unsqueeze(-2))

    def _profile(self, center: Tensor, size: int) -> Tensor:
        """Gaussians (instances, keypoints, size) that sum to 1 around centers (instances, keypoints) in cells."""
        if self.heatmap_center == "rounded":
            nearest = torch.trunc(center + 0.5)
            profile, _ = windowed_gaussians(nearest, nearest, size, self.sigma, "exact")
        else:
            profile = gaussians(center, size, self.sigma)
        return (profile / profile.sum(dim=-1, keepdim=True)).float()

    def ideal_output(self, target: IntegralTarget) -> Tensor:
        """Logits of the maps, 0 in the background."""
        tiny = torch.finfo(target.maps.dtype).tiny
        return (target.maps.clamp(min=tiny).log() - math.log(tiny)) / self.beta

    def loss(self, output: Tensor, target: IntegralTarget) -> Tensor:
        """Error of the mean places, averaged over keypoints and axes, and of the distributions, summed over cells.

        The divergence is added over keypoints, not averaged, as in mmpose.
        """
        places = PointTarget(target.points, target.weight)
        total = weighted_error(self._points(output), places, self.coordinate_loss)
        if self.map_loss == "none":
            return total
        log_p = (self.beta * output).flatten(2).log_softmax(dim=-1)
        maps, weight = target.maps.flatten(2), target.weight.unsqueeze(-1)
        if self.map_loss == "squared":
            return total + (weight * (log_p.exp() - maps) ** 2).mean()
        return total + (weight * jensen_shannon(log_p, maps)).sum() / len(output)

    def _points(self, maps: Tensor) -> Tensor:
        """Mean places (instances, keypoints, 2) as fractions of the input's width and height."""
        p = (self.beta * maps).flatten(2).softmax(dim=-1).view(maps.shape)
        grids = [
            maps.new_full((), step / side) * torch.arange(cells, device=maps.device, dtype=maps.dtype)
            for step, side, cells in zip(self.steps, self.input_size[::-1], (self.width, self.height), strict=True)
        ]
        points = torch.stack([p.sum(dim=-2) @ grids[0], p.sum(dim=-1) @ grids[1]], dim=-1)
        if self.debias == "none":
            return points
        if self.debias == "reference":
            background, center = torch.exp(-maps.flatten(2).logsumexp(dim=-1)), points.new_full((2,), 0.5)
        else:
            log_share = math.log(self.width * self.height) - (self.beta * maps).flatten(2).logsumexp(dim=-1)
            background, center = log_share.exp().clamp(max=MAX_BACKGROUND), torch.stack([g.mean() for g in grids])
        background = background.unsqueeze(-1)
        return (points - background * center) / (1 - background)

    def merge(self, output: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Mean places (instances, keypoints, 2) as fractions, averaged over the two views."""
        points = self._points(output)
        if flipped is None:
            return points
        return (points + mirrored(self._points(flipped), self.flip_indices, self.mirror_shift)) / 2

    def decode(self, merged: Tensor) -> Keypoints:
        """Coordinates in crop px; the confidence is always 1, as in mmpose."""
        height, width = self.input_size
        return Keypoints(merged * merged.new_tensor([width, height]), merged.new_ones(merged.shape[:2]))


def jensen_shannon(log_p: Tensor, q: Tensor) -> Tensor:
    """Terms of the Jensen-Shannon divergence of two distributions, with gradients that are finite where p or q is 0.

    Args:
        log_p: (..., cells) logarithm of one.
        q: (..., cells) the other.
    """
    p = log_p.exp()
    log_m = ((p + q) / 2).clamp(min=torch.finfo(q.dtype).tiny).log()
    log_q = q.clamp(min=torch.finfo(q.dtype).tiny).log()
    return (p * (log_p - log_m) + q * (log_q - log_m)) / 2
