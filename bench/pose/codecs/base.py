"""The interface that every keypoint representation implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

__all__ = ["Codec", "Keypoints", "shift_right"]

OutputT = TypeVar("OutputT")
TargetT = TypeVar("TargetT")


class Keypoints(NamedTuple):
    """Decoded joints: coordinates (people, joints, 2) in crop px and confidence (people, joints)."""

    coordinates: Tensor
    confidence: Tensor


class Codec(ABC, Generic[OutputT, TargetT]):
    """One keypoint representation. Every method works on whole batches, on the device of its arguments.

    `OutputT` is what the network puts out, `TargetT` what it is trained towards.
    """

    @abstractmethod
    def encode(self, joints: Tensor, visible: Tensor) -> TargetT:
        """Training targets.

        Args:
            joints: (people, joints, 2) crop px, float64 where parity with the reference matters.
            visible: (people, joints) bool.
        """

    @abstractmethod
    def loss(self, output: OutputT, target: TargetT) -> Tensor:
        """Scalar training loss."""

    @abstractmethod
    def merge(self, output: OutputT, mirrored: OutputT | None = None) -> OutputT:
        """Turn raw network outputs into what `decode` reads, averaged with the view of the mirrored image if given."""

    @abstractmethod
    def decode(self, merged: OutputT) -> Keypoints:
        """Joint coordinates and confidence."""


def shift_right(values: Tensor, cells: float) -> Tensor:
    """Shift the last dimension towards higher indices by a possibly fractional or negative number of cells.

    Values between cells are interpolated linearly; cells that nothing moved into repeat the border.
    """
    size = values.shape[-1]
    source = torch.arange(size, dtype=torch.float64, device=values.device) - cells
    lower = source.floor()
    weight = (source - lower).to(values.dtype)
    before = values[..., lower.long().clamp(0, size - 1)]
    if not weight.any():
        return before
    return torch.lerp(before, values[..., (lower.long() + 1).clamp(0, size - 1)], weight)
