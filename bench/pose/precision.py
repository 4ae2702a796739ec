"""The declared precisions of a network's arithmetic."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from bench.pose.outputs import Coordinates

__all__ = ["Precision", "computing", "single", "take_precision_at_its_word"]

Precision = Literal["float32", "bfloat16"]
"""float32 throughout, or convolutions and matrix products in bfloat16 with weights, sums and losses in float32."""


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Where a network's forward pass has the precision."""
    return nullcontext() if precision == "float32" else torch.autocast(device.type, torch.bfloat16)


def take_precision_at_its_word() -> None:
    """Have GPUs compute float32 in float32, of whose convolutions' factors they keep 10 bits unless told otherwise."""
    torch.backends.cudnn.allow_tf32 = False


def single(output: Tensor | Coordinates) -> Tensor | Coordinates:
    """A network's output in float32, or in the type that a network of higher precision has, for loss and decoding."""
    if isinstance(output, Coordinates):
        return Coordinates(*map(_at_least_single, output))
    return _at_least_single(output)


def _at_least_single(values: Tensor) -> Tensor:
    return values.float() if values.dtype == torch.bfloat16 else values
