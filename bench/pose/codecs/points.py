"""Parts that representations by numbers share: a keypoint is a fraction of the input's width and one of its height."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec, vector_like
from bench.pose.codecs.representation import FlipShift
from bench.pose.geometry import Size
from bench.pose.precision import copy_to

__all__ = ["CoordinateLoss", "PointCodec", "PointTarget", "fractions", "mirrored", "weighted_error"]

CoordinateLoss = Literal["l1", "smooth_l1"]
"""Absolute error; or half its square below 1, which is all that fractions ever reach."""


class PointTarget(NamedTuple):
    """Fractions (instances, keypoints, 2) of width and height, and keypoint weights (instances, keypoints)."""

    points: Tensor
    weight: Tensor


class PointCodec(Codec[Tensor, PointTarget]):
    """Numbers per keypoint (instances, keypoints, values), the first two of them fractions of width and height.

    Args:
        input_size: crop height and width in px.
        flip_indices: keypoint permutation of a horizontal flip.
        flip_shift: "none" mirrors x as 1 - x; otherwise as 1 - 1 / w - x, which is where flipping puts the pixel.
    """

    def __init__(self, input_size: Size, flip_indices: tuple[int, ...], *, flip_shift: FlipShift) -> None:
        self.input_size = input_size
        self.flip_indices = list(flip_indices)
        self.shift = 0.0 if flip_shift == "none" else 1 / input_size[1]

    def encode(self, keypoints: Tensor, visible: Tensor) -> PointTarget:
        """Fractions of the input's size; a keypoint outside the crop has no weight."""
        return fractions(keypoints, visible, self.input_size)


def fractions(keypoints: Tensor, visible: Tensor, size: Size) -> PointTarget:
    """Keypoints (instances, keypoints, 2) in px as fractions of a size, 0 where they are not visible or outside."""
    sides = vector_like(keypoints, size[::-1])
    inside = ((keypoints >= 0) & (keypoints <= sides - 1)).all(dim=-1) & visible
    return PointTarget(torch.where(inside.unsqueeze(-1), keypoints / sides, 0).float(), inside.float())


def mirrored(points: Tensor, flip_indices: list[int], shift: float) -> Tensor:
    """Points (instances, keypoints, values) of the flipped image, put back in place; x becomes 1 - shift - x."""
    order = copy_to(points.device, torch.tensor(flip_indices))
    x, *others = points.index_select(1, order).unbind(-1)
    return torch.stack([1 - shift - x, *others], dim=-1)


def weighted_error(points: Tensor, target: PointTarget, kind: CoordinateLoss) -> Tensor:
    """Mean error over instances, keypoints and both axes; the divisor counts weightless keypoints too."""
    weight = target.weight.unsqueeze(-1)
    error = torch.nn.functional.l1_loss if kind == "l1" else torch.nn.functional.smooth_l1_loss
    return error(points * weight, target.points * weight)
