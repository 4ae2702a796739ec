"""What SimDR and SimDR* share: each keypoint is two classifications, one over x bins and one over y bins."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec, Keypoints, peak, shift_right
from bench.pose.geometry import Size
from bench.pose.models.heads import Coordinates

__all__ = ["CoordinateCodec"]

TargetT = TypeVar("TargetT")


class CoordinateCodec(Codec[Coordinates, TargetT]):
    """Coordinates as classes. A bin is 1 / `split_ratio` px wide; bin i is read as coordinate i / `split_ratio` (E5).

    Args:
        input_size: crop height and width in px.
        mirror: keypoint permutation of a horizontal flip.
        split_ratio: bins per px, the paper's k.
        flip_shift: bins by which the flipped x vector is moved right before averaging; the reference moves it one
            bin left (-1), exact would be `1 - split_ratio` (behaviour E2).
    """

    def __init__(
        self, input_size: Size, flip_indices: tuple[int, ...], *, split_ratio: float, flip_shift: float = -1.0
    ) -> None:
        self.input_size = input_size
        self.flip_indices = list(flip_indices)
        self.split_ratio = split_ratio
        self.flip_shift = flip_shift
        self.bins = (int(input_size[1] * split_ratio), int(input_size[0] * split_ratio))

    def merge(self, output: Coordinates, flipped: Coordinates | None = None) -> Coordinates:
        """Average of the two views, each with bins and keypoints put back in place (behaviour E2, E3)."""
        view = self._view(output)
        if flipped is None:
            return view
        order = torch.tensor(self.flip_indices).to(flipped.x.device, non_blocking=True)
        x, y = (axis.index_select(1, order) for axis in flipped)
        restored = self._view(Coordinates(shift_right(x.flip(-1), self.flip_shift), y))
        return Coordinates((view.x + restored.x) * 0.5, (view.y + restored.y) * 0.5)

    @abstractmethod
    def _view(self, output: Coordinates) -> Coordinates:
        """What is averaged over the two views: probabilities or logits."""

    def decode(self, merged: Coordinates) -> Keypoints:
        """The likeliest bin of each axis in crop px, with a confidence made of the two peak probabilities."""
        (peak_x, x), (peak_y, y) = map(peak, self._probabilities(merged))
        coordinates = torch.stack([x, y], dim=-1) / self.split_ratio
        return Keypoints(coordinates, self._confidence(peak_x, peak_y))

    @abstractmethod
    def _probabilities(self, merged: Coordinates) -> Coordinates:
        """Distributions over bins from what `merge` returned."""

    @abstractmethod
    def _confidence(self, peak_x: Tensor, peak_y: Tensor) -> Tensor:
        """Confidence of a keypoint from the peak probabilities of its axes."""


def softmax(logits: Coordinates) -> Coordinates:
    """Distributions over the bins of each axis."""
    return Coordinates(logits.x.softmax(dim=-1), logits.y.softmax(dim=-1))
