"""The keypoint representations by name, their settings, and the decorator that adds one. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from bench.pose.builtin import declarations
from bench.pose.declared_settings import NO_SETTINGS, Kind, Settings, check_kinds
from bench.pose.errors import ExtensionError
from bench.pose.outputs import Output
from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.pose.codecs.base import Codec

__all__ = [
    "REPRESENTATIONS",
    "USUAL_KINDS",
    "CodecSettings",
    "FlipShift",
    "PostProcess",
    "Representation",
    "build_codec",
    "codec",
    "codec_kinds",
    "codec_settings",
]

PostProcess = Literal["none", "quarter", "dark"]
"""Refinement of heatmap peaks: not at all, by a quarter cell (behaviour E7), or by DARK's Newton step."""

FlipShift = Literal["reference", "exact", "none"]
"""Shift of the flipped view before averaging: the reference's cell or bin, the exact one, or none (behaviour E2)."""

USUAL_KINDS: Mapping[str, Kind] = {
    "split_ratio": "bins_per_px",
    "sigma": "positive",
    "label_smoothing": "fraction",
    "loss_reduction": ("sum", "mean"),
    "weight_bounds": ("reference", "exact"),
    "heatmap_center": ("rounded", "exact"),
    "post_process": ("none", "quarter", "dark"),
}
"""Kinds of the settings that several representations have, so that a decorator need not say them again."""


@dataclass(frozen=True)
class CodecSettings:
    """A representation with everything that its targets, loss and decoding depend on.

    Attributes:
        representation: one of `REPRESENTATIONS`.
        input_size: crop height and width in px.
        values: of its settings and decoding settings; those that are not given have the defaults of its codec class.
        flip_shift: "reference" moves the flipped view by one cell or bin, "exact" coordinate classifiers' by k - 1 bins
            (behaviour E2), "none" not at all.
    """

    representation: str
    input_size: tuple[int, int]
    values: Settings = NO_SETTINGS
    flip_shift: FlipShift = "reference"

    def with_values(self, **values: Any) -> Self:
        """The same with other values."""
        return replace(self, values=Settings({**self.values, **values}))


def codec_settings(
    representation: str, input_size: tuple[int, int], *, flip_shift: FlipShift = "reference", **values: Any
) -> CodecSettings:
    """`CodecSettings` with the values of settings by their names."""
    return CodecSettings(representation, input_size, Settings(values), flip_shift)


@dataclass(frozen=True)
class Representation:
    """One way to express keypoints.

    Attributes:
        title: as printed.
        output: kind of its networks' output.
        settings: kinds of the settings of trainings that its codec reads, by name.
        decoding: kinds of the settings of evaluations that its codec reads, by name. Every codec also gets
            `input_size` and `flip_shift`.
        values: numbers per keypoint that its networks put out, if its output is "points".
        builder: the codec class. A built-in one is imported when it is called, so that planning imports no torch.
    """

    title: str
    output: Output
    settings: Mapping[str, Kind]
    decoding: Mapping[str, Kind]
    values: int
    builder: Callable[..., Codec[Any, Any]]


REPRESENTATIONS: Registry[Representation] = Registry("representation")
"""The names that `build_codec` accepts; the decorator `codec` adds to them."""

BuilderT = TypeVar("BuilderT", bound="Callable[..., Codec[Any, Any]]")


def codec(
    name: str,
    *,
    output: Output,
    settings: Iterable[str] | Mapping[str, Kind] = (),
    decoding: Iterable[str] | Mapping[str, Kind] = (),
    values: int = 2,
    title: str | None = None,
) -> Callable[[BuilderT], BuilderT]:
    """Decorate a codec class to register its representation.

    The class is called as `Class(input_size, flip_indices, flip_shift=..., **settings)`: crop height and width in px,
    the keypoint permutation of a horizontal flip, how far the flipped view moves before averaging, and each setting
    under its name. A suite sets them as it sets any other; cells of other representations do not have them.

    Args:
        name: of the representation in suites and on command lines.
        output: kind of its networks' output. "coordinates" implies the setting `split_ratio`, the number of bins.
        settings: of trainings, by name and kind: "positive", "fraction", "number", "flag", "count", "odd", or a tuple
            of valid names. Those of `USUAL_KINDS` can go by name alone.
        decoding: of evaluations, likewise: what changes how a trained network's output is read.
        values: numbers per keypoint, if the output is "points".
        title: as printed; the name if not given.

    Raises:
        ExtensionError: there is no such kind, a setting has a name that means something else, or the name is taken.
    """

    def add(builder: BuilderT) -> BuilderT:
        owner = f"representation {name!r}"
        read = _kinds(owner, settings) | ({"split_ratio": "bins_per_px"} if output == "coordinates" else {})
        decoded = _kinds(owner, decoding)
        for both in sorted(read.keys() & (decoded.keys() | {"flip_shift"})):
            raise ExtensionError(f"{owner}: {both!r} is a setting of trainings and of evaluations; rename one")
        entry = Representation(title or name, output, read, decoded, values if output == "points" else 0, builder)
        REPRESENTATIONS.add(name, entry, builder)
        return builder

    return add


def _kinds(owner: str, given: Iterable[str] | Mapping[str, Kind]) -> dict[str, Kind]:
    if isinstance(given, Mapping):
        check_kinds(owner, given)
        return dict(given)
    unknown = sorted(set(given) - USUAL_KINDS.keys())
    if unknown:
        names = ", ".join(sorted(USUAL_KINDS))
        raise ExtensionError(
            f"{owner}: there is no setting {unknown[0]!r}; valid: {names}; or give settings of its own by their kinds"
        )
    return {name: USUAL_KINDS[name] for name in given}


def codec_kinds(*, decoding: bool = False) -> dict[str, tuple[Kind, ...]]:
    """Kinds of every setting of trainings, or of evaluations, that any representation reads, by its name."""
    found: dict[str, dict[Kind, None]] = {}
    for known in REPRESENTATIONS.values():
        for name, kind in (known.decoding if decoding else known.settings).items():
            found.setdefault(name, {})[kind] = None
    return {name: tuple(kinds) for name, kinds in found.items()}


for _positional, _named, _deferred in declarations(Path(__file__).parent, __package__, "codec"):
    codec(*_positional, **_named)(_deferred)


def build_codec(settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
    """The codec of a representation.

    Args:
        settings: of the representation; values that it does not read make no difference.
        flip_indices: keypoint permutation of a horizontal flip.

    Raises:
        UnknownNameError: there is no such representation.
        TypeError: a setting is missing for which its class has no default.
    """
    known = REPRESENTATIONS.named(settings.representation)
    read = {name: value for name, value in settings.values.items() if name in known.settings or name in known.decoding}
    return known.builder(settings.input_size, flip_indices, flip_shift=settings.flip_shift, **read)
