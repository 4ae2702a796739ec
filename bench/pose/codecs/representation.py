"""The keypoint representations by name, their settings, and the decorator that adds one. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bench.pose.builtin import declarations
from bench.pose.errors import ExtensionError
from bench.pose.outputs import Output
from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.pose.codecs.base import Codec

__all__ = [
    "CODEC_SETTINGS",
    "DECODING_SETTINGS",
    "REPRESENTATIONS",
    "CodecSettings",
    "FlipShift",
    "PostProcess",
    "Representation",
    "build_codec",
    "codec",
]

PostProcess = Literal["none", "quarter", "dark"]
"""Refinement of heatmap peaks: not at all, by a quarter cell (behaviour E7), or by DARK's Newton step."""

FlipShift = Literal["reference", "exact", "none"]
"""Shift of the flipped view before averaging: the reference's cell or bin, the exact one, or none (behaviour E2)."""

CODEC_SETTINGS = frozenset(
    {"split_ratio", "sigma", "label_smoothing", "loss_reduction", "weight_bounds", "heatmap_center"}
)
"""Settings of trainings. Each representation reads some; the others are `None` in its specs and make no difference."""

DECODING_SETTINGS = frozenset({"post_process"})
"""Settings of evaluations that a representation may read besides."""


@dataclass(frozen=True)
class CodecSettings:
    """A representation with everything that its targets, loss and decoding depend on.

    Attributes:
        representation: one of `REPRESENTATIONS`.
        input_size: crop height and width in px.
        split_ratio: bins per px (SimDR and SimDR*), the paper's k.
        sigma: standard deviation of the Gaussian, in map cells (heatmap) or bins (SimDR*).
        label_smoothing: probability spread over the wrong classes (SimDR).
        loss_reduction: "sum" or "mean" (SimDR).
        weight_bounds: "reference" or "exact", how far outside the crop keypoints keep their weight (heatmap and
            SimDR*).
        heatmap_center: "rounded" or "exact", the place of a heatmap's Gaussian.
        post_process: refinement of heatmap peaks: "none", "quarter" or "dark".
        flip_shift: "reference" moves the flipped view by one cell or bin, "exact" SimDR's by k - 1 bins (behaviour
            E2), "none" not at all.
    """

    representation: str
    input_size: tuple[int, int]
    split_ratio: float | None = None
    sigma: float | None = None
    label_smoothing: float | None = None
    loss_reduction: Literal["sum", "mean"] | None = None
    weight_bounds: Literal["reference", "exact"] | None = None
    heatmap_center: Literal["rounded", "exact"] | None = "rounded"
    post_process: PostProcess = "none"
    flip_shift: FlipShift = "reference"

    def needed(self, name: str) -> Any:
        """A setting that the representation cannot do without. Raises `ValueError` if it is missing."""
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"representation {self.representation!r} needs {name}")
        return value


@dataclass(frozen=True)
class Representation:
    """One way to express keypoints.

    Attributes:
        title: as printed.
        output: kind of its networks' output.
        settings: names of the `CodecSettings` that its codec reads. Every codec also gets `input_size` and
            `flip_shift`.
        builder: the codec class. A built-in one is imported when it is called, so that planning imports no torch.
    """

    title: str
    output: Output
    settings: frozenset[str]
    builder: Callable[..., Codec[Any, Any]]


REPRESENTATIONS: Registry[Representation] = Registry("representation")
"""The names that `build_codec` accepts; the decorator `codec` adds to them."""

BuilderT = TypeVar("BuilderT", bound="Callable[..., Codec[Any, Any]]")


def codec(
    name: str, *, output: Output, settings: Iterable[str] = (), title: str | None = None
) -> Callable[[BuilderT], BuilderT]:
    """Decorate a codec class to register its representation.

    The class is called as `Class(input_size, flip_indices, flip_shift=..., **settings)`: crop height and width in px,
    the keypoint permutation of a horizontal flip, how far the flipped view moves before averaging, and each setting
    that the decorator names, under its name in `CodecSettings`.

    Args:
        name: of the representation in suites and on command lines.
        output: kind of its networks' output. "coordinates" implies the setting `split_ratio`, the number of bins.
        settings: that the class takes as keyword arguments, of `CodecSettings`.
        title: as printed; the name if not given.

    Raises:
        ExtensionError: there is no such setting, or the name is taken.
    """

    def add(builder: BuilderT) -> BuilderT:
        read = frozenset(settings) | ({"split_ratio"} if output == "coordinates" else set())
        valid = CODEC_SETTINGS | DECODING_SETTINGS
        for unknown in sorted(read - valid):
            names = ", ".join(sorted(valid))
            raise ExtensionError(f"representation {name!r}: there is no setting {unknown!r}; valid: {names}")
        REPRESENTATIONS.add(name, Representation(title or name, output, read, builder), builder)
        return builder

    return add


for _positional, _named, _deferred in declarations(Path(__file__).parent, __package__, "codec"):
    codec(*_positional, **_named)(_deferred)


def build_codec(settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
    """The codec of a representation.

    Args:
        settings: of the representation; the fields that it reads must be set.
        flip_indices: keypoint permutation of a horizontal flip.

    Raises:
        UnknownNameError: there is no such representation.
        ValueError: a setting that the representation reads is missing.
    """
    representation = REPRESENTATIONS.named(settings.representation)
    read = {name: settings.needed(name) for name in sorted(representation.settings)}
    return representation.builder(settings.input_size, flip_indices, flip_shift=settings.flip_shift, **read)
