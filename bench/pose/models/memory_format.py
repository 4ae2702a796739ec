"""How weights and maps lie in memory."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["channels_side_by_side"]


def channels_side_by_side(model: nn.Module) -> None:
    """Lay the weights of convolutions out, in place, for maps whose channels lie side by side, as crops come.

    Faster on CPUs and GPUs; results agree up to rounding. Transposed convolutions keep their layout, in which their
    weights are a matrix.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
