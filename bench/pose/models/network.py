"""The sizes of a network and what it costs, described without torch so that planning needs none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from bench.pose.declared_settings import NO_SETTINGS, Settings
from bench.pose.input_size import InputSize
from bench.pose.outputs import Output

__all__ = ["INITIALIZATIONS", "Complexity", "NetworkForm", "NetworkShape"]

INITIALIZATIONS: tuple[str, ...] = ("reference", "kaiming")
"""Ways to draw the first weights of a network that starts without ImageNet weights."""


@dataclass(frozen=True)
class Complexity:
    """Size and work of a network for one image.

    Attributes:
        params: number of parameters, trainable or not. TokenPose's fixed position embedding is among them, although
            the paper's tables leave it out.
        multiply_adds: multiply-adds of convolutions, transposed convolutions and matrix products.
        published_convention: the count that the paper's tables divide by 2**30 and call GFLOPs (behaviour 4):
            transposed convolutions are charged at their output resolution and linear layers as if their
            number of inputs were the second dimension of the input tensor.
    """

    params: int
    multiply_adds: int
    published_convention: int


@dataclass(frozen=True)
class NetworkShape:
    """What goes into a network and what comes out of it; `network_shape` checks that a backbone has it.

    Attributes:
        keypoints: number of keypoints, J.
        input_size: of the input image.
        output: kind of its output.
        bins: number of bins along x and along y, of coordinates.
        values: numbers per keypoint, of points.
        upsample: whether maps are brought to stride 4 by layers that learn to, where the backbone has such.
        maps_per_keypoint: maps from which each keypoint's coordinates are read; None where the backbone decides.
        settings: of the backbone.
    """

    keypoints: int
    input_size: InputSize
    output: Output = "maps"
    bins: tuple[int, int] | None = None
    values: int | None = None
    upsample: bool = True
    maps_per_keypoint: int | None = None
    settings: Settings = NO_SETTINGS


class NetworkForm(TypedDict, total=False):
    """What tells one network of a backbone and a representation from another; see `network_shape`."""

    keypoints: int
    input_size: tuple[int, int]
    split_ratio: float | None
    upsample: bool | None
    maps_per_keypoint: int | None
    backbone_settings: Settings
