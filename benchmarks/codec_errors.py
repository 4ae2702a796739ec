"""What each representation loses: the error of keypoints that are encoded and decoded, without any network.

    python -m benchmarks.codec_errors

The table in docs/representations.md comes from here.
"""

from __future__ import annotations

from typing import Any

import torch
from tabulate import tabulate

from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import build_codec, codec_settings
from bench.pose.geometry import Size

SIZES: tuple[Size, ...] = ((64, 64), (128, 128), (256, 192), (384, 288))
INSTANCES, KEYPOINTS = 50, 17

HEATMAP = {"weight_bounds": "exact", "flip_shift": "exact"}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "`heatmap`, `rounded`, `none`": ("heatmap", {"sigma": 2.0, "post_process": "none", **HEATMAP}),
    "`heatmap`, `exact`, `quarter`": (
        "heatmap",
        {"sigma": 2.0, "heatmap_center": "exact", "post_process": "quarter", **HEATMAP},
    ),
    "`heatmap`, `exact`, `dark`": (
        "heatmap",
        {"sigma": 2.0, "heatmap_center": "exact", "post_process": "dark", **HEATMAP},
    ),
    "`udp`": ("udp", {"sigma": 2.0}),
    "`udp`, border as mmpose": ("udp", {"sigma": 2.0, "border": "reference", "window": "reference"}),
    "`integral`": ("integral", {"sigma": 2.0}),
    "`integral`, grid as mmpose": ("integral", {"sigma": 2.0, "grid": "reference", "heatmap_center": "rounded"}),
    "`regression`": ("regression", {}),
    "`rle`": ("rle", {}),
    "`simdr`": ("simdr", {"split_ratio": 2.0}),
    "`simdr_star`": ("simdr_star", {"split_ratio": 2.0, "sigma": 4.0, "weight_bounds": "exact"}),
    "`simdr_star`, `dark`": (
        "simdr_star",
        {"split_ratio": 2.0, "sigma": 4.0, "weight_bounds": "exact", "post_process": "dark"},
    ),
    "`simcc`": ("simcc", {}),
    "`simcc`, `dark`": ("simcc", {"post_process": "dark"}),
    "`simcc`, all as mmpose, `dark`": (
        "simcc",
        {
            "normalize": "density",
            "bin_center": "rounded",
            "confidence": "logit",
            "post_process": "dark",
            "border": "reference",
        },
    ),
}
"""Representations with the settings that the table names; the others are the defaults of their classes."""


def errors(codec: Codec[Any, Any], size: Size, margin: float) -> tuple[float, float]:
    """Mean and largest distance in px between keypoints and what their ideal outputs decode to.

    Args:
        codec: encodes and decodes.
        size: crop height and width in px.
        margin: px between the keypoints and the outermost pixels; keypoints without weight do not count.
    """
    unit = torch.rand(INSTANCES, KEYPOINTS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    keypoints = margin + unit * (torch.tensor([size[1] - 1, size[0] - 1]) - 2 * margin)
    target = codec.encode(keypoints, torch.ones(INSTANCES, KEYPOINTS, dtype=torch.bool))
    output = codec.ideal_output(target)
    distance = (codec.decode(codec.merge(output)).coordinates - keypoints).norm(dim=-1)[target.weight > 0]
    return float(distance.mean()), float(distance.max())


def cell(label: str, size: Size) -> str:
    """Mean and largest error in px anywhere in the crop, and in parentheses the mean away from its borders."""
    representation, settings = CASES[label]
    codec = build_codec(codec_settings(representation, size, **settings), tuple(range(KEYPOINTS)))
    (mean, worst), (inner, _) = errors(codec, size, 0), errors(codec, size, size[1] / 4)
    return f"{mean:.2f} / {worst:.1f} ({inner:.2f})"


def table() -> str:
    """The table as Markdown."""
    rows = [(label, *(cell(label, size) for size in SIZES)) for label in CASES]
    return tabulate(rows, headers=("", *(f"{height}x{width}" for height, width in SIZES)), tablefmt="github")


if __name__ == "__main__":
    print(table())
