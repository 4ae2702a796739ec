"""Representations with their settings, and network outputs for them.

Settings are the usual ones, and "exact" where the reference has a quirk: rounded centers of heatmaps (D20)
make a refined peak worse than an unrefined one, and weights reach beyond the crop (D21, D24).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import cos, pi
from typing import Any

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import REPRESENTATIONS, CodecSettings, build_codec, codec_settings
from bench.pose.outputs import Coordinates

SIZES = (((64, 64), 2.0), ((96, 64), 3.0))
"""Height and width in px of crops, and the split ratio that goes with each."""

STRIDE = 4
"""Px per cell of maps."""

FLIP = (0, 2, 1, 4, 3)
"""Flip indices of a head, two hands and two feet."""

INSTANCES, KEYPOINTS = 4, len(FLIP)
STEPS = 250
"""Steps of Adam to fit an output."""

LEARNING_RATES = {"maps": 0.1, "coordinates": 1.0}


OTHERS = {"loss_reduction": "mean", "heatmap_center": "rounded"}
"""Values other than the usual ones that a representation is trained with."""


@dataclass(frozen=True)
class CodecCase:
    """A representation with its settings."""

    settings: CodecSettings

    def __str__(self) -> str:
        height, width = self.settings.input_size
        post_process = self.settings.values.get("post_process", "none")
        refined = "" if post_process == "none" else f", {post_process}"
        k = f" k={self.split_ratio:g}" if "split_ratio" in self.settings.values else ""
        others = "".join(f", {value}" for name, value in OTHERS.items() if self.settings.values.get(name) == value)
        return f"{height}x{width}{k}{others}{refined}"

    @property
    def split_ratio(self) -> float:
        """Bins per px; 1 where the output is not of coordinates."""
        return float(self.settings.values.get("split_ratio", 1))

    @cached_property
    def codec(self) -> Codec[Any, Any]:
        """A codec for the five keypoints."""
        return build_codec(self.settings, FLIP)

    @property
    def step(self) -> float:
        """Resolution in px: a cell, or a bin."""
        return STRIDE if self.maps else 1 / self.split_ratio

    @property
    def maps(self) -> bool:
        """Whether networks output maps."""
        return REPRESENTATIONS[self.settings.representation].output == "maps"

    def keypoints(self) -> Tensor:
        """Keypoints (instances, keypoints, 2) in px, away from the borders, always the same."""
        unit = torch.rand(INSTANCES, KEYPOINTS, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        return (0.2 + 0.6 * unit) * unit.new_tensor(self.settings.input_size[::-1])

    def output(self, seed: int | None = None, instances: int = INSTANCES) -> list[Tensor]:
        """The tensors of a network's output: noise, or zeros without a seed."""
        height, width = self.settings.input_size
        shapes: list[tuple[int, ...]]
        if self.maps:
            shapes = [(instances, KEYPOINTS, height // STRIDE, width // STRIDE)]
        else:
            shapes = [(instances, KEYPOINTS, int(side * self.split_ratio)) for side in (width, height)]
        if seed is None:
            return [torch.zeros(shape) for shape in shapes]
        generator = torch.Generator().manual_seed(seed)
        return [torch.randn(shape, generator=generator) for shape in shapes]

    def whole(self, tensors: Sequence[Tensor]) -> Any:
        """A network's output made of its tensors."""
        return tensors[0] if self.maps else Coordinates(*tensors)

    def loss(self, tensors: Sequence[Tensor], keypoints: Tensor, visible: Tensor) -> Tensor:
        """The loss of a network's output."""
        return self.codec.loss(self.whole(tensors), self.codec.encode(keypoints, visible))

    def fitted(self, keypoints: Tensor) -> Any:
        """An output that minimizes the loss of visible keypoints, by Adam from zeros with a rate that falls to 0."""
        target = self.codec.encode(keypoints, everything(keypoints))
        tensors = [tensor.requires_grad_() for tensor in self.output(instances=len(keypoints))]
        rate = LEARNING_RATES[REPRESENTATIONS[self.settings.representation].output]
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
    """Cases in which targets and losses differ: two sizes, and each of `OTHERS` that the representation reads."""
    read = REPRESENTATIONS[name].settings
    changes: list[dict[str, Any]] = [{}, *({setting: value} for setting, value in OTHERS.items() if setting in read)]
    return [
        CodecCase(usual_settings(name, size, split_ratio).with_values(**change))
        for change, (size, split_ratio) in product(changes, SIZES)
    ]


def decoded_cases(name: str) -> list[CodecCase]:
    """All ways to decode a representation's outputs, at two sizes."""
    of_sizes = trained_cases(name)[: len(SIZES)]
    return [CodecCase(settings) for case in of_sizes for settings in _decoded(case.settings)]


def _decoded(settings: CodecSettings) -> Iterator[CodecSettings]:
    ways = REPRESENTATIONS[settings.representation].decoding.get("post_process", ("none",))
    yield from (settings.with_values(post_process=way) for way in ways)
