"""Size and work of networks in microseconds, without torch: the planner's view of `bench.pose.complexity`.

What comes before a network's final convolution, or TokenPose's tokens, is fully convolutional and inputs are whole
cells of 32x32 pixels, so its work is exactly proportional to the number of cells. `trunks.json` holds the measured
price of a cell per built-in backbone; the rest follows from shapes. timm's models have a table of their own. Any other
backbone, such as an extension's, is built and measured, which imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from math import prod
from typing import Any, Unpack

from bench.planning.trunk_tables import Trunk, sized_trunk, trunks_by_cell
from bench.pose.input_size import CELL
from bench.pose.models.backbone import BACKBONES, Backbone, network_shape
from bench.pose.models.network import Complexity, NetworkForm, NetworkShape
from bench.pose.models.timm_names import PREFIX
from bench.pose.models.tokens import heatmap_widths, hidden_width, patch_grid


@cache
def predict(backbone: str, representation: str, **form: Unpack[NetworkForm]) -> Complexity:
    """What `bench.pose.complexity.measure` finds for the network that `build_model` makes of these.

    Arguments and errors are those of `network_shape`.
    """
    shape = network_shape(backbone, representation, **form)
    known = BACKBONES[backbone]
    height, width = shape.input_size
    cells = (height // CELL) * (width // CELL)
    trunk = trunks_by_cell().get(backbone if shape.upsample or not known.upsamples else without_upsampling(backbone))
    if backbone.startswith(PREFIX):
        trunk, cells = sized_trunk(backbone, shape), 1
    if trunk is None:
        return _measured(known, shape)
    backbone_work = Complexity(trunk.params, trunk.multiply_adds * cells, trunk.published_convention * cells)
    rest = _after_stem if "patches" in known.sizes else _after_maps
    return _total((backbone_work, *rest(trunk, shape, **known.sizes)))


def without_upsampling(backbone: str) -> str:
    """Name in the table of a backbone whose upsampling layers are left out."""
    return f"{backbone} without upsampling"


def _measured(backbone: Backbone, shape: NetworkShape) -> Complexity:
    """The cost of a network that has no line in the table: it is built and measured. Imports torch."""
    from torch import nn

    from bench.pose.complexity import measure

    return measure(backbone.build(shape, nn.BatchNorm2d), shape.input_size)


def _after_maps(
    trunk: Trunk, shape: NetworkShape, *, maps_per_keypoint: Mapping[tuple[int, int], int] | None = None, **_others: Any
) -> Iterator[Complexity]:
    """The final convolution and the classifiers of flattened maps, or the linear layer to points."""
    if shape.values is not None:
        points = trunk.channels * shape.keypoints * shape.values
        yield Complexity(points + shape.keypoints * shape.values, points, points)
        return
    height, width = shape.input_size
    positions = (height // trunk.stride) * (width // trunk.stride)
    each = shape.maps_per_keypoint or (1 if maps_per_keypoint is None else maps_per_keypoint[shape.input_size])
    maps = shape.keypoints * each
    products = trunk.channels * maps * positions
    yield Complexity((trunk.channels + 1) * maps, products, products)
    for bins in shape.bins or ():
        yield _linear(shape.keypoints, each * positions, bins)


def _after_stem(
    trunk: Trunk,
    shape: NetworkShape,
    *,
    patches: Mapping[tuple[int, int], tuple[int, int]],
    dim: int,
    depth: int,
    **_others: Any,
) -> Iterator[Complexity]:
    """TokenPose's embedding, transformer and heads."""
    patch = patches[shape.input_size]
    visual = prod(patch_grid(shape.input_size, patch))
    tokens = visual + shape.keypoints
    # The keypoints' tokens and the positions of the patches.
    yield Complexity(params=tokens * dim, multiply_adds=0, published_convention=0)
    yield _linear(visual, prod(patch) * trunk.channels, dim)
    layer = _total(_transformer_layer(tokens, dim))
    yield from (layer for _ in range(depth))
    heads = [heatmap_widths(shape.input_size, dim)] if shape.bins is None else [(dim, bins) for bins in shape.bins]
    for widths in heads:
        for inputs, outputs in pairwise(widths):
            yield _layer_norm(inputs)
            yield _linear(shape.keypoints, inputs, outputs)


def _transformer_layer(tokens: int, dim: int) -> Iterator[Complexity]:
    """Attention of all tokens to all, and two linear layers."""
    hidden = hidden_width(dim)
    yield _layer_norm(dim)
    yield _linear(tokens, dim, 3 * dim, bias=False)
    # Each head's D/heads products between all pairs of tokens, for the weights and again for the weighted sums; the
    # published count knows convolutions and linear layers only.
    yield Complexity(params=0, multiply_adds=2 * tokens * tokens * dim, published_convention=0)
    yield _linear(tokens, dim, dim)
    yield _layer_norm(dim)
    yield _linear(tokens, dim, hidden)
    yield _linear(tokens, hidden, dim)


def _linear(rows: int, inputs: int, outputs: int, *, bias: bool = True) -> Complexity:
    """A linear layer on [1, rows, inputs]; the published count uses the rows as its number of inputs."""
    return Complexity((inputs + bias) * outputs, rows * inputs * outputs, rows * rows * outputs)


def _layer_norm(width: int) -> Complexity:
    return Complexity(params=2 * width, multiply_adds=0, published_convention=0)


def _total(parts: Iterable[Complexity]) -> Complexity:
    """The sum of all parts."""
    listed = list(parts)
    return Complexity(
        params=sum(part.params for part in listed),
        multiply_adds=sum(part.multiply_adds for part in listed),
        published_convention=sum(part.published_convention for part in listed),
    )
