"""Skeletons over photographs: coloured by side of the body, or white where they only show what was annotated."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from bench.pose.skeletons import Skeleton

__all__ = ["COLOURS", "draw_annotation", "draw_skeleton"]

COLOURS = {"left": "#56B4E9", "right": "#E66A00", "centre": "#F0E442"}
"""Of limbs and joints by side; apart for the common colour-vision deficiencies, and light enough for dark clothes."""

Joints = Sequence[tuple[float, float, float] | None]
"""(x, y, ...) in px per joint, None where there is none to draw."""


def draw_skeleton(axes: Axes, skeleton: Skeleton, joints: Joints) -> None:
    """Limbs and joints in the colours of their sides."""
    limbs, sides = _limbs(skeleton, joints)
    # All outlines first, so that none is over another limb's colour.
    axes.add_collection(LineCollection(limbs, colors="black", alpha=0.65, linewidths=2.9, zorder=4), autolim=False)
    colours = [COLOURS[side] for side in sides]
    axes.add_collection(LineCollection(limbs, colors=colours, linewidths=1.7, zorder=5), autolim=False)
    _draw_joints(axes, joints, [COLOURS[_side(name)] for name in skeleton.joints], size=9, zorder=6)


def draw_annotation(axes: Axes, skeleton: Skeleton, joints: Joints) -> None:
    """Thin and white, to be drawn over."""
    limbs, _ = _limbs(skeleton, joints)
    axes.add_collection(LineCollection(limbs, colors="black", alpha=0.65, linewidths=2.2, zorder=2), autolim=False)
    axes.add_collection(LineCollection(limbs, colors="white", linewidths=1.2, zorder=3), autolim=False)
    _draw_joints(axes, joints, ["white"] * skeleton.size, size=6, zorder=3)


def _limbs(skeleton: Skeleton, joints: Joints) -> tuple[list[list[tuple[float, float]]], list[str]]:
    """Both ends of each limb that has both, and its side of the body."""
    limbs, sides = [], []
    for first, second in skeleton.limb_indices:
        a, b = joints[first], joints[second]
        if a is not None and b is not None:
            limbs.append([a[:2], b[:2]])
            sides.append(_side(skeleton.joints[first], skeleton.joints[second]))
    return limbs, sides


def _draw_joints(axes: Axes, joints: Joints, colours: Sequence[str], *, size: float, zorder: float) -> None:
    drawn = [(joint, colour) for joint, colour in zip(joints, colours, strict=True) if joint is not None]
    axes.scatter(
        [joint[0] for joint, _ in drawn], [joint[1] for joint, _ in drawn], s=size, c=[colour for _, colour in drawn],
        edgecolors="black", linewidths=0.5, zorder=zorder,
    )  # fmt: skip


def _side(*joints: str) -> str:
    """Side of the body that a joint, or a limb between two, belongs to."""
    left, right = (any(joint.startswith(side) for joint in joints) for side in ("left_", "right_"))
    return "centre" if left == right else "left" if left else "right"
