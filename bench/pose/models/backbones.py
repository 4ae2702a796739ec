"""The backbones by name, and what is known of each without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.pose.codecs.representations import OUTPUTS, Output
from bench.pose.models.tokens import PATCHES
from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.pose.models.batch_norm import NormLayer
    from bench.pose.models.heads import PoseModel
    from bench.pose.models.spec import ModelSpec

__all__ = [
    "BACKBONES",
    "CHANNELS_PER_KEYPOINT",
    "HRNET_WIDTHS",
    "RESNET_DEPTHS",
    "TINY",
    "TOKENPOSE",
    "UPSAMPLE_FREE",
    "Backbone",
    "NetworkBuilder",
]

UPSAMPLE_FREE = "simba_res50_upsample_free"
"""Simple Baselines without transposed convolutions, which SimDR makes possible."""

TOKENPOSE = "tokenpose_s"
"""TokenPose-S, a transformer on patches of a convolutional stem; `bench.pose.models.tokens` has its sizes."""

RESNET_DEPTHS = {
    "simba_res18": 18,
    "simba_res34": 34,
    "simba_res50": 50,
    "simba_res101": 101,
    "simba_res152": 152,
    UPSAMPLE_FREE: 50,
}
"""Layers of the ResNet trunk of each Simple Baselines network."""

HRNET_WIDTHS = {"hrnet_w32": 32, "hrnet_w48": 48}
"""Channels of the highest-resolution branch of each HRNet."""

TINY = "simba_tiny"
"""A network that is not in the paper, small enough for tests, CI and the quickstart."""

CHANNELS_PER_KEYPOINT: Mapping[tuple[int, int], int] = {(64, 64): 32, (128, 128): 32, (256, 192): 28}
"""Maps per keypoint of the upsample-free network for each input size (height, width) that has a configuration.

Its maps are 32 times smaller than the input, so one per keypoint would leave the classifiers too little to read. The
numbers are those of the reference's three configurations (protocols 1.1), which follow no formula.
"""


class NetworkBuilder(Protocol):
    """Makes a network, its weights not yet drawn."""

    def __call__(self, spec: ModelSpec, norm_layer: NormLayer) -> PoseModel:
        """The network of a spec, with normalization layers made by `norm_layer(channels)`."""


@dataclass(frozen=True)
class Backbone:
    """A family of networks of all sizes.

    Attributes:
        title: as printed.
        build: makes one of its networks. Called only when a network is needed, so that planning imports no torch.
        outputs: that its networks can have.
        input_sizes: (height, width) for which its parts are defined; None for all multiples of 32 px.
    """

    title: str
    build: NetworkBuilder
    outputs: tuple[Output, ...] = OUTPUTS
    input_sizes: tuple[tuple[int, int], ...] | None = None


def _simple_baseline(spec: ModelSpec, norm_layer: NormLayer) -> PoseModel:
    from bench.pose.models.resnet import SimpleBaseline

    return SimpleBaseline(spec, norm_layer)


def _hrnet(spec: ModelSpec, norm_layer: NormLayer) -> PoseModel:
    from bench.pose.models.hrnet import HRNet

    return HRNet(spec, norm_layer)


def _tokenpose(spec: ModelSpec, norm_layer: NormLayer) -> PoseModel:
    from bench.pose.models.tokenpose import PrefixedTokenPose, TokenPose

    return TokenPose(spec, norm_layer) if spec.bins else PrefixedTokenPose(spec, norm_layer)


BACKBONES: Registry[Backbone] = Registry(
    "backbone",
    {
        TINY: Backbone("SimBa-tiny", _simple_baseline),
        "simba_res18": Backbone("SimBa-Res18", _simple_baseline),
        "simba_res34": Backbone("SimBa-Res34", _simple_baseline),
        "simba_res50": Backbone("SimBa-Res50", _simple_baseline),
        "simba_res101": Backbone("SimBa-Res101", _simple_baseline),
        "simba_res152": Backbone("SimBa-Res152", _simple_baseline),
        # Its maps are 32 times smaller than the input, too few cells for heatmaps.
        UPSAMPLE_FREE: Backbone(
            "SimBa-Res50 without upsampling", _simple_baseline, ("coordinates",), tuple(CHANNELS_PER_KEYPOINT)
        ),
        "hrnet_w32": Backbone("HRNet-W32", _hrnet),
        "hrnet_w48": Backbone("HRNet-W48", _hrnet),
        TOKENPOSE: Backbone("TokenPose-S", _tokenpose, input_sizes=tuple(PATCHES)),
    },
)
"""What `build_model` accepts; `bench.extend.backbone` adds to it."""
