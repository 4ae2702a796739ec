"""Representations that break one promise each, and the checks that say so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.conformance.codec_checks import codec_checks
from bench.extend import codec
from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.maps import HeatmapTarget
from bench.pose.codecs.simdr import SimDRCodec, SimDRTarget
from bench.pose.outputs import Coordinates
from tests.unit.conformance.verdicts import failures

pytestmark = pytest.mark.usefixtures("sandbox")


class PixelOff(SimDRCodec):
    def decode(self, merged: Coordinates) -> Keypoints:
        found = super().decode(merged)
        return found._replace(coordinates=found.coordinates + 1)


class BinOff(SimDRCodec):
    def decode(self, merged: Coordinates) -> Keypoints:
        found = super().decode(merged)
        return found._replace(coordinates=found.coordinates + 1 / self.split_ratio)


class OverVisible(SimDRCodec):
    """A mean over the visible keypoints of a batch, so that an instance's weight depends on the others."""

    def loss(self, output: Coordinates, target: SimDRTarget) -> Tensor:
        return super().loss(output, target) * target.weight.numel() / target.weight.sum().clamp(min=1)


class Unmirrored(SimDRCodec):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.flip_indices = list(range(len(self.flip_indices)))


class Seeing(SimDRCodec):
    def encode(self, keypoints: Tensor, visible: Tensor) -> SimDRTarget:
        return super().encode(keypoints, torch.ones_like(visible))


class Undecided(SimDRCodec):
    def decode(self, merged: Coordinates) -> Keypoints:
        found = super().decode(merged)
        spread = merged.x.amax(dim=-1) - merged.x.amin(dim=-1)
        return found._replace(confidence=found.confidence * spread / spread)  # 0 / 0 for a flat distribution


class Overwriting(SimDRCodec):
    def loss(self, output: Coordinates, target: SimDRTarget) -> Tensor:
        loss = super().loss(output, target)
        with torch.no_grad():
            output.x.data[:, :, 0] += 1
        return loss


class Vector(SimDRCodec):
    def loss(self, output: Coordinates, target: SimDRTarget) -> Tensor:
        return super().loss(output, target).reshape(1)


SIMDR = [
    (SimDRCodec, set(), ""),
    (PixelOff, {"fitting", "ideal outputs"}, "at most 0.50"),
    (BinOff, {"fitting", "ideal outputs"}, "at most 0.50"),
    (OverVisible, {"batches"}, "processes that share a batch"),
    (Unmirrored, {"flipped views"}, "exact shift: keypoints are up to"),
    (Seeing, {"visibility"}, "a keypoint that is not visible has a gradient"),
    (Undecided, {"decoding"}, "zeros decode to values that are not finite"),
    (Overwriting, {"determinism", "fitting", "batches", "visibility"}, "changes its arguments"),
    (Vector, {"loss"}, "the loss has shape (1,)"),
]


@pytest.mark.parametrize(("kind", "expected", "message"), SIMDR, ids=[kind.__name__ for kind, *_ in SIMDR])
def test_each_is_caught(kind: type[SimDRCodec], expected: set[str], message: str) -> None:
    codec("own", output="coordinates", settings=["label_smoothing"])(kind)
    failed = failures(codec_checks("own"))
    assert failed.keys() == expected
    assert message in "".join(failed.values())


class CellOff(HeatmapCodec):
    def decode(self, merged: Tensor) -> Keypoints:
        found = super().decode(merged)
        return found._replace(coordinates=found.coordinates + 4)


class Confident(HeatmapCodec):
    """Confidences of another shape."""

    def decode(self, merged: Tensor) -> Keypoints:
        found = super().decode(merged)
        return found._replace(confidence=found.confidence[..., None])


class Squared(HeatmapCodec):
    def loss(self, output: Tensor, target: HeatmapTarget) -> Tensor:
        return super().loss(output, target) ** 2


MAPS = [
    (HeatmapCodec, set(), ""),
    (CellOff, {"fitting", "ideal outputs"}, "at most 2.83"),
    (Confident, {"decoding"}, "(4, 5, 2) and (4, 5, 1)"),
    (Squared, {"batches"}, "on average over its instances"),
]


@pytest.mark.parametrize(("kind", "expected", "message"), MAPS, ids=[kind.__name__ for kind, *_ in MAPS])
def test_each_of_maps_is_caught(kind: type[HeatmapCodec], expected: set[str], message: str) -> None:
    @codec("own", output="maps", settings=["sigma"])
    def build(*sizes: Any, **settings: Any) -> HeatmapCodec:
        return kind(*sizes, post_process="none", heatmap_center="exact", **settings)

    failed = failures(codec_checks("own"))
    assert failed.keys() - {"flipped views"} == expected
    assert message in "".join(failed.values())
