"""Measured trunks of networks: one line per built-in backbone, and one per size of the input for timm's models.

`trunks.json` has the price of a cell of 32x32 pixels per built-in backbone, whose trunks are fully convolutional.
timm's models are not all: attention grows with the square of the size, and gates on the mean of a map do not grow.
`sized_trunks.json` has some that are in common use; any other is measured when it is first asked for, which imports
torch, and kept in the user's cache. Both files are written by `python -m benchmarks.trunks --write`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.files import StoreError, write_atomically
from bench.pose.errors import BenchError
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.network import NetworkShape

TRUNKS_FILE = Path(__file__).with_name("trunks.json")
"""Trunks by backbone, per cell."""

SIZED_FILE = Path(__file__).with_name("sized_trunks.json")
"""Trunks of timm's models by `sized_key`."""


@dataclass(frozen=True)
class Trunk:
    """A backbone up to its final convolution, or TokenPose's stem.

    Attributes:
        params: number of parameters.
        multiply_adds: multiply-adds per cell of 32x32 input pixels, or of the whole input of a timm model.
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
def trunks_by_cell() -> Mapping[str, Trunk]:
    """Trunks of the built-in backbones."""
    table = json.loads(TRUNKS_FILE.read_text(encoding="utf-8"))
    return {backbone: Trunk(**values) for backbone, values in table.items()}


@cache
def sized_trunk(backbone: str, shape: NetworkShape) -> Trunk:
    """The trunk of one of timm's models for a shape: from the table, from the user's cache, or measured and put there.

    Raises:
        BenchError: the model cannot be built in this shape; the message says why.
    """
    key = sized_key(backbone, shape)
    known = _shipped().get(key) or _cached().get(key)
    if known is None:
        try:
            known = measure_trunk(backbone, shape)
        except ValueError as error:
            raise BenchError(str(error)) from error
        except (RuntimeError, AssertionError) as error:  # of the model itself, which is too deep for the input
            raise BenchError(f"{backbone} cannot read inputs of {shape.input_size} ({error!s:.200})") from error
        _keep(key, known)
    return known


def sized_key(backbone: str, shape: NetworkShape) -> str:
    """What tells a trunk from others, for example "timm/resnet18 256x192 output_stride=16 without upsampling"."""
    settings = str(shape.settings) if shape.settings else ""
    parts = [backbone, str(shape.input_size), settings, "" if shape.upsample else "without upsampling"]
    return " ".join(part for part in parts if part)


def measure_trunk(backbone: str, shape: NetworkShape) -> Trunk:
    """The trunk of a network whose features are maps, measured for its input size. Imports torch.

    Raises:
        ValueError: there is no such network.
    """
    import torch
    from torch import nn

    from bench.pose.complexity import measure

    maps = NetworkShape(1, shape.input_size, upsample=shape.upsample, settings=shape.settings)
    network: Any = BACKBONES[backbone].build(maps, nn.BatchNorm2d).eval()  # on the CPU: some buffers are indices
    network.final_layer = None
    with torch.no_grad():
        _, channels, height, _ = network(torch.zeros(1, 3, *shape.input_size)).shape
    whole = measure(network, shape.input_size)
    stride = shape.input_size.height // height
    return Trunk(whole.params, whole.multiply_adds, whole.published_convention, channels, stride)


def sized_json(trunks: Mapping[str, Trunk]) -> str:
    """Sized trunks as their files have them, a line each."""
    lines = [f"  {json.dumps(key)}: {json.dumps(astuple(trunk))}" for key, trunk in trunks.items()]
    return "\n".join(["{", ",\n".join(lines), "}", ""])


@cache
def _shipped() -> Mapping[str, Trunk]:
    return _read(SIZED_FILE)


def _read(file: Path) -> dict[str, Trunk]:
    """Sized trunks in a file; none where there is no file, or another one than we write."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        return {str(key): Trunk(*map(int, values)) for key, values in table.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _cached() -> dict[str, Trunk]:
    file = cache_file()
    return {} if file is None else _read(file)


def _keep(key: str, trunk: Trunk) -> None:
    """Add a trunk to the user's cache, if that can be written. Of two at once, one may be lost and measured again."""
    file = cache_file()
    if file is not None:
        content = sized_json({**_read(file), key: trunk}).encode()
        with suppress(StoreError):
            write_atomically(file, lambda target: target.write(content), durable=False)


def cache_file() -> Path | None:
    """Where measured trunks of the installed timm are kept; None if the user has no home."""
    places = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    try:
        given = os.environ.get("XDG_CACHE_HOME")
        base = Path(given) if given else Path.home() / places.get(sys.platform, ".cache")
    except RuntimeError:
        return None
    return base / "simdr-bench" / f"trunks-timm-{version('timm')}.json"
