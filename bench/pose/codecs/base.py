"""The interface that every keypoint representation implements."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Codec", "Keypoints", "peak", "shift_right", "vector_like"]

PART = 64

OutputT = TypeVar("OutputT")
TargetT = TypeVar("TargetT")


class Keypoints(NamedTuple):
    """Decoded keypoints: coordinates (instances, keypoints, 2) in crop px and confidence (instances, keypoints)."""

    coordinates: Tensor
    confidence: Tensor


class Codec(ABC, Generic[OutputT, TargetT]):
    """One keypoint representation. Every method works on whole batches, on the device of its arguments.

    `OutputT` is the network's output, `TargetT` its training target.

    Attributes:
        loss_module: a part of the loss that is trained with the network, if there is one, such as a flow. It resumes
            from checkpoints, and is no part of the network.
    """

    loss_module: nn.Module | None = None

    @abstractmethod
    def encode(self, keypoints: Tensor, visible: Tensor) -> TargetT:
        """Training targets.

        Args:
            keypoints: (instances, keypoints, 2) crop px, float64 where parity with the reference matters.
            visible: (instances, keypoints) bool.
        """

    def ideal_output(self, target: TargetT) -> OutputT | None:
        """Ideal network output for a target, as far as decoding can tell; None if it is not known.

        The output for keypoints without weight means nothing.
        """
        del target
        return None

    @abstractmethod
    def loss(self, output: OutputT, target: TargetT) -> Tensor:
        """Scalar training loss."""

    @abstractmethod
    def merge(self, output: OutputT, flipped: OutputT | None = None) -> OutputT:
        """Turn raw network outputs into what `decode` reads, averaged with the view of the flipped image if given."""

    @abstractmethod
    def decode(self, merged: OutputT) -> Keypoints:
        """Keypoint coordinates and confidence."""


def vector_like(like: Tensor, values: Sequence[float]) -> Tensor:
    """A vector of a few values in the type and on the device of a tensor.

    It is made there: copied from here, as by `new_tensor`, it would have the host wait until the GPU has done all else.
    """
    return torch.stack([like.new_full((), value) for value in values])


def shift_right(values: Tensor, cells: float) -> Tensor:
    """Shift the last dimension towards higher indices by a possibly fractional or negative number of cells.

    Values between cells are interpolated linearly; cells at the free end repeat the border.
    """
    whole = math.floor(-cells)
    before = _moved_left(values, whole)
    return before if cells == -whole else torch.lerp(before, _moved_left(values, whole + 1), -cells - whole)


def _moved_left(values: Tensor, cells: int) -> Tensor:
    """Shift towards lower indices by whole cells, the border repeated."""
    size = values.shape[-1]
    kept = values[..., max(cells, 0) : max(size + min(cells, 0), 0)]
    repeats = (*[-1] * (values.dim() - 1), min(abs(cells), size))
    if cells > 0:
        return torch.cat([kept, values[..., -1:].expand(repeats)], dim=-1)
    return torch.cat([values[..., :1].expand(repeats), kept], dim=-1) if cells else values


def peak(values: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum over the last dimension and the index of the first such value.

    On a CPU torch finds a maximum ten times as fast without its index: the index is looked for only in the part of the
    values that has it.
    """
    size = values.shape[-1]
    if values.device.type != "cpu" or size % PART:
        found = values.max(dim=-1)
        return found.values, found.indices
    parts = values.unflatten(-1, (-1, PART))
    highest, part = parts.amax(dim=-1).max(dim=-1)
    inside = parts.take_along_dim(part[..., None, None], dim=-2).squeeze(-2).argmax(dim=-1)
    return highest, part * PART + inside
