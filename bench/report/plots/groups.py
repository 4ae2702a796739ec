"""Small multiples: a panel for each backbone and input size, whose rows compete; and what a row's diagnostics say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes

from bench.analysis.formatting import backbone_name
from bench.report.plots.layout import PAGE_WIDTH
from bench.report.plots.material import NOTHING, Material, Point, size_text
from bench.report.plots.style import plain, text_width

__all__ = ["PANEL_WIDTH", "Panel", "Panels", "absence", "arrange", "columns", "name_rows", "readings", "room"]

MOST_PANELS = 18
"""That fit a page."""

MOST_COLUMNS = 4

PANEL_WIDTH = 3.2
"""In inches, where the page has room."""

TICK_SIZE = 7
"""Of the names of rows, in points."""


@dataclass(frozen=True)
class Panel:
    """The rows of one backbone at one input size."""

    title: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panels:
    """Those that are drawn, how many to a line, and a remark for the caption where some are not."""

    shown: tuple[Panel, ...]
    across: int
    remark: str

    @property
    def points(self) -> list[Point]:
        """All that are drawn."""
        return [point for panel in self.shown for point in panel.points]


def arrange(points: Sequence[Point]) -> Panels:
    """A panel for each backbone and input size of the points: a line per backbone where that fits."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.backbone, point.size), []).append(point)
    panels = [
        Panel(f"{backbone_name(backbone)}, {size_text(size)}", tuple(members))
        for (backbone, size), members in groups.items()
    ]
    hidden = len(panels) > MOST_PANELS
    remark = f" Shown are the first {MOST_PANELS} of {len(panels)} pairs of backbone and input size." if hidden else ""
    sizes = dict.fromkeys(size for _, size in groups)
    return Panels(tuple(panels[:MOST_PANELS]), columns(len(panels), len(sizes)), remark)


def columns(count: int, kinds: int) -> int:
    """Panels to a line: one for each kind where that fills lines, else what fits."""
    return kinds if 1 < kinds <= MOST_COLUMNS else min(count, MOST_COLUMNS - 1)


def readings(point: Point, part: Literal["joints", "curve", "errors"], measure: str) -> Mapping[str, float]:
    """A part of a row's diagnostics in percent, mean over its seeds; empty where no seed has it.

    What is no number of 0 or more is left out: COCO's -1 stands for "nobody".
    """
    found: dict[str, list[float]] = {}
    for record in point.condition.records:
        diagnostics = record.diagnostics
        if diagnostics is not None and diagnostics.measure == measure:
            for name, value in getattr(diagnostics, part).items():
                if math.isfinite(value) and value >= 0:
                    found.setdefault(name, []).append(value)
    scale = 1 if measure == "PCKh" and part != "errors" else 100
    return {name: scale * statistics.fmean(values) for name, values in found.items()}


def absence(material: Material) -> str:
    """Why no row has diagnostics or a ceiling."""
    return "No record holds these readings." if material.measured else NOTHING


def room(names: Sequence[str]) -> float:
    """Left of panels for the names of their rows, in inches."""
    return min(PAGE_WIDTH / 4, 0.14 + max(text_width(plain(name), TICK_SIZE) for name in names))


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a panel, the first on top."""
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
