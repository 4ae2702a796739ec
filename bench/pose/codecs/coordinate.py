"""Parts that SimDR and SimDR* share: each keypoint is two classifications, one over x bins and one over y bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec, shift_right
from bench.pose.codecs.dark import BLUR_CELLS
from bench.pose.codecs.representation import FlipShift
from bench.pose.codecs.taylor import vector_offset
from bench.pose.geometry import Size
from bench.pose.outputs import Coordinates
from bench.pose.precision import copy_to

__all__ = ["CoordinateCodec", "CoordinateRefinement", "blur_bins", "mean", "softmax"]

CoordinateRefinement = Literal["none", "dark"]
"""Refinement of vectors' peaks: not at all, or by a Newton step on the logarithm of the blurred probabilities."""

TargetT = TypeVar("TargetT")


class CoordinateCodec(Codec[Coordinates, TargetT]):
    """Coordinates as classes. A bin is 1 / `split_ratio` px wide; bin i is read as coordinate i / `split_ratio` (E5).

    Args:
        input_size: crop height and width in px.
        flip_indices: keypoint permutation of a horizontal flip.
        split_ratio: bins per px, the paper's k.
        flip_shift: shift of the flipped x vector before averaging: the reference moves it one bin left, exact is
            k - 1 bins left (behaviour E2).
        post_process: "dark" finds peaks between bins.

    Attributes:
        bins: number of bins along x and along y.
        shift: bins by which the flipped x vector moves to the right.
        blur: widths in bins of the blur of x and y vectors before they are refined.
    """

    blur: tuple[int, int] = (BLUR_CELLS, BLUR_CELLS)

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        split_ratio: float,
        flip_shift: FlipShift = "reference",
        post_process: CoordinateRefinement = "none",
    ) -> None:
        self.input_size = input_size
        self.flip_indices = list(flip_indices)
        self.split_ratio = split_ratio
        self.post_process = post_process
        self.bins = (int(input_size[1] * split_ratio), int(input_size[0] * split_ratio))
        self.shift = {"reference": -1.0, "exact": 1.0 - split_ratio, "none": 0.0}[flip_shift]

    def unflip(self, flipped: Coordinates) -> Coordinates:
        """The output for the flipped image with bins and keypoints put back in place (behaviour E2, E3)."""
        order = copy_to(flipped.x.device, torch.tensor(self.flip_indices))
        x, y = (axis.index_select(1, order) for axis in flipped)
        return Coordinates(shift_right(x.flip(-1), self.shift), y)

    def located(self, bins: Sequence[Tensor], vectors: Coordinates) -> Tensor:
        """Coordinates (instances, keypoints, 2) in crop px of the highest bins (instances, keypoints) of x and y."""
        if self.post_process == "dark":
            axes = zip(vectors, bins, self.blur, strict=True)
            bins = [one + self.offset(values, one, blur) for values, one, blur in axes]
        return torch.stack([*bins], dim=-1) / self.split_ratio

    def offset(self, vectors: Tensor, bins: Tensor, blur: int) -> Tensor:
        """Offset of the refined peak from the highest bin, in bins (instances, keypoints)."""
        return vector_offset(vectors, bins, blur)


def blur_bins(sigma: float) -> int:
    """Width of the kernel that blurs a vector whose peaks have a standard deviation of `sigma` bins, as in mmpose."""
    bins = max(int((20 * sigma - 7) // 3), 1)
    return bins if bins % 2 else bins - 1


def softmax(logits: Coordinates) -> Coordinates:
    """Distributions over the bins of each axis."""
    return Coordinates(logits.x.softmax(dim=-1), logits.y.softmax(dim=-1))


def mean(one: Coordinates, other: Coordinates) -> Coordinates:
    """The mean of two views."""
    return Coordinates((one.x + other.x) * 0.5, (one.y + other.y) * 0.5)
