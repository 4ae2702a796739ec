"""Size and work of networks in microseconds, without torch: the planner's view of `bench.pose.complexity`.

What comes before a network's final convolution, or TokenPose's tokens, is fully convolutional and inputs are whole
cells of 32x32 pixels, so its work is exactly proportional to the number of cells. `trunks.json` holds the measured
price of a cell per built-in backbone (written by `python -m benchmarks.trunks --write`); what follows comes from its
shapes. Backbones of extensions are measured when they are asked for, which imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import prod
from pathlib import Path

from bench.pose.models.backbones import BACKBONES, TOKENPOSE
from bench.pose.models.spec import CELL, Complexity, ModelSpec
from bench.pose.models.tokens import DEPTH, DIM, HIDDEN, PATCHES, heatmap_widths, patch_grid

__all__ = ["TRUNKS_FILE", "Complexity", "Trunk", "predict"]

TRUNKS_FILE = Path(__file__).with_name("trunks.json")
"""The measured trunks."""


@dataclass(frozen=True)
class Trunk:
    """A backbone up to its final convolution; TokenPose's stem.

    Attributes:
        params: number of parameters.
        multiply_adds: multiply-adds per cell of 32x32 input pixels.
        published_convention: the same in the paper's convention, see `Complexity`.
        channels: channels of its output.
        stride: input pixels per position of its output.
    """

    params: int
    multiply_adds: int
    published_convention: int
    channels: int
    stride: int


@cache
def predict(
    backbone: str,
    representation: str,
    *,
    keypoints: int,
    input_size: tuple[int, int],
    split_ratio: float | None = None,
) -> Complexity:
    """What `bench.pose.complexity.measure` finds for the network that `build_model` makes of these.

    Args:
        backbone: one of `bench.pose.models.BACKBONES`.
        representation: one of `bench.pose.models.REPRESENTATIONS`.
        keypoints: number of keypoints.
        input_size: (height, width) of the input in pixels, multiples of 32.
        split_ratio: bins per pixel, for simdr and simdr_star only.

    Raises:
        UnknownNameError: no such backbone or representation.
        ValueError: a size or the split ratio is out of range, or the backbone has no such representation or input
            size.
    """
    spec = ModelSpec(backbone, representation, keypoints, input_size, split_ratio)
    trunk = _trunks().get(backbone)
    if trunk is None:
        return _measured(spec)
    height, width = input_size
    cells = (height // CELL) * (width // CELL)
    backbone_work = Complexity(trunk.params, trunk.multiply_adds * cells, trunk.published_convention * cells)
    rest = _after_stem(trunk, spec) if backbone == TOKENPOSE else _after_maps(trunk, spec)
    return _total((backbone_work, *rest))


def _measured(spec: ModelSpec) -> Complexity:
    """A network of an extension, which has to be made for it. Imports torch."""
    from torch import nn

    from bench.pose.complexity import measure

    return measure(BACKBONES[spec.backbone].build(spec, nn.BatchNorm2d), spec.input_size)


def _after_maps(trunk: Trunk, spec: ModelSpec) -> Iterator[Complexity]:
    """The final convolution and the classifiers of flattened maps."""
    height, width = spec.input_size
    positions = (height // trunk.stride) * (width // trunk.stride)
    maps = spec.keypoints * spec.maps_per_keypoint
    products = trunk.channels * maps * positions
    yield Complexity((trunk.channels + 1) * maps, products, products)
    for bins in spec.bins or ():
        yield _linear(spec.keypoints, spec.maps_per_keypoint * positions, bins)


def _after_stem(trunk: Trunk, spec: ModelSpec) -> Iterator[Complexity]:
    """TokenPose's embedding, transformer and heads."""
    patches = prod(patch_grid(spec.input_size))
    tokens = patches + spec.keypoints
    yield Complexity(params=tokens * DIM, multiply_adds=0, published_convention=0)  # the joints' and the positions'
    yield _linear(patches, prod(PATCHES[spec.input_size]) * trunk.channels, DIM)
    layer = _total(_transformer_layer(tokens))
    yield from (layer for _ in range(DEPTH))
    heads = [heatmap_widths(spec.input_size)] if spec.bins is None else [(DIM, bins) for bins in spec.bins]
    for widths in heads:
        for inputs, outputs in pairwise(widths):
            yield _layer_norm(inputs)
            yield _linear(spec.keypoints, inputs, outputs)


def _transformer_layer(tokens: int) -> Iterator[Complexity]:
    yield _layer_norm(DIM)
    yield _linear(tokens, DIM, 3 * DIM, bias=False)
    # Each head's D/heads products between all pairs of tokens, for the weights and again for the weighted sums; the
    # published count knows convolutions and linear layers only.
    yield Complexity(params=0, multiply_adds=2 * tokens * tokens * DIM, published_convention=0)
    yield _linear(tokens, DIM, DIM)
    yield _layer_norm(DIM)
    yield _linear(tokens, DIM, HIDDEN)
    yield _linear(tokens, HIDDEN, DIM)


def _linear(rows: int, inputs: int, outputs: int, *, bias: bool = True) -> Complexity:
    """A linear layer on [1, rows, inputs]; the published count takes the rows for its number of inputs."""
    return Complexity((inputs + bias) * outputs, rows * inputs * outputs, rows * rows * outputs)


def _layer_norm(width: int) -> Complexity:
    return Complexity(params=2 * width, multiply_adds=0, published_convention=0)


def _total(parts: Iterable[Complexity]) -> Complexity:
    """All parts together."""
    listed = list(parts)
    return Complexity(
        params=sum(part.params for part in listed),
        multiply_adds=sum(part.multiply_adds for part in listed),
        published_convention=sum(part.published_convention for part in listed),
    )


@cache
def _trunks() -> dict[str, Trunk]:
    table = json.loads(TRUNKS_FILE.read_text(encoding="utf-8"))
    return {backbone: Trunk(**values) for backbone, values in table.items()}
