"""The base classes of pose networks: what each returns, and the way from a backbone's maps to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from bench.pose.models.network import NetworkShape
from bench.pose.outputs import Coordinates

__all__ = ["MapModel", "PoseModel"]


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

    def draw_own_weights(self) -> None:
        """Draw the weights that start alike in every initialization scheme, after torch's defaults; here none do."""

    def adapt_classifier(self, state_dict: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The weights of an ImageNet classifier under this network's names; here they are the same names."""
        return state_dict


class MapModel(PoseModel, ABC):
    """A backbone's feature maps, a 1x1 convolution to maps of each keypoint and, but for heatmaps, two classifiers.

    The classifiers are linear layers on a keypoint's flattened maps, shared by all keypoints, with no nonlinearity
    between (behaviour, "Initialization").

    Args:
        shape: of the network.
        channels: of the feature maps.
        stride: input pixels per cell of the feature maps.
        maps_per_keypoint: maps that the convolution computes for each keypoint; networks that do not upsample need
            several, because one small map leaves the classifiers too little to read.
    """

    def __init__(self, shape: NetworkShape, *, channels: int, stride: int = 4, maps_per_keypoint: int = 1) -> None:
        super().__init__()
        self.keypoints = shape.keypoints
        self.final_layer: nn.Module = nn.Conv2d(channels, shape.keypoints * maps_per_keypoint, kernel_size=1)
        self.mlp_head_x: nn.Linear | None = None
        self.mlp_head_y: nn.Linear | None = None
        if shape.bins is not None:
            height, width = shape.input_size
            inputs = maps_per_keypoint * (height // stride) * (width // stride)
            bins_x, bins_y = shape.bins
            self.mlp_head_x = nn.Linear(inputs, bins_x)
            self.mlp_head_y = nn.Linear(inputs, bins_y)

    @abstractmethod
    def feature_maps(self, images: Tensor) -> Tensor:
        """Feature maps [B, channels, H/stride, W/stride] of normalized images [B, 3, H, W].

        Each backbone has its own way to them. The method is not called `features` because many networks, among them
        torchvision's, have a child module of that name, which would take its place.
        """

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """Heatmaps [B, J, H/4, W/4], or `Coordinates` of logits, of normalized images [B, 3, H, W]."""
        maps: Tensor = self.final_layer(self.feature_maps(images))
        if self.mlp_head_x is None or self.mlp_head_y is None:
            return maps
        flat = maps.unflatten(1, (self.keypoints, -1)).flatten(start_dim=2)
        return Coordinates(x=self.mlp_head_x(flat), y=self.mlp_head_y(flat))
