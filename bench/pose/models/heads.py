"""From a backbone's features to joints: the part that every network shares."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from bench.pose.models.spec import ModelSpec

__all__ = ["Coordinates", "PoseModel"]


class Coordinates(NamedTuple):
    """Logits of the classification of each joint's x and y (paper section 3.1).

    Attributes:
        x: [B, J, int(W * k)] for input width W and split ratio k.
        y: [B, J, int(H * k)].
    """

    x: Tensor
    y: Tensor


class PoseModel(nn.Module):
    """A backbone's features, a 1x1 convolution to one map per joint and, but for heatmaps, two classifiers.

    The classifiers are linear layers on a joint's flattened map, shared by all joints, with no nonlinearity
    between (behaviour, "Initialisation"). Backbones are subclasses rather than parts because the published
    weights name backbone and head layers side by side at the top level.

    Attributes:
        stride: input pixels per cell of the maps.
        trunk: names of the children that ImageNet classifiers also have, and can give weights to.
        default_final_bias: whether training from scratch leaves the final convolution's bias at torch's
            random default, as the reference does for some backbones, instead of zero.
    """

    stride: ClassVar[int] = 4
    trunk: ClassVar[tuple[str, ...]]
    default_final_bias: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec, *, channels: int) -> None:
        super().__init__()
        self.final_layer: nn.Module = nn.Conv2d(channels, spec.joints, kernel_size=1)
        self.mlp_head_x: nn.Linear | None = None
        self.mlp_head_y: nn.Linear | None = None
        if spec.bins is not None:
            height, width = spec.input_size
            cells = (height // self.stride) * (width // self.stride)
            bins_x, bins_y = spec.bins
            self.mlp_head_x = nn.Linear(cells, bins_x)
            self.mlp_head_y = nn.Linear(cells, bins_y)

    def features(self, images: Tensor) -> Tensor:
        """Features [B, channels, H/4, W/4] of normalised images [B, 3, H, W]; each backbone has its own."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """Heatmaps [B, J, H/4, W/4], or `Coordinates` of logits, of normalised images [B, 3, H, W]."""
        maps: Tensor = self.final_layer(self.features(images))
        if self.mlp_head_x is None or self.mlp_head_y is None:
            return maps
        flat = maps.flatten(start_dim=2)
        return Coordinates(x=self.mlp_head_x(flat), y=self.mlp_head_y(flat))
