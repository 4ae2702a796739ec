"""Representations with their settings, and network outputs for them.

Settings are the usual ones, and "exact" where the reference has a quirk: rounded centers of heatmaps (D20)
make a refined peak worse than an unrefined one, and weights reach beyond the crop (D21, D24).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from itertools import product
from math import cos, pi
from typing import Any

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import REPRESENTATIONS, CodecSettings, build_codec, codec_settings
from bench.pose.declared_settings import NO_SETTINGS, Kind, Settings
from bench.pose.outputs import Coordinates, Output

SIZES = (((64, 64), 2.0), ((96, 64), 3.0))
"""Height and width in px of crops, and the split ratio that goes with each."""

STRIDE = 4
"""Px per cell of maps."""

FLIP = (0, 2, 1, 4, 3)
"""Flip indices of a head, two hands and two feet."""

INSTANCES, KEYPOINTS = 4, len(FLIP)
SEED = 11
STEPS = 250
"""Steps of Adam to fit an output."""

LEARNING_RATES = {"maps": 0.1, "coordinates": 1.0, "points": 0.03}

POINT_LIMIT = 1.0
"""Px that numbers may be off which minimize a loss: where it learns how errors spread, that takes part of the steps."""


@dataclass(frozen=True)
class CodecCase:
    """A representation with its settings, some of which are not the usual ones."""

    settings: CodecSettings
    others: Settings = NO_SETTINGS

    def __str__(self) -> str:
        height, width = self.settings.input_size
        k = f" k={self.split_ratio:g}" if "split_ratio" in self.settings.values else ""
        return f"{height}x{width}{k}{', ' if self.others else ''}{self.others}"

    @property
    def split_ratio(self) -> float:
        """Bins per px; 1 where the output is not of coordinates."""
        return float(self.settings.values.get("split_ratio", 1))

    @cached_property
    def codec(self) -> Codec[Any, Any]:
        """A codec for the five keypoints; what its loss draws is always the same."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return build_codec(self.settings, FLIP)

    @property
    def trained(self) -> CodecSettings:
        """Its settings without those of evaluations."""
        declared = REPRESENTATIONS[self.settings.representation].settings
        values = {name: value for name, value in self.settings.values.items() if name in declared}
        return replace(self.settings, values=Settings(values))

    @property
    def step(self) -> float:
        """Resolution in px: a cell, a bin, or what is allowed of numbers."""
        return {"maps": STRIDE, "coordinates": 1 / self.split_ratio, "points": POINT_LIMIT}[self.kind]

    @property
    def kind(self) -> Output:
        """Kind of the networks' output."""
        return REPRESENTATIONS[self.settings.representation].output

    def keypoints(self) -> Tensor:
        """Keypoints (instances, keypoints, 2) in px, away from the borders, always the same."""
        unit = torch.rand(INSTANCES, KEYPOINTS, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        return (0.2 + 0.6 * unit) * unit.new_tensor(self.settings.input_size[::-1])

    def output(self, seed: int | None = None, instances: int = INSTANCES) -> list[Tensor]:
        """The tensors of a network's output: noise, or zeros without a seed."""
        height, width = self.settings.input_size
        shapes: dict[Output, list[tuple[int, ...]]] = {
            "maps": [(instances, KEYPOINTS, height // STRIDE, width // STRIDE)],
            "coordinates": [(instances, KEYPOINTS, int(side * self.split_ratio)) for side in (width, height)],
            "points": [(instances, KEYPOINTS, REPRESENTATIONS[self.settings.representation].values)],
        }
        if seed is None:
            return [torch.zeros(shape) for shape in shapes[self.kind]]
        generator = torch.Generator().manual_seed(seed)
        return [torch.randn(shape, generator=generator) for shape in shapes[self.kind]]

    def whole(self, tensors: Sequence[Tensor]) -> Any:
        """A network's output made of its tensors."""
        return Coordinates(*tensors) if self.kind == "coordinates" else tensors[0]

    def loss(self, tensors: Sequence[Tensor], keypoints: Tensor, visible: Tensor) -> Tensor:
        """The loss of a network's output."""
        return self.codec.loss(self.whole(tensors), self.codec.encode(keypoints, visible))

    def fitted(self, keypoints: Tensor) -> Any:
        """An output that minimizes the loss of visible keypoints, by Adam from zeros with a rate that falls to 0."""
        target = self.codec.encode(keypoints, everything(keypoints))
        tensors = [tensor.requires_grad_() for tensor in self.output(instances=len(keypoints))]
        rate = LEARNING_RATES[self.kind]
        optimizer = torch.optim.Adam(tensors, rate)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = rate * (1 + cos(pi * step / STEPS)) / 2
            optimizer.zero_grad()
            self.codec.loss(self.whole(tensors), target).backward()
            optimizer.step()
        return self.whole([tensor.detach() for tensor in tensors])

    def ideal(self, keypoints: Tensor) -> Any:
        """The codec's ideal output, or a fitted output if it defines none."""
        ideal_output = self.codec.ideal_output(self.codec.encode(keypoints, everything(keypoints)))
        return self.fitted(keypoints) if ideal_output is None else ideal_output


def usual_settings(representation: str, size: tuple[int, int], split_ratio: float | None = 2.0) -> CodecSettings:
    """The usual settings of suites, as far as the representation reads them."""
    maps = REPRESENTATIONS[representation].output == "maps"
    usual: dict[str, Any] = {
        "split_ratio": split_ratio,
        "sigma": 2.0 if maps else 4.0,
        "label_smoothing": 0.1,
        "loss_reduction": "sum",
        "weight_bounds": "exact",
        "heatmap_center": "exact",
    }
    read = {name: value for name, value in usual.items() if name in REPRESENTATIONS[representation].settings}
    return codec_settings(representation, size, flip_shift="exact", **read)


def everything(keypoints: Tensor) -> Tensor:
    """All keypoints visible."""
    return torch.ones(keypoints.shape[:2], dtype=torch.bool)


def trained_cases(name: str) -> list[CodecCase]:
    """Cases in which targets and losses differ: two sizes, and every other choice of a setting at the first."""
    cases = [CodecCase(usual_settings(name, size, split_ratio)) for size, split_ratio in SIZES]
    declared = REPRESENTATIONS[name].settings
    defaults = {name: one.default for name, one in signature(type(cases[0].codec)).parameters.items()}
    usual = (defaults | dict(cases[0].settings.values)).items()
    choices = ((setting, value) for setting, kind in declared.items() for value in _choices(kind))
    return [*cases, *(_changed(cases[0], Settings({one[0]: one[1]})) for one in choices if one not in usual)]


def decoded_cases(name: str) -> list[CodecCase]:
    """All ways to decode a representation's outputs, at two sizes, without those that repeat another code's faults."""
    declared = REPRESENTATIONS[name].decoding
    choices = {setting: _choices(kind) for setting, kind in declared.items() if _choices(kind)}
    ways = [Settings(dict(zip(choices, values, strict=True))) for values in product(*choices.values())]
    sound = [way for way in ways if "reference" not in way.values()]
    return [_changed(case, way) for case in trained_cases(name)[: len(SIZES)] for way in sound]


def _choices(kind: Kind) -> Sequence[bool | str]:
    return (False, True) if kind == "flag" else () if isinstance(kind, str) else kind


def _changed(case: CodecCase, change: Settings) -> CodecCase:
    return CodecCase(case.settings.with_values(**change), change)
