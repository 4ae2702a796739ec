"""The start that HRNet and TokenPose share: two strided convolutions and four bottlenecks, down to stride 4.

Published weights name these layers at the top level of the network, hence functions on a network, not a module.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.pose.models.batch_norm import NormLayer
from bench.pose.torchvision_shim import torchvision_models

__all__ = ["STEM_CHANNELS", "STEM_LAYERS", "add_stem", "stem_maps"]

STEM_LAYERS = ("conv1", "bn1", "conv2", "bn2", "layer1")
"""Names of the layers with weights."""

_CHANNELS = 64
_BLOCKS = 4

STEM_CHANNELS = 4 * _CHANNELS
"""Channels of the maps that the stem returns."""


def add_stem(network: nn.Module, norm_layer: NormLayer) -> None:
    """Give a network the layers of the stem, with torch's default weights."""
    network.conv1 = _halving(3)
    network.bn1 = norm_layer(_CHANNELS)
    network.conv2 = _halving(_CHANNELS)
    network.bn2 = norm_layer(_CHANNELS)
    network.relu = nn.ReLU(inplace=True)
    network.layer1 = _bottlenecks(norm_layer)


def stem_maps(network: nn.Module, images: Tensor) -> Tensor:
    """Maps [B, 256, H/4, W/4] of normalized images [B, 3, H, W], by the stem of `network`."""
    maps = images
    for name in ("conv1", "bn1", "relu", "conv2", "bn2", "relu", "layer1"):
        maps = network.get_submodule(name)(maps)
    return maps


def _halving(inputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, _CHANNELS, kernel_size=3, stride=2, padding=1, bias=False)


def _bottlenecks(norm_layer: NormLayer) -> nn.Sequential:
    """The bottlenecks at stride 4, of which the first widens the maps fourfold."""
    block = torchvision_models().resnet.Bottleneck
    widen = nn.Sequential(nn.Conv2d(_CHANNELS, STEM_CHANNELS, kernel_size=1, bias=False), norm_layer(STEM_CHANNELS))
    first = block(_CHANNELS, _CHANNELS, downsample=widen, norm_layer=norm_layer)
    others = (block(STEM_CHANNELS, _CHANNELS, norm_layer=norm_layer) for _ in range(_BLOCKS - 1))
    return nn.Sequential(first, *others)
