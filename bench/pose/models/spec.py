"""What a network is and what it costs, described without torch so that planning needs none."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from bench.pose.errors import UnknownNameError

__all__ = [
    "BACKBONES",
    "CELL",
    "HRNET_WIDTHS",
    "INITIALISATIONS",
    "REPRESENTATIONS",
    "RESNET_DEPTHS",
    "TINY",
    "Complexity",
    "ModelSpec",
]

RESNET_DEPTHS = {
    "simba_res18": 18,
    "simba_res34": 34,
    "simba_res50": 50,
    "simba_res101": 101,
    "simba_res152": 152,
}
"""Layers of the ResNet trunk of each Simple Baselines network."""

HRNET_WIDTHS = {"hrnet_w32": 32, "hrnet_w48": 48}
"""Channels of the highest-resolution branch of each HRNet."""

TINY = "simba_tiny"
"""A network that is not in the paper, small enough for tests, CI and the quickstart."""

BACKBONES: tuple[str, ...] = (TINY, *RESNET_DEPTHS, *HRNET_WIDTHS)
"""Names that `build_model` accepts."""

REPRESENTATIONS: tuple[str, ...] = ("heatmap", "simdr", "simdr_star")
"""How a network expresses joints: maps, or a classification per axis (SimDR and SimDR* differ in targets)."""

INITIALISATIONS: tuple[str, ...] = ("reference", "kaiming")
"""Ways to draw the first weights of a network that starts without ImageNet weights."""

CELL = 32
"""Side in pixels of the square that every backbone reduces to one position at its coarsest resolution."""


@dataclass(frozen=True)
class Complexity:
    """Size and work of a network for one image.

    Attributes:
        params: number of parameters, trainable or not.
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
        ValueError: a size or the split ratio is out of range; the message says which.
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
        self._check_split_ratio()

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
