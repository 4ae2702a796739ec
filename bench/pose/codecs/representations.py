"""The keypoint representations by name, and what is known of each without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.pose.codecs.base import Codec

__all__ = ["OUTPUTS", "REPRESENTATIONS", "CodecBuilder", "CodecSettings", "Output", "Representation"]

Output = Literal["maps", "coordinates"]
"""What networks put out: a map per keypoint, or logits over the bins of each axis."""

OUTPUTS: tuple[Output, ...] = ("maps", "coordinates")


@dataclass(frozen=True)
class CodecSettings:
    """A representation with everything that its targets, loss and decoding depend on.

    Attributes:
        representation: one of `REPRESENTATIONS`.
        input_size: crop height and width in px.
        split_ratio: bins per px (SimDR and SimDR*).
        sigma: of the Gaussian, in map cells (heatmap) or bins (SimDR*).
        label_smoothing: of SimDR's classes.
        loss_reduction: "sum" or "mean" of SimDR's loss.
        weight_bounds: "reference" or "exact", how far outside the crop keypoints keep their weight (heatmap and
            SimDR*).
        heatmap_center: "rounded" or "exact", where a heatmap's Gaussian stands.
        post_process: refine heatmap peaks.
        refinement: "quarter" or "dark", how they are refined.
        flip_shift: "reference" moves the flipped view by one cell or bin, "exact" SimDR's by k - 1 bins (behaviour
            E2), "none" by nothing.
    """

    representation: str
    input_size: tuple[int, int]
    split_ratio: float | None = None
    sigma: float | None = None
    label_smoothing: float | None = None
    loss_reduction: Literal["sum", "mean"] | None = None
    weight_bounds: Literal["reference", "exact"] | None = None
    heatmap_center: Literal["rounded", "exact"] | None = "rounded"
    post_process: bool = False
    refinement: Literal["quarter", "dark"] | None = "quarter"
    flip_shift: Literal["reference", "exact", "none"] = "reference"

    def needed(self, name: str) -> Any:
        """A setting that the representation cannot do without. Raises `ValueError` if it is missing."""
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"representation {self.representation!r} needs {name}")
        return value

    @property
    def bin_shift(self) -> float:
        """How far coordinate classifications of the flipped view are moved to the right, in bins."""
        shifts = {"reference": -1.0, "exact": 1.0 - self.needed("split_ratio"), "none": 0.0}
        return shifts[self.flip_shift]


class CodecBuilder(Protocol):
    """Makes a codec."""

    def __call__(self, settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
        """The codec with these settings; `flip_indices` permutes keypoints as a horizontal flip does."""


@dataclass(frozen=True)
class Representation:
    """One way to express keypoints.

    Attributes:
        title: as printed.
        output: what its networks put out.
        settings: that it reads, of `CodecSettings`; the others make no difference to it and are `None` in its specs.
            All read `input_size` and `flip_shift`.
        build: makes its codec. Called only when one is needed, so that planning imports no torch.
    """

    title: str
    output: Output
    settings: frozenset[str]
    build: CodecBuilder


def _heatmap(settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
    from bench.pose.codecs.heatmap import HeatmapCodec

    return HeatmapCodec(
        settings.input_size,
        flip_indices,
        sigma=settings.needed("sigma"),
        center=settings.needed("heatmap_center"),
        bounds=settings.needed("weight_bounds"),
        refinement=settings.refinement if settings.post_process else None,
        flip_shift=0.0 if settings.flip_shift == "none" else 1.0,
    )


def _simdr(settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
    from bench.pose.codecs.simdr import SimDRCodec

    return SimDRCodec(
        settings.input_size,
        flip_indices,
        split_ratio=settings.needed("split_ratio"),
        label_smoothing=settings.needed("label_smoothing"),
        reduction=settings.needed("loss_reduction"),
        flip_shift=settings.bin_shift,
    )


def _simdr_star(settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
    from bench.pose.codecs.simdr_star import SimDRStarCodec

    return SimDRStarCodec(
        settings.input_size,
        flip_indices,
        split_ratio=settings.needed("split_ratio"),
        sigma=settings.needed("sigma"),
        bounds=settings.needed("weight_bounds"),
        flip_shift=settings.bin_shift,
    )


REPRESENTATIONS: Registry[Representation] = Registry(
    "representation",
    {
        "heatmap": Representation(
            "heatmap",
            "maps",
            frozenset({"sigma", "heatmap_center", "weight_bounds", "post_process", "refinement"}),
            _heatmap,
        ),
        "simdr": Representation(
            "SimDR", "coordinates", frozenset({"split_ratio", "label_smoothing", "loss_reduction"}), _simdr
        ),
        "simdr_star": Representation(
            "SimDR*", "coordinates", frozenset({"split_ratio", "sigma", "weight_bounds"}), _simdr_star
        ),
    },
)
"""What `build_codec` accepts; `bench.extend.codec` adds to it."""
