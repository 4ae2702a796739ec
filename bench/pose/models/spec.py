"""What a network is and what it costs, described without torch so that planning needs none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from bench.pose.errors import UnknownNameError
from bench.pose.models.tokens import PATCHES

__all__ = [
    "BACKBONES",
    "CELL",
    "CHANNELS_PER_JOINT",
    "HRNET_WIDTHS",
    "INITIALISATIONS",
    "INPUT_SIZES",
    "REPRESENTATIONS",
    "RESNET_DEPTHS",
    "TINY",
    "TOKENPOSE",
    "UPSAMPLE_FREE",
    "Complexity",
    "ModelSpec",
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

BACKBONES: tuple[str, ...] = (TINY, *RESNET_DEPTHS, *HRNET_WIDTHS, TOKENPOSE)
"""Names that `build_model` accepts."""

REPRESENTATIONS: tuple[str, ...] = ("heatmap", "simdr", "simdr_star")
"""How a network expresses joints: maps, or a classification per axis (SimDR and SimDR* differ in targets)."""

INITIALISATIONS: tuple[str, ...] = ("reference", "kaiming")
"""Ways to draw the first weights of a network that starts without ImageNet weights."""

CELL = 32
"""Side in pixels of the square that every backbone reduces to one position at its coarsest resolution."""

CHANNELS_PER_JOINT: Mapping[tuple[int, int], int] = {(64, 64): 32, (128, 128): 32, (256, 192): 28}
"""Maps per joint of the upsample-free network for each input size (height, width) that has a configuration.

Its maps are 32 times smaller than the input, so one per joint would leave the classifiers too little to read. The
numbers are those of the reference's three configurations (protocols 1.1), which follow no formula.
"""

INPUT_SIZES: Mapping[str, tuple[tuple[int, int], ...]] = {
    UPSAMPLE_FREE: tuple(CHANNELS_PER_JOINT),
    TOKENPOSE: tuple(PATCHES),
}
"""Backbones whose parts are defined for some input sizes (height, width) only, and those sizes."""


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
        joints: number of joints, J.
        input_size: (height, width) of the input image in pixels, multiples of `CELL`.
        split_ratio: bins per pixel, the paper's k; None for heatmaps.

    Raises:
        UnknownNameError: the backbone or the representation is not registered.
        ValueError: a size or the split ratio is out of range, or the backbone has no such representation or input
            size; the message says which and what is valid.
    """

    backbone: str
    representation: str
    joints: int
    input_size: tuple[int, int]
    split_ratio: float | None = None

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise UnknownNameError("backbone", self.backbone, BACKBONES)
        if self.representation not in REPRESENTATIONS:
            raise UnknownNameError("representation", self.representation, REPRESENTATIONS)
        if self.joints < 1:
            raise ValueError(f"joints must be at least 1, got {self.joints}")
        if any(side < CELL or side % CELL for side in self.input_size):
            raise ValueError(
                f"input_size (height, width) must be positive multiples of {CELL} px, got {self.input_size}"
            )
        self._check_backbone()
        self._check_split_ratio()

    def _check_backbone(self) -> None:
        """Raise `ValueError` for what this backbone lacks although others have it."""
        if self.backbone == UPSAMPLE_FREE and self.representation == "heatmap":
            raise ValueError(
                f"{self.backbone} has no heatmap, because its maps are 32 times smaller than the input;"
                " valid representations: simdr, simdr_star"
            )
        sizes = INPUT_SIZES.get(self.backbone, (self.input_size,))
        if self.input_size not in sizes:
            valid = ", ".join(map(_size_text, sizes))
            raise ValueError(
                f"{self.backbone} has no form for input size {_size_text(self.input_size)}; valid (HxW): {valid}"
            )

    def _check_split_ratio(self) -> None:
        if self.representation == "heatmap":
            if self.split_ratio is not None:
                raise ValueError(f"split_ratio does not apply to heatmap, got {self.split_ratio}")
        elif self.split_ratio is None or not 1 <= min(self.input_size) * self.split_ratio < inf:
            raise ValueError(
                f"{self.representation} needs a positive split_ratio (bins per pixel) that gives at least"
                f" one bin, got {self.split_ratio}"
            )

    @property
    def bins(self) -> tuple[int, int] | None:
        """Number of bins along x and along y; None for heatmaps."""
        if self.split_ratio is None:
            return None
        height, width = self.input_size
        return int(width * self.split_ratio), int(height * self.split_ratio)

    @property
    def maps_per_joint(self) -> int:
        """Maps that the final convolution computes for each joint; 1 for a network without one."""
        return CHANNELS_PER_JOINT[self.input_size] if self.backbone == UPSAMPLE_FREE else 1


def _size_text(size: tuple[int, int]) -> str:
    height, width = size
    return f"{height}x{width}"
