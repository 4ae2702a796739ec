"""The backbones by name, and the decorator that adds one. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.pose.builtin import Deferred, declarations
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.declared_settings import Kind, Settings, check_kinds, check_value
from bench.pose.input_size import CELL, InputSize
from bench.pose.models import timm_names
from bench.pose.models.network import NetworkShape
from bench.pose.models.weights_file import WeightsFile, declared_weights
from bench.pose.outputs import OUTPUTS, Output
from bench.pose.registry import Family, Registry

if TYPE_CHECKING:
    from bench.pose.models.batch_norm import NormLayer
    from bench.pose.models.heads import PoseModel

__all__ = ["BACKBONES", "Backbone", "backbone", "has_choice_of_upsampling", "network_shape"]


@dataclass(frozen=True)
class Backbone:
    """A family of networks for all input sizes.

    Attributes:
        title: as printed.
        builder: makes one of its networks. A built-in one is imported when it is called, so that planning imports no
            torch.
        outputs: kinds of output that its networks can have.
        input_sizes: for which its parts are defined; None for all multiples of 32 px.
        upsamples: whether it has layers that enlarge its maps, and can do without.
        settings: kinds of its own settings by name.
        sizes: further arguments of the builder.
        weights: ImageNet weights that its trunk starts from, if it names them itself.
    """

    title: str
    builder: Callable[..., PoseModel]
    outputs: tuple[Output, ...]
    input_sizes: tuple[InputSize, ...] | None
    upsamples: bool
    settings: Mapping[str, Kind]
    sizes: Mapping[str, Any]
    weights: WeightsFile | None = None

    def build(self, shape: NetworkShape, norm_layer: NormLayer) -> PoseModel:
        """The network of a shape, with normalization layers made by `norm_layer(channels)`."""
        return self.builder(shape, norm_layer, **self.sizes)


BACKBONES: Registry[Backbone] = Registry("backbone")
"""The names that `build_model` accepts; the decorator `backbone` adds to them."""

BuilderT = TypeVar("BuilderT", bound="Callable[..., PoseModel]")


def backbone(
    name: str,
    *,
    title: str | None = None,
    outputs: Iterable[Output] = OUTPUTS,
    input_sizes: Iterable[tuple[int, int]] | None = None,
    upsamples: bool = False,
    settings: Mapping[str, Kind] | None = None,
    weights: str | Mapping[str, str] | None = None,
    **sizes: Any,
) -> Callable[[BuilderT], BuilderT]:
    """Decorate a network class, or a function that makes networks, to register a backbone.

    It is called as `builder(shape, norm_layer, **sizes)`: keypoints, input size and bins; a function that makes each
    normalization layer from its channels; and the further arguments of the decorator. Its weights are drawn later.
    Several decorators on one class register a backbone each, for example of several depths.

    Args:
        name: of the backbone in suites and on command lines.
        title: as printed; the name if not given.
        outputs: kinds of output that its networks can have.
        input_sizes: (height, width) for which its parts are defined; None for all multiples of 32 px.
        upsamples: whether it can leave out the layers that enlarge its maps, as `shape.upsample` tells it.
        settings: that a suite can give it under `backbone_settings`, by name and kind (see `codec`); they are in
            `shape.settings`.
        weights: ImageNet weights for its trunk, see `declared_weights`: the name of a file in `DATA_ROOT/imagenet`, or
            "url" and "sha256" of one to download. If not given, a file there may have the name of the backbone.
        **sizes: further arguments of the builder, for example its depth.

    Raises:
        ExtensionError: the name is taken, there is no such kind of setting, or the weights lack a checksum.
    """

    def add(builder: BuilderT) -> BuilderT:
        known = None if input_sizes is None else tuple(InputSize(*size) for size in input_sizes)
        own = dict(settings or {})
        check_kinds(f"backbone {name!r}", own)
        file = None if weights is None else declared_weights(f"backbone {name!r}", weights)
        entry = Backbone(title or name, builder, tuple(outputs), known, upsamples, own, sizes, file)
        BACKBONES.add(name, entry, builder)
        return builder

    return add


for _positional, _named, _deferred in declarations(Path(__file__).parent, __package__, "backbone"):
    backbone(*_positional, **_named)(_deferred)


def _of_timm(name: str) -> Backbone:
    builder = Deferred(f"{__package__}.timm_network", "TimmNetwork")
    settings = {"output_stride": "count", "feature_stride": "count", "upsampling_channels": "count"}
    return Backbone(name, builder, OUTPUTS, None, True, settings, {"model": name.removeprefix(timm_names.PREFIX)})


BACKBONES.families.append(Family(timm_names.PATTERN, _of_timm, timm_names.check_name))


def network_shape(
    backbone: str,
    representation: str,
    *,
    keypoints: int,
    input_size: tuple[int, int],
    split_ratio: float | None = None,
    upsample: bool | None = None,
    maps_per_keypoint: int | None = None,
    backbone_settings: Mapping[str, Any] | None = None,
) -> NetworkShape:
    """The shape of a network, once it is sure that there is one.

    Args:
        backbone: one of `BACKBONES`.
        representation: one of `REPRESENTATIONS`.
        keypoints: number of keypoints.
        input_size: (height, width) of the input in pixels, multiples of 32; some backbones have few.
        split_ratio: bins per pixel, for representations that classify coordinates.
        upsample: whether maps are brought to stride 4 by layers that learn to; None where there is no choice.
        maps_per_keypoint: maps from which each keypoint's coordinates are read, without upsampling; None for one.
        backbone_settings: of the backbone's own.

    Raises:
        UnknownNameError: the backbone or the representation is not registered.
        ValueError: a size or the split ratio is out of range, or the backbone has no such representation, input size
            or setting; the message says which and what is valid.
    """
    known, representing = BACKBONES.named(backbone), REPRESENTATIONS.named(representation)
    output, size = representing.output, InputSize(*input_size)
    if keypoints < 1:
        raise ValueError(f"keypoints must be at least 1, got {keypoints}")
    if any(side < CELL or side % CELL for side in size):
        raise ValueError(f"input_size (height, width) must be positive multiples of {CELL} px, got {tuple(size)}")
    if output not in known.outputs:
        valid = [name for name, other in REPRESENTATIONS.items() if other.output in known.outputs]
        raise ValueError(f"{backbone} has no {representation}; valid representations: {', '.join(valid)}")
    if known.input_sizes is not None and size not in known.input_sizes:
        sizes = ", ".join(map(str, known.input_sizes))
        raise ValueError(f"{backbone} has no form for input size {size}; valid (HxW): {sizes}")
    _check_upsampling(backbone, representation, upsample, maps_per_keypoint)
    return NetworkShape(
        keypoints,
        size,
        output,
        bins=_bins(representation, output, size, split_ratio),
        values=representing.values or None,
        upsample=upsample is not False and output != "points",
        maps_per_keypoint=maps_per_keypoint,
        settings=_own_settings(backbone, known, backbone_settings or {}),
    )


def has_choice_of_upsampling(backbone: str, representation: str) -> bool:
    """Whether networks of a backbone can do with and without upsampling. Raises `UnknownNameError`."""
    return BACKBONES.named(backbone).upsamples and REPRESENTATIONS.named(representation).output != "points"


def _check_upsampling(backbone: str, representation: str, upsample: bool | None, maps_per_keypoint: int | None) -> None:
    if upsample is not None and not has_choice_of_upsampling(backbone, representation):
        raise ValueError(f"{backbone} with {representation} has no upsampling to choose, got upsample: {upsample}")
    if upsample is False and REPRESENTATIONS[representation].output == "maps":
        raise ValueError(f"{representation} reads maps of stride 4, which need upsample: true")
    if maps_per_keypoint is not None and (upsample is not False or maps_per_keypoint < 1):
        raise ValueError(f"maps_per_keypoint is at least 1 and goes with upsample: false, got {maps_per_keypoint}")


def _bins(representation: str, output: Output, size: InputSize, split_ratio: float | None) -> tuple[int, int] | None:
    if output != "coordinates":
        if split_ratio is not None:
            raise ValueError(f"split_ratio does not apply to {representation}, got {split_ratio}")
        return None
    if split_ratio is None or not 1 <= min(size) * split_ratio < inf:
        raise ValueError(
            f"{representation} needs a positive split_ratio (bins per pixel) that gives at least one bin,"
            f" got {split_ratio}"
        )
    return int(size.width * split_ratio), int(size.height * split_ratio)


def _own_settings(backbone: str, known: Backbone, given: Mapping[str, Any]) -> Settings:
    unread = [name for name in given if name not in known.settings]
    if unread:
        valid = ", ".join(known.settings) or "it has none"
        raise ValueError(f"backbone_settings: {backbone} has no setting {unread[0]!r}; valid: {valid}")
    checked = {name: check_value(name, value, known.settings[name]) for name, value in given.items()}
    return Settings(checked)
