"""What a network is and what it costs, described without torch so that planning needs none."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from bench.pose.codecs.representations import REPRESENTATIONS, Output
from bench.pose.models.backbones import BACKBONES, CHANNELS_PER_KEYPOINT, UPSAMPLE_FREE

__all__ = ["CELL", "INITIALIZATIONS", "Complexity", "ModelSpec"]

INITIALIZATIONS: tuple[str, ...] = ("reference", "kaiming")
"""Ways to draw the first weights of a network that starts without ImageNet weights."""

CELL = 32
"""Side in pixels of the square that every backbone reduces to one position at its coarsest resolution."""


@dataclass(frozen=True)
class Complexity:
    """Size and work of a network for one image.

    Attributes:
        params: number of parameters, trainable or not: TokenPose's fixed position embedding is among them, although
            the paper's tables leave it out.
        multiply_adds: multiply-adds of convolutions, transposed convolutions and matrix products.
        published_convention: the count that the paper's tables divide by 2**30 and call GFLOPs (behaviour 4):
            transposed convolutions are charged at their output resolution and linear layers as if their
            number of inputs were the second dimension of the input tensor.
    """

    params: int
    multiply_adds: int
    published_convention: int


@dataclass(frozen=True)
class ModelSpec:
    """One network: a valid combination of backbone, representation and sizes.

    Attributes:
        backbone: one of `BACKBONES`.
        representation: one of `REPRESENTATIONS`.
        keypoints: number of keypoints, J.
        input_size: (height, width) of the input image in pixels, multiples of `CELL`.
        split_ratio: bins per pixel, the paper's k; None for heatmaps.

    Raises:
        UnknownNameError: the backbone or the representation is not registered.
        ValueError: a size or the split ratio is out of range, or the backbone has no such representation or input
            size; the message says which and what is valid.
    """

    backbone: str
    representation: str
    keypoints: int
    input_size: tuple[int, int]
    split_ratio: float | None = None

    def __post_init__(self) -> None:
        backbone = BACKBONES.named(self.backbone)
        REPRESENTATIONS.named(self.representation)
        if self.keypoints < 1:
            raise ValueError(f"keypoints must be at least 1, got {self.keypoints}")
        if any(side < CELL or side % CELL for side in self.input_size):
            raise ValueError(
                f"input_size (height, width) must be positive multiples of {CELL} px, got {self.input_size}"
            )
        if self.output not in backbone.outputs:
            valid = [name for name, other in REPRESENTATIONS.items() if other.output in backbone.outputs]
            raise ValueError(f"{self.backbone} has no {self.representation}; valid representations: {', '.join(valid)}")
        if backbone.input_sizes is not None and self.input_size not in backbone.input_sizes:
            valid = list(map(_size_text, backbone.input_sizes))
            raise ValueError(
                f"{self.backbone} has no form for input size {_size_text(self.input_size)};"
                f" valid (HxW): {', '.join(valid)}"
            )
        self._check_split_ratio()

    def _check_split_ratio(self) -> None:
        if self.output == "maps":
            if self.split_ratio is not None:
                raise ValueError(f"split_ratio does not apply to {self.representation}, got {self.split_ratio}")
        elif self.split_ratio is None or not 1 <= min(self.input_size) * self.split_ratio < inf:
            raise ValueError(
                f"{self.representation} needs a positive split_ratio (bins per pixel) that gives at least"
                f" one bin, got {self.split_ratio}"
            )

    @property
    def output(self) -> Output:
        """What the network puts out."""
        return REPRESENTATIONS[self.representation].output

    @property
    def bins(self) -> tuple[int, int] | None:
        """Number of bins along x and along y; None for heatmaps."""
        if self.split_ratio is None:
            return None
        height, width = self.input_size
        return int(width * self.split_ratio), int(height * self.split_ratio)

    @property
    def maps_per_keypoint(self) -> int:
        """Maps that the final convolution computes for each keypoint; 1 for a network without one."""
        return CHANNELS_PER_KEYPOINT[self.input_size] if self.backbone == UPSAMPLE_FREE else 1


def _size_text(size: tuple[int, int]) -> str:
    height, width = size
    return f"{height}x{width}"
