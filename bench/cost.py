"""Size and work of any network in microseconds, without torch: the planner's view of `bench.pose.complexity`.

Everything before a network's final layer is fully convolutional and inputs are whole cells of 32x32 pixels,
so its work is exactly proportional to the number of cells. `trunks.json` holds the measured price of a cell
per backbone (written by `python -m benchmarks.trunks --write`); the final layer and the heads follow from
their shapes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bench.pose.models.spec import CELL, Complexity, ModelSpec

__all__ = ["TRUNKS_FILE", "Complexity", "Trunk", "predict"]

TRUNKS_FILE = "trunks.json"
"""Name of the measured trunks among this package's resources."""


@dataclass(frozen=True)
class Trunk:
    """A backbone up to its final layer.

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


def predict(
    backbone: str,
    representation: str,
    *,
    joints: int,
    input_size: tuple[int, int],
    split_ratio: float | None = None,
) -> Complexity:
    """What `bench.pose.complexity.measure` finds for the network that `build_model` makes of these.

    Args:
        backbone: one of `bench.pose.models.BACKBONES`.
        representation: one of `bench.pose.models.REPRESENTATIONS`.
        joints: number of joints.
        input_size: (height, width) of the input in pixels, multiples of 32.
        split_ratio: bins per pixel, for simdr and simdr_star only.

    Raises:
        UnknownNameError: no such backbone or representation.
        ValueError: a size or the split ratio is out of range.
    """
    spec = ModelSpec(backbone, representation, joints, input_size, split_ratio)
    trunk = _trunks()[backbone]
    height, width = input_size
    cells = (height // CELL) * (width // CELL)
    positions = (height // trunk.stride) * (width // trunk.stride)
    final_products = trunk.channels * joints * positions
    bins = sum(spec.bins or ())
    return Complexity(
        params=trunk.params + (trunk.channels + 1) * joints + (positions + 1) * bins,
        multiply_adds=trunk.multiply_adds * cells + final_products + joints * positions * bins,
        # The published count takes the joints, dimension 1 of the heads' input, for their number of inputs.
        published_convention=trunk.published_convention * cells + final_products + joints * joints * bins,
    )


@cache
def _trunks() -> dict[str, Trunk]:
    table = json.loads(files("bench").joinpath(TRUNKS_FILE).read_text(encoding="utf-8"))
    return {backbone: Trunk(**values) for backbone, values in table.items()}
