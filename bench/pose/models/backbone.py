"""The backbones by name, and the decorator that adds one. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.pose.builtin import Deferred, declarations
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.input_size import CELL, InputSize
from bench.pose.models import timm_names
from bench.pose.models.network import NetworkShape
from bench.pose.models.weights_file import WeightsFile, declared_weights
from bench.pose.outputs import OUTPUTS, Output
from bench.pose.registry import Family, Registry

if TYPE_CHECKING:
    from bench.pose.models.batch_norm import NormLayer
    from bench.pose.models.heads import PoseModel

__all__ = ["BACKBONES", "Backbone", "backbone", "network_shape"]


@dataclass(frozen=True)
class Backbone:
    """A family of networks for all input sizes.

    Attributes:
        title: as printed.
        builder: makes one of its networks. A built-in one is imported when it is called, so that planning imports no
            torch.
        outputs: kinds of output that its networks can have.
        input_sizes: for which its parts are defined; None for all multiples of 32 px.
        sizes: further arguments of the builder.
        weights: ImageNet weights that its trunk starts from, if it names them itself.
    """

    title: str
    builder: Callable[..., PoseModel]
    outputs: tuple[Output, ...]
    input_sizes: tuple[InputSize, ...] | None
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
        weights: ImageNet weights for its trunk, see `declared_weights`: the name of a file in `DATA_ROOT/imagenet`, or
            "url" and "sha256" of one to download. If not given, a file there may have the name of the backbone.
        **sizes: further arguments of the builder, for example its depth.

    Raises:
        ExtensionError: the name is taken, or the weights are not named as they should be.
    """

    def add(builder: BuilderT) -> BuilderT:
        known = None if input_sizes is None else tuple(InputSize(*size) for size in input_sizes)
        file = None if weights is None else declared_weights(f"backbone {name!r}", weights)
        BACKBONES.add(name, Backbone(title or name, builder, tuple(outputs), known, sizes, file), builder)
        return builder

    return add


for _positional, _named, _deferred in declarations(Path(__file__).parent, __package__, "backbone"):
    backbone(*_positional, **_named)(_deferred)


def _of_timm(name: str) -> Backbone:
    builder = Deferred(f"{__package__}.timm_network", "TimmNetwork")
    return Backbone(name, builder, OUTPUTS, None, {"model": name.removeprefix(timm_names.PREFIX)})


BACKBONES.families.append(Family(timm_names.PATTERN, _of_timm, timm_names.check_name))


def network_shape(
    backbone: str,
    representation: str,
    *,
    keypoints: int,
    input_size: tuple[int, int],
    split_ratio: float | None = None,
) -> NetworkShape:
    """The shape of a network, once it is sure that there is one.

    Args:
        backbone: one of `BACKBONES`.
        representation: one of `REPRESENTATIONS`.
        keypoints: number of keypoints.
        input_size: (height, width) of the input in pixels, multiples of 32; some backbones have few.
        split_ratio: bins per pixel, for representations that classify coordinates.

    Raises:
        UnknownNameError: the backbone or the representation is not registered.
        ValueError: a size or the split ratio is out of range, or the backbone has no such representation or input
            size; the message says which and what is valid.
    """
    known, output = BACKBONES.named(backbone), REPRESENTATIONS.named(representation).output
    size = InputSize(*input_size)
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
    if output == "maps":
        if split_ratio is not None:
            raise ValueError(f"split_ratio does not apply to {representation}, got {split_ratio}")
        return NetworkShape(keypoints, size)
    if split_ratio is None or not 1 <= min(size) * split_ratio < inf:
        raise ValueError(
            f"{representation} needs a positive split_ratio (bins per pixel) that gives at least one bin,"
            f" got {split_ratio}"
        )
    return NetworkShape(keypoints, size, bins=(int(size.width * split_ratio), int(size.height * split_ratio)))
