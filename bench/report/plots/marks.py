"""Marks that several plots share: error bars, and the paper's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from bench.report.plots.material import Point
from bench.report.plots.style import INK

__all__ = ["PUBLISHED", "draw_error_bars", "draw_published"]

PUBLISHED: dict[str, Any] = {"marker": "D", "markersize": 3.6, "markerfacecolor": "white", "markeredgecolor": INK,
                             "markeredgewidth": 0.8, "linestyle": "", "zorder": 5}  # fmt: skip


def draw_error_bars(axes: Axes, places: Sequence[float], points: Sequence[Point]) -> None:
    """Error bars of measured points, at places along the horizontal axis, of those that have one."""
    known = [(place, point.level, *point.reach) for place, point in zip(places, points, strict=True) if point.reach]
    if known:
        x, y, below, above = zip(*known, strict=True)
        axes.errorbar(x, y, yerr=[below, above], fmt="none", elinewidth=0.9, ecolor=INK, capsize=1.8, zorder=4)


def draw_published(axes: Axes, places: Sequence[float], points: Sequence[Point]) -> None:
    """The paper's values, of the points that measure the same."""
    known = [
        (place, point.published) for place, point in zip(places, points, strict=True) if point.published is not None
    ]
    if known:
        x, y = zip(*known, strict=True)
        axes.plot(x, y, **PUBLISHED)
