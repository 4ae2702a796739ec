"""Simple Baselines ("SimBa"): a ResNet and three transposed convolutions (Xiao et al., ECCV 2018)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import PoseModel
from bench.pose.models.spec import RESNET_DEPTHS, ModelSpec
from bench.pose.torchvision_shim import torchvision_models

__all__ = ["SimpleBaseline"]

_DECONV_CHANNELS = 256
_DECONV_LAYERS = 3


class SimpleBaseline(PoseModel):
    """ResNet trunk down to stride 32, then three transposed 4x4 convolutions of 256 channels up to stride 4.

    The trunk is torchvision's without average pooling and classifier; its bottlenecks carry the stride on the
    3x3 convolution, as the reference's do.
    """

    trunk: ClassVar[tuple[str, ...]] = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
    default_final_bias: ClassVar[bool] = True

    _STEPS: ClassVar[tuple[str, ...]] = (*trunk[:2], "relu", "maxpool", *trunk[2:])

    def __init__(self, spec: ModelSpec, norm_layer: NormLayer) -> None:
        super().__init__(spec, channels=_DECONV_CHANNELS)
        resnet = getattr(torchvision_models(), f"resnet{RESNET_DEPTHS[spec.backbone]}")(norm_layer=norm_layer)
        for name in self._STEPS:
            self.add_module(name, getattr(resnet, name))
        self.deconv_layers = _deconv_layers(resnet.fc.in_features, norm_layer)

    def features(self, images: Tensor) -> Tensor:
        """Features [B, 256, H/4, W/4] of normalised images [B, 3, H, W]."""
        maps = images
        for name in (*self._STEPS, "deconv_layers"):
            maps = self.get_submodule(name)(maps)
        return maps


def _deconv_layers(channels: int, norm_layer: NormLayer) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(_DECONV_LAYERS):
        layers += [
            nn.ConvTranspose2d(channels, _DECONV_CHANNELS, kernel_size=4, stride=2, padding=1, bias=False),
            norm_layer(_DECONV_CHANNELS),
            nn.ReLU(inplace=True),
        ]
        channels = _DECONV_CHANNELS
    return nn.Sequential(*layers)
