"""The base classes of pose networks: what each returns, and the way from a backbone's maps to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from bench.pose.models.network import NetworkShape
from bench.pose.outputs import Coordinates

__all__ = ["MapModel", "PoseModel"]

_POINT_STD = 0.01
"""Deviation of the first weights of the linear layer to points, as in mmpose."""


class PoseModel(nn.Module):
    """A network from normalized images [B, 3, H, W] to one kind of output, see `bench.pose.outputs`.

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
    """A backbone's feature maps and what reads them, which depends on the kind of output.

    - Maps: a 1x1 convolution to a map of each keypoint.
    - Coordinates: the same, to one or several maps, and two linear layers on a keypoint's flattened maps, shared by all
      keypoints, with no nonlinearity between (behaviour, "Initialization").
    - Points: the mean over positions and one linear layer.

    Args:
        shape: of the network.
        channels: of the feature maps.
        stride: input pixels per cell of the feature maps.
        maps_per_keypoint: maps that the convolution computes for each keypoint, where the shape does not say; networks
            that do not upsample need several, because one small map leaves the linear layers too little to read.
    """

    def __init__(self, shape: NetworkShape, *, channels: int, stride: int = 4, maps_per_keypoint: int = 1) -> None:
        super().__init__()
        self.keypoints = shape.keypoints
        self.final_layer: nn.Module | None = None
        self.mlp_head_x: nn.Linear | None = None
        self.mlp_head_y: nn.Linear | None = None
        self.fc: nn.Module | None = None
        if shape.values is not None:
            self.fc = nn.Linear(channels, shape.keypoints * shape.values)
            self.draw_own_weights()
            return
        each = shape.maps_per_keypoint or maps_per_keypoint
        self.final_layer = nn.Conv2d(channels, shape.keypoints * each, kernel_size=1)
        if shape.bins is not None:
            height, width = shape.input_size
            inputs = each * (height // stride) * (width // stride)
            self.mlp_head_x, self.mlp_head_y = (nn.Linear(inputs, bins) for bins in shape.bins)

    def draw_own_weights(self) -> None:
        """Draw the linear layer to points from N(0, 0.01), with bias 0."""
        if isinstance(self.fc, nn.Linear):
            nn.init.normal_(self.fc.weight, std=_POINT_STD)
            nn.init.zeros_(self.fc.bias)

    @abstractmethod
    def feature_maps(self, images: Tensor) -> Tensor:
        """Feature maps [B, channels, H/stride, W/stride] of normalized images [B, 3, H, W].

        Each backbone has its own way to them. The method is not called `features` because many networks, among them
        torchvision's, have a child module of that name, which would take its place.
        """

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """Maps [B, J, H/4, W/4], `Coordinates` or points [B, J, values], of normalized images [B, 3, H, W]."""
        features = self.feature_maps(images)
        if self.fc is not None:
            points: Tensor = self.fc(features.mean((2, 3)))
            return points.unflatten(1, (self.keypoints, -1))
        maps: Tensor = self.final_layer(features) if self.final_layer is not None else features
        if self.mlp_head_x is None or self.mlp_head_y is None:
            return maps
        flat = maps.unflatten(1, (self.keypoints, -1)).flatten(start_dim=2)
        return Coordinates(x=self.mlp_head_x(flat), y=self.mlp_head_y(flat))
