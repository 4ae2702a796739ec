"""Precision of a network's arithmetic."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from bench.pose.outputs import Coordinates

__all__ = ["Precision", "autocast", "copy_to", "disable_tf32", "lacks_float64", "make_deterministic", "to_float32"]

Precision = Literal["float32", "bfloat16"]
"""float32 throughout; or bfloat16 for convolutions and matrix products, with weights, sums and losses in float32."""


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Context in which a forward pass runs in the given precision."""
    return nullcontext() if precision == "float32" else torch.autocast(device.type, torch.bfloat16)


def make_deterministic() -> None:
    """Have torch compute the same bits each time, and float32 in float32; to be called before a GPU is used.

    Memory that is about to be overwritten is not filled first, as torch does by default where bits must be the same.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS promises nothing
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    disable_tf32()


def disable_tf32() -> None:
    """Have GPUs compute float32 convolutions in float32; by default their factors keep only 10 bits (TF32)."""
    torch.backends.cudnn.allow_tf32 = False


def lacks_float64(device: torch.device) -> bool:
    """Whether a device has no float64: Apple's GPUs."""
    return device.type == "mps"


def copy_to(device: torch.device, values: Tensor) -> Tensor:
    """Copy values to a device; those in float64 as float32 where it has no float64.

    A GPU of NVIDIA copies in the background. With MPS the memory could be used anew before it is copied.
    """
    if lacks_float64(device) and values.dtype == torch.float64:
        values = values.float()
    return values.to(device, non_blocking=device.type == "cuda")


def to_float32(output: Tensor | Coordinates) -> Tensor | Coordinates:
    """Cast a network's bfloat16 output to float32 for loss and decoding; other types stay."""
    if isinstance(output, Coordinates):
        return Coordinates(*map(_to_float32, output))
    return _to_float32(output)


def _to_float32(values: Tensor) -> Tensor:
    return values.float() if values.dtype == torch.bfloat16 else values
