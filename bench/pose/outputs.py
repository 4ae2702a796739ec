"""The kinds of network outputs. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OUTPUTS", "Coordinates", "Output"]

Output = Literal["maps", "coordinates", "points"]
"""Kind of a network's output: a map per keypoint, logits over the bins of each axis, or a few numbers per keypoint."""

OUTPUTS: tuple[Output, ...] = ("maps", "coordinates", "points")


class Coordinates(NamedTuple):
    """Logits of the classification of each keypoint's x and y (paper section 3.1).

    Attributes:
        x: [B, J, int(W * k)] for input width W and split ratio k.
        y: [B, J, int(H * k)].
    """

    x: Tensor
    y: Tensor
