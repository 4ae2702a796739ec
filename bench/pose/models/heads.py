"""What every pose network returns, and the way from a backbone's maps to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from bench.pose.models.spec import ModelSpec

__all__ = ["Coordinates", "MapModel", "PoseModel"]


class Coordinates(NamedTuple):
    """Logits of the classification of each joint's x and y (paper section 3.1).

    Attributes:
        x: [B, J, int(W * k)] for input width W and split ratio k.
        y: [B, J, int(H * k)].
    """

    x: Tensor
    y: Tensor


class PoseModel(nn.Module):
    """A network from normalized images [B, 3, H, W] to heatmaps [B, J, H/4, W/4] or `Coordinates` of logits.

    Backbones are subclasses rather than parts because the published weights name backbone and head layers side by
    side at the top level.

    Attributes:
        trunk: names of the children that ImageNet classifiers also have, and can give weights to.
        default_final_bias: whether training from scratch leaves the final convolution's bias at torch's
            random default, as the reference does for some backbones, instead of zero.
    """

    trunk: ClassVar[tuple[str, ...]] = ()
    default_final_bias: ClassVar[bool] = False


class MapModel(PoseModel, ABC):
    """A backbone's features, a 1x1 convolution to maps of each keypoint and, but for heatmaps, two classifiers.

    The classifiers are linear layers on a joint's flattened maps, shared by all keypoints, with no nonlinearity
    between (behaviour, "Initialization").

    Args:
        spec: the network; `spec.maps_per_keypoint` are one but for networks that do not upsample.
        channels: of the features.
        stride: input pixels per cell of the features.
    """

    def __init__(self, spec: ModelSpec, *, channels: int, stride: int = 4) -> None:
        super().__init__()
        self.keypoints = spec.keypoints
        self.final_layer: nn.Module = nn.Conv2d(channels, spec.keypoints * spec.maps_per_keypoint, kernel_size=1)
        self.mlp_head_x: nn.Linear | None = None
        self.mlp_head_y: nn.Linear | None = None
        if spec.bins is not None:
            height, width = spec.input_size
            inputs = spec.maps_per_keypoint * (height // stride) * (width // stride)
            bins_x, bins_y = spec.bins
            self.mlp_head_x = nn.Linear(inputs, bins_x)
            self.mlp_head_y = nn.Linear(inputs, bins_y)

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Features [B, channels, H/stride, W/stride] of normalized images; each backbone has its own."""

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """Heatmaps [B, J, H/4, W/4], or `Coordinates` of logits, of normalized images [B, 3, H, W]."""
        maps: Tensor = self.final_layer(self.features(images))
        if self.mlp_head_x is None or self.mlp_head_y is None:
            return maps
        flat = maps.unflatten(1, (self.keypoints, -1)).flatten(start_dim=2)
        return Coordinates(x=self.mlp_head_x(flat), y=self.mlp_head_y(flat))
