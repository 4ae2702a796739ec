"""A codec from the name of its representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.pose.codecs.base import Codec
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.errors import UnknownNameError
from bench.pose.geometry import Size

__all__ = ["CodecSettings", "build_codec"]


@dataclass(frozen=True)
class CodecSettings:
    """A representation with everything that its targets, loss and decoding depend on.

    Attributes:
        representation: "heatmap", "simdr" or "simdr_star".
        input_size: crop height and width in px.
        split_ratio: bins per px (SimDR and SimDR*).
        sigma: of the Gaussian, in map cells (heatmap) or bins (SimDR*).
        label_smoothing: of SimDR's classes.
        loss_reduction: "sum" or "mean" of SimDR's loss.
        weight_bounds: "reference" or "exact", how far outside the crop joints keep their weight (heatmap and SimDR*).
        heatmap_center: "rounded" or "exact", where a heatmap's Gaussian stands.
        post_process: refine heatmap peaks.
        refinement: "quarter" or "dark", how they are refined.
        flip_shift: "reference" moves the mirrored view by one cell or bin, "exact" SimDR's by k - 1 bins (behaviour
            E2), "none" by nothing.
    """

    representation: str
    input_size: Size
    split_ratio: float | None = None
    sigma: float | None = None
    label_smoothing: float | None = None
    loss_reduction: Literal["sum", "mean"] | None = None
    weight_bounds: Literal["reference", "exact"] | None = None
    heatmap_center: Literal["rounded", "exact"] | None = "rounded"
    post_process: bool = False
    refinement: Literal["quarter", "dark"] | None = "quarter"
    flip_shift: Literal["reference", "exact", "none"] = "reference"


def build_codec(settings: CodecSettings, mirror: tuple[int, ...]) -> Codec[Any, Any]:
    """The codec of a representation.

    Args:
        settings: of the representation; the fields that it needs must be set.
        mirror: joint permutation of a horizontal flip.

    Raises:
        UnknownNameError: there is no such representation.
        ValueError: a setting that the representation needs is missing.
    """
    match settings.representation:
        case "heatmap":
            return HeatmapCodec(
                settings.input_size,
                mirror,
                sigma=_needed(settings, "sigma"),
                center=_needed(settings, "heatmap_center"),
                bounds=_needed(settings, "weight_bounds"),
                refinement=settings.refinement if settings.post_process else None,
                mirror_shift=0.0 if settings.flip_shift == "none" else 1.0,
            )
        case "simdr":
            return SimDRCodec(
                settings.input_size,
                mirror,
                split_ratio=_needed(settings, "split_ratio"),
                label_smoothing=_needed(settings, "label_smoothing"),
                reduction=_needed(settings, "loss_reduction"),
                mirror_shift=_bin_shift(settings),
            )
        case "simdr_star":
            return SimDRStarCodec(
                settings.input_size,
                mirror,
                split_ratio=_needed(settings, "split_ratio"),
                sigma=_needed(settings, "sigma"),
                bounds=_needed(settings, "weight_bounds"),
                mirror_shift=_bin_shift(settings),
            )
        case unknown:
            raise UnknownNameError("representation", unknown, ("heatmap", "simdr", "simdr_star"))


def _needed(settings: CodecSettings, name: str) -> Any:
    value = getattr(settings, name)
    if value is None:
        raise ValueError(f"representation {settings.representation!r} needs {name}")
    return value


def _bin_shift(settings: CodecSettings) -> float:
    shifts = {"reference": -1.0, "exact": 1.0 - _needed(settings, "split_ratio"), "none": 0.0}
    return shifts[settings.flip_shift]
