"""Backbones that break one promise each, and the check that says so."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
import torch
from torch import Tensor, nn

from bench.conformance.backbone_checks import backbone_checks
from bench.extend import backbone
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import MapModel
from bench.pose.models.network import NetworkShape
from bench.pose.outputs import Coordinates
from tests.unit.conformance.verdicts import failures

pytestmark = pytest.mark.usefixtures("sandbox")


class Plain(MapModel):
    """Breaks nothing: a convolution of stride 4."""

    def __init__(self, shape: NetworkShape, norm_layer: NormLayer, *, channels: int = 24) -> None:
        super().__init__(shape, channels=channels)
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, 8, 4, padding=2, bias=False), norm_layer(channels), nn.ReLU()
        )

    def feature_maps(self, images: Tensor) -> Tensor:
        return self.layers(images)


class OwnNormalization(Plain):
    def __init__(self, shape: NetworkShape, norm_layer: NormLayer) -> None:
        super().__init__(shape, nn.BatchNorm2d)


class DeadParameter(Plain):
    def __init__(self, shape: NetworkShape, norm_layer: NormLayer) -> None:
        super().__init__(shape, norm_layer)
        self.unused = nn.Linear(3, 3)


class BatchDependent(Plain):
    def feature_maps(self, images: Tensor) -> Tensor:
        return super().feature_maps(images - 0.01 * images.mean(dim=0))


class HalfSize(Plain):
    def forward(self, images: Tensor) -> Tensor | Coordinates:
        output = super().forward(images)
        return output[..., ::2] if isinstance(output, Tensor) else Coordinates(output.y, output.x[..., ::2])


class Random(Plain):
    def feature_maps(self, images: Tensor) -> Tensor:
        return nn.functional.dropout(super().feature_maps(images), 0.1, training=True)


class Forgetful(Plain):
    """What decides its output is not among what it saves."""

    gain: Tensor

    def __init__(self, shape: NetworkShape, norm_layer: NormLayer) -> None:
        super().__init__(shape, norm_layer)
        self.register_buffer("gain", torch.rand(()) + 0.5, persistent=False)

    def feature_maps(self, images: Tensor) -> Tensor:
        return super().feature_maps(images) * self.gain


class Stubborn(Plain):
    def forward(self, images: Tensor) -> Tensor | Coordinates:
        output = super().forward(images)
        parts = (output,) if isinstance(output, Tensor) else output
        scaled = [part * 1e-6 for part in parts]
        return scaled[0] if isinstance(output, Tensor) else Coordinates(*scaled)


class Raising(Plain):
    def feature_maps(self, images: Tensor) -> Tensor:
        raise RuntimeError("no such\nlayer")


WIDTHS = count(8)


def growing(shape: NetworkShape, norm_layer: NormLayer) -> MapModel:
    """No two of its networks are alike."""
    return Plain(shape, norm_layer, channels=next(WIDTHS))


BROKEN: list[tuple[Callable[[NetworkShape, NormLayer], MapModel], set[str], str]] = [
    (Plain, set(), ""),
    (OwnNormalization, {"normalization"}, "norm_layer did not make layers.1 (BatchNorm2d)"),
    (DeadParameter, {"gradients"}, "no gradient reaches unused.weight, unused.bias"),
    (BatchDependent, {"independence"}, "of the largest output"),
    (HalfSize, {"shapes", "gradients", "learning", "determinism"}, "(4, 5, 16, 8), expected (4, 5, 16, 16)"),
    (Random, {"determinism", "independence", "checkpoints"}, "two passes over the same images differ"),
    (Forgetful, {"checkpoints"}, "the output differs by"),
    (Stubborn, {"learning"}, "in 30 steps of Adam"),
    (growing, {"determinism", "checkpoints", "cost"}, "planned Complexity(params="),
]


@pytest.mark.parametrize(("build", "expected", "message"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_each_is_caught(build: Callable[..., MapModel], expected: set[str], message: str) -> None:
    name = f"own_{build.__name__}"
    backbone(name)(build)
    failed = failures(backbone_checks(name))
    assert failed.keys() == expected
    assert message in "".join(failed.values())


def test_an_error_is_told_with_its_line() -> None:
    backbone("own_raising")(Raising)
    failed = failures(backbone_checks("own_raising"), only=["shapes"])
    assert failed["shapes"].startswith("RuntimeError: no such layer (")
    assert "test_broken_backbones.py:" in failed["shapes"]
    assert "\n" not in failed["shapes"]


def test_no_form_is_no_pass() -> None:
    backbone("own_none", outputs=())(Plain)
    backbone("own_sizeless", input_sizes=())(Plain)
    for name, message in (("own_none", "its outputs are []"), ("own_sizeless", "it has no input size")):
        failed = failures(backbone_checks(name))
        assert len(failed) == 8
        assert all(message in found for found in failed.values())
