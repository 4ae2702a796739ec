"""HRNet: parallel branches of falling resolution that exchange features (Sun et al., CVPR 2019).

Branches are numbered from the highest resolution: branch b has stride 4 * 2**b and width * 2**b channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.pose.models.backbone import backbone
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.convolution import TinyMapConv2d
from bench.pose.models.heads import MapModel
from bench.pose.models.network import NetworkShape
from bench.pose.models.stem import STEM_CHANNELS, STEM_LAYERS, add_stem, stem_maps
from bench.pose.torchvision_shim import torchvision_models

__all__ = ["HRNet"]

_BLOCKS_PER_BRANCH = 4
_MODULES_PER_STAGE = {"stage2": 1, "stage3": 4, "stage4": 3}


@backbone("hrnet_w32", title="HRNet-W32", width=32)
@backbone("hrnet_w48", title="HRNet-W48", width=48)
class HRNet(MapModel):
    """Stem to stride 4, a stage of bottlenecks, then three stages of two, three and four branches.

    Only the branch of stride 4 is read out, so the last exchange computes no other.

    Args:
        shape: of the network.
        norm_layer: makes each batch normalization.
        width: channels of the highest-resolution branch.
    """

    trunk: ClassVar[tuple[str, ...]] = (
        *STEM_LAYERS, "transition1", "stage2", "transition2", "stage3", "transition3", "stage4"
    )  # fmt: skip

    def __init__(self, shape: NetworkShape, norm_layer: NormLayer, *, width: int) -> None:
        super().__init__(shape, channels=width)
        add_stem(self, norm_layer)
        two, three, four = ([width * 2**branch for branch in range(count)] for count in (2, 3, 4))
        self.transition1 = _Transition([STEM_CHANNELS], two, norm_layer)
        self.stage2 = _stage("stage2", two, norm_layer)
        self.transition2 = _Transition(two, three, norm_layer)
        self.stage3 = _stage("stage3", three, norm_layer)
        self.transition3 = _Transition(three, four, norm_layer)
        self.stage4 = _stage("stage4", four, norm_layer, outputs=1)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Feature maps [B, width, H/4, W/4] of normalized images [B, 3, H, W]."""
        branches = self.stage2(self.transition1([stem_maps(self, images)]))
        branches = self.stage3(self.transition2(branches))
        highest: Tensor = self.stage4(self.transition3(branches))[0]
        return highest


class _Transition(nn.ModuleList):
    """Give branches their channels and start the missing ones from the lowest resolution there is."""

    def __init__(self, before: Sequence[int], after: Sequence[int], norm_layer: NormLayer) -> None:
        super().__init__()
        for branch, channels in enumerate(after):
            if branch >= len(before):
                # Published weights name it as a sequence of strided units, of which there is one.
                down = _conv_unit(before[-1], channels, norm_layer, nn.ReLU(inplace=True), stride=2)
                self.append(nn.Sequential(down))
            elif before[branch] != channels:
                self.append(_conv_unit(before[branch], channels, norm_layer, nn.ReLU(inplace=True)))
            else:
                self.append(nn.Identity())

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        return [step(branches[min(index, len(branches) - 1)]) for index, step in enumerate(self)]


class _ExchangeModule(nn.Module):
    """Residual blocks on every branch, then each output branch is the sum of all, brought to its resolution.

    Output branches are the first `outputs`; the lower resolutions are left out where nothing reads them.
    """

    def __init__(self, channels: Sequence[int], norm_layer: NormLayer, *, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_basic_blocks(count, norm_layer) for count in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fuse(channels, source, target, norm_layer) for source in range(len(channels)))
            for target in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        maps = [blocks(branch) for blocks, branch in zip(self.branches, branches, strict=True)]
        return [self.relu(_fused_sum(row, maps)) for row in self.fuse_layers]


def _fused_sum(row: nn.Module, maps: Sequence[Tensor]) -> Tensor:
    total: Tensor = reduce(torch.add, (layer(branch) for layer, branch in zip(row.children(), maps, strict=True)))
    return total


def _stage(name: str, channels: Sequence[int], norm_layer: NormLayer, *, outputs: int | None = None) -> nn.Module:
    """Exchange modules in sequence; the last computes `outputs` branches (all where None)."""
    branches = len(channels)
    output_counts = [branches] * (_MODULES_PER_STAGE[name] - 1) + [outputs or branches]
    return nn.Sequential(*(_ExchangeModule(channels, norm_layer, outputs=count) for count in output_counts))


def _fuse(channels: Sequence[int], source: int, target: int, norm_layer: NormLayer) -> nn.Module:
    """Bring branch `source` to the resolution and channels of branch `target`."""
    inputs, outputs = channels[source], channels[target]
    if source == target:
        return nn.Identity()
    if source > target:
        enlarge = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return _conv_unit(inputs, outputs, norm_layer, enlarge, kernel=1)
    halvings = [
        _conv_unit(inputs, inputs, norm_layer, nn.ReLU(inplace=True), stride=2) for _ in range(target - source - 1)
    ]
    return nn.Sequential(*halvings, _conv_unit(inputs, outputs, norm_layer, stride=2))


def _basic_blocks(channels: int, norm_layer: NormLayer) -> nn.Sequential:
    make = torchvision_models().resnet.BasicBlock
    blocks = [make(channels, channels, norm_layer=norm_layer) for _ in range(_BLOCKS_PER_BRANCH)]
    for block in blocks:
        for convolution in (block.conv1, block.conv2):
            convolution.__class__ = TinyMapConv2d  # the lowest branch's maps have a few positions at low resolution
    return nn.Sequential(*blocks)


def _conv_unit(
    inputs: int, outputs: int, norm_layer: NormLayer, *then: nn.Module, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    """Convolution, normalization, and what follows them."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, norm_layer(outputs), *then)
