"""Simple Baselines ("SimBa"): a ResNet and three transposed convolutions (Xiao et al., ECCV 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bench.pose.models.backbones import RESNET_DEPTHS, TINY, UPSAMPLE_FREE
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import MapModel
from bench.pose.models.spec import CELL, ModelSpec
from bench.pose.torchvision_shim import torchvision_models

__all__ = ["SimpleBaseline"]

_SIMBA_CHANNELS = (256, 256, 256)
_OTHER_CHANNELS: Mapping[str, tuple[int, ...]] = {TINY: (64, 64), UPSAMPLE_FREE: ()}
_BOTTLENECK_CHANNELS = 2048
_FEW_POSITIONS, _MANY_CHANNELS = 16, 1024


class SimpleBaseline(MapModel):
    """ResNet trunk down to stride 32, then three transposed 4x4 convolutions of 256 channels up to stride 4.

    The trunk is torchvision's without average pooling and classifier; its bottlenecks carry the stride on the
    3x3 convolution, as the reference's do. Two variants differ:

    - The upsample-free one has no transposed convolutions: a 1x1 convolution reads several maps per keypoint from the
      trunk's 2048 channels at stride 32 (protocols 1.1).
    - The tiny one, which is not in the paper, has one basic block per layer, stops at stride 16 and goes up by two
      transposed convolutions of 64 channels: it learns in a minute on a CPU.
    """

    trunk: ClassVar[tuple[str, ...]] = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
    default_final_bias: ClassVar[bool] = True

    def __init__(self, spec: ModelSpec, norm_layer: NormLayer) -> None:
        tiny = spec.backbone == TINY
        outputs = _OTHER_CHANNELS.get(spec.backbone, _SIMBA_CHANNELS)
        if outputs:
            super().__init__(spec, channels=outputs[-1])
        else:
            super().__init__(spec, channels=_BOTTLENECK_CHANNELS, stride=CELL)
        resnet = _resnet(spec.backbone, norm_layer)
        layers = self.trunk[2:-1] if tiny else self.trunk[2:]
        self._steps = (*self.trunk[:2], "relu", "maxpool", *layers)
        for name in self._steps:
            self.add_module(name, getattr(resnet, name))
        self.deconv_layers = _deconv_layers(resnet.fc.in_features // (2 if tiny else 1), outputs, norm_layer)

    def features(self, images: Tensor) -> Tensor:
        """Features [B, channels, H/stride, W/stride] of normalized images [B, 3, H, W]."""
        maps = images
        for name in (*self._steps, "deconv_layers"):
            maps = self.get_submodule(name)(maps)
        return maps


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


def _resnet(backbone: str, norm_layer: NormLayer) -> Any:
    models = torchvision_models()
    if backbone == TINY:
        return models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], norm_layer=norm_layer)
    return getattr(models, f"resnet{RESNET_DEPTHS[backbone]}")(norm_layer=norm_layer)


def _deconv_layers(inputs: int, outputs: Sequence[int], norm_layer: NormLayer) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in outputs:
        layers += [
            Doubling(inputs, channels),
            norm_layer(channels),
            nn.ReLU(inplace=True),
        ]
        inputs = channels
    return nn.Sequential(*layers)
