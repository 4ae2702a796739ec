"""The backbone `mobile_tiny`, in the manner of MobileNetV3 (Howard et al., ICCV 2019) with bench's heads."""

from __future__ import annotations

from torch import Tensor, nn

from bench.extend import backbone
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import MapModel
from bench.pose.models.network import NetworkShape

# Channels, expansion and stride of each inverted residual after the stem of stride 2.
RESIDUALS = [(16, 2, 2), (24, 3, 2), (24, 3, 1), (40, 4, 2), (40, 4, 1)]


@backbone("mobile_tiny", title="MobileNetV3-tiny", width=48)
class MobileTiny(MapModel):
    """Inverted residuals to stride 16, then two doublings of the resolution to `width` channels at stride 4.

    `MapModel` adds the final convolution and, where coordinates are classified, the heads.
    """

    def __init__(self, shape: NetworkShape, norm_layer: NormLayer, *, width: int) -> None:
        super().__init__(shape, channels=width)
        layers: list[nn.Module] = [_convolution(3, 16, norm_layer, kernel=3, stride=2)]
        inputs = 16
        for channels, expansion, stride in RESIDUALS:
            layers.append(InvertedResidual(inputs, channels, norm_layer, expansion=expansion, stride=stride))
            inputs = channels
        for _ in range(2):
            layers += [nn.Upsample(scale_factor=2), _convolution(inputs, width, norm_layer, kernel=3)]
            inputs = width
        self.features = nn.Sequential(*layers)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Feature maps [B, width, H/4, W/4] of normalized images [B, 3, H, W]."""
        return self.features(images)


class InvertedResidual(nn.Module):
    """Widen by a 1x1 convolution, filter each channel by itself, narrow again."""

    def __init__(self, inputs: int, outputs: int, norm_layer: NormLayer, *, expansion: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.layers = nn.Sequential(
            _convolution(inputs, width, norm_layer),
            _convolution(width, width, norm_layer, kernel=3, stride=stride, groups=width),
            nn.Conv2d(width, outputs, kernel_size=1, bias=False),
            norm_layer(outputs),
        )
        self.shortcut = inputs == outputs and stride == 1

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, outputs, H/stride, W/stride] of maps [B, inputs, H, W]."""
        found = self.layers(maps)
        return maps + found if self.shortcut else found


def _convolution(
    inputs: int, outputs: int, norm_layer: NormLayer, *, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, norm_layer(outputs), nn.Hardswish())
