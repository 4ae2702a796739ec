"""Skeletons over images: colored by side of the body, or white where they only show what was annotated."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from bench.pose.skeletons import Skeleton

COLORS = {"left": "#56B4E9", "right": "#E66A00", "center": "#F0E442"}
"""Color of limbs and keypoints by side: apart for color-blind readers, and light enough for dark clothes."""

Keypoints = Sequence[tuple[float, float, float] | None]
"""(x, y, confidence) in px per keypoint; None where there is nothing to draw."""


def draw_skeleton(axes: Axes, skeleton: Skeleton, keypoints: Keypoints) -> None:
    """Limbs and keypoints in the colors of their sides."""
    limbs, sides = _limbs(skeleton, keypoints)
    # All outlines first, so that none is over another limb's color.
    axes.add_collection(LineCollection(limbs, colors="black", alpha=0.65, linewidths=2.9, zorder=4), autolim=False)
    colors = [COLORS[side] for side in sides]
    axes.add_collection(LineCollection(limbs, colors=colors, linewidths=1.7, zorder=5), autolim=False)
    _draw_keypoints(axes, keypoints, [COLORS[_side(name)] for name in skeleton.keypoints], size=9, zorder=6)


def draw_annotation(axes: Axes, skeleton: Skeleton, keypoints: Keypoints) -> None:
    """Thin white limbs and keypoints, under those that are predicted."""
    limbs, _ = _limbs(skeleton, keypoints)
    axes.add_collection(LineCollection(limbs, colors="black", alpha=0.65, linewidths=2.2, zorder=2), autolim=False)
    axes.add_collection(LineCollection(limbs, colors="white", linewidths=1.2, zorder=3), autolim=False)
    _draw_keypoints(axes, keypoints, ["white"] * skeleton.size, size=6, zorder=3)


def _limbs(skeleton: Skeleton, keypoints: Keypoints) -> tuple[list[list[tuple[float, float]]], list[str]]:
    """Both ends of each limb that has both, and its side of the body."""
    limbs, sides = [], []
    for first, second in skeleton.limb_indices:
        a, b = keypoints[first], keypoints[second]
        if a is not None and b is not None:
            limbs.append([a[:2], b[:2]])
            sides.append(_side(skeleton.keypoints[first], skeleton.keypoints[second]))
    return limbs, sides


def _draw_keypoints(axes: Axes, keypoints: Keypoints, colors: Sequence[str], *, size: float, zorder: float) -> None:
    drawn = [(keypoint, color) for keypoint, color in zip(keypoints, colors, strict=True) if keypoint is not None]
    axes.scatter(
        [x for (x, *_), _ in drawn],
        [y for (_, y, *_), _ in drawn],
        s=size,
        c=[color for _, color in drawn],
        edgecolors="black", linewidths=0.5, zorder=zorder,
    )  # fmt: skip


def _side(*keypoints: str) -> str:
    """Side of the body that a keypoint, or a limb between two, belongs to."""
    left, right = (any(keypoint.startswith(side) for keypoint in keypoints) for side in ("left_", "right_"))
    return "center" if left == right else "left" if left else "right"
