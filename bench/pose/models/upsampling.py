"""Simple Baselines' way up: transposed convolutions from a trunk's maps to stride 4 (Xiao et al., ECCV 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from bench.pose.models.batch_norm import NormLayer

__all__ = ["CHANNELS", "Doubling", "doublings", "upsampling_layers"]

_STRIDE = 4
CHANNELS = 256
"""Of Simple Baselines' layers."""

_FEW_POSITIONS, _MANY_CHANNELS = 16, 1024


def doublings(stride: int, channels: int = CHANNELS) -> list[int]:
    """Channels of each layer from maps of a stride to stride 4, which only 4 times a power of two can reach.

    Raises:
        ValueError: it cannot be reached.
    """
    count = (stride // _STRIDE).bit_length() - 1
    if count < 0 or _STRIDE << count != stride:
        raise ValueError(f"maps of stride {stride} cannot be brought to stride {_STRIDE} by doubling their size")
    return [channels] * count


def upsampling_layers(inputs: int, outputs: Sequence[int], norm_layer: NormLayer) -> nn.Sequential:
    """Layers that each double the resolution, with these numbers of channels after each."""
    layers: list[nn.Module] = []
    for channels in outputs:
        layers += [Doubling(inputs, channels), norm_layer(channels), nn.ReLU(inplace=True)]
        inputs = channels
    return nn.Sequential(*layers)


class Doubling(nn.ConvTranspose2d):
    """Transposed 4x4 convolution that doubles the resolution.

    In training on a CPU it is a matrix product where maps are small and channels are many: libraries for convolutions
    reach a fifth of the processor's speed there, with `simba_res50` at 64x64 for a fifth of the step.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, outputs, 2H, 2W] of [B, inputs, H, W]."""
        height, width = input.shape[2:]
        small = height * width <= _FEW_POSITIONS and self.in_channels >= _MANY_CHANNELS
        if not (small and self.training and input.device.type == "cpu"):
            return super().forward(input, output_size)
        patches = input.flatten(2).transpose(1, 2) @ self.weight.flatten(1)
        return F.fold(patches.transpose(1, 2), (2 * height, 2 * width), kernel_size=4, padding=1, stride=2)
