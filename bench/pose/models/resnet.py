"""Simple Baselines ("SimBa"): a ResNet and three transposed convolutions (Xiao et al., ECCV 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from bench.pose.input_size import CELL
from bench.pose.models.backbone import backbone
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import MapModel
from bench.pose.models.network import NetworkShape
from bench.pose.models.upsampling import upsampling_layers
from bench.pose.torchvision_shim import torchvision_models

__all__ = ["SimpleBaseline"]

_BASIC_CHANNELS, _BOTTLENECK_CHANNELS = 512, 2048
_BOTTLENECK_DEPTH = 50


@backbone("simba_tiny", title="SimBa-tiny", upsamples=True, depth=10, layers=3, deconvolutions=(64, 64))
@backbone("simba_res18", title="SimBa-Res18", upsamples=True, depth=18)
@backbone("simba_res34", title="SimBa-Res34", upsamples=True, depth=34)
@backbone("simba_res50", title="SimBa-Res50", upsamples=True, depth=50)
@backbone("simba_res101", title="SimBa-Res101", upsamples=True, depth=101)
@backbone("simba_res152", title="SimBa-Res152", upsamples=True, depth=152)
@backbone(
    "simba_res50_upsample_free",
    title="SimBa-Res50 without upsampling",
    outputs=("coordinates",),  # its maps are 32 times smaller than the input, too few cells for heatmaps
    input_sizes=((64, 64), (128, 128), (256, 192)),
    depth=50,
    deconvolutions=(),
    maps_per_keypoint={(64, 64): 32, (128, 128): 32, (256, 192): 28},
)
class SimpleBaseline(MapModel):
    """ResNet trunk down to stride 32, then three transposed 4x4 convolutions of 256 channels up to stride 4.

    The trunk is torchvision's without average pooling and classifier; its bottlenecks carry the stride on the
    3x3 convolution, as the reference's do. Two variants differ:

    - The upsample-free one has no transposed convolutions: a 1x1 convolution reads several maps per keypoint from the
      trunk's 2048 channels at stride 32 (protocols 1.1).
    - The tiny one, which is not in the paper, has one basic block per layer, stops at stride 16 and goes up by two
      transposed convolutions of 64 channels: it learns in a minute on a CPU.

    None has transposed convolutions where the shape says so, or where the output is points.

    Args:
        shape: of the network.
        norm_layer: makes each batch normalization.
        depth: number of weight layers of the ResNet.
        layers: how many of the ResNet's four layers are used.
        deconvolutions: channels of each transposed convolution.
        maps_per_keypoint: maps for each keypoint by input size; None for one. The numbers of the upsample-free network
            are those of the reference's three configurations (protocols 1.1), which follow no formula.
    """

    trunk: ClassVar[tuple[str, ...]] = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
    default_final_bias: ClassVar[bool] = True

    def __init__(
        self,
        shape: NetworkShape,
        norm_layer: NormLayer,
        *,
        depth: int,
        layers: int = 4,
        deconvolutions: Sequence[int] = (256, 256, 256),
        maps_per_keypoint: Mapping[tuple[int, int], int] | None = None,
    ) -> None:
        deconvolutions = deconvolutions if shape.upsample else ()
        # Each layer doubles the channels and halves the resolution.
        channels = (_BASIC_CHANNELS if depth < _BOTTLENECK_DEPTH else _BOTTLENECK_CHANNELS) >> (4 - layers)
        super().__init__(
            shape,
            channels=deconvolutions[-1] if deconvolutions else channels,
            stride=(CELL >> (4 - layers)) >> len(deconvolutions),
            maps_per_keypoint=1 if maps_per_keypoint is None else maps_per_keypoint[shape.input_size],
        )
        resnet = _resnet(depth, norm_layer)
        self._steps = ("conv1", "bn1", "relu", "maxpool", *(f"layer{number + 1}" for number in range(layers)))
        for name in self._steps:
            self.add_module(name, getattr(resnet, name))
        self.deconv_layers = upsampling_layers(channels, deconvolutions, norm_layer)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Feature maps [B, channels, H/stride, W/stride] of normalized images [B, 3, H, W]."""
        maps = images
        for name in (*self._steps, "deconv_layers"):
            maps = self.get_submodule(name)(maps)
        return maps


def _resnet(depth: int, norm_layer: NormLayer) -> Any:
    """Torchvision's ResNet; of depth 10, which torchvision lacks, with one basic block per layer."""
    models = torchvision_models()
    if depth == 10:
        return models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], norm_layer=norm_layer)
    return getattr(models, f"resnet{depth}")(norm_layer=norm_layer)
