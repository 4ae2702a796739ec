"""Panels on a page with one legend over them, placed by arithmetic: solvers of layouts take longer than the drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Transform

from bench.report.plots.style import GRID, SIZE, new_figure, plain, text_width

__all__ = ["PAGE_WIDTH", "Layout", "Sheet", "lay_out", "log_axis"]

PAGE_WIDTH, PAGE_HEIGHT = 7.0, 8.6
"""Of a figure at most, in inches and without its legend: a page's text, with room for a caption."""

LEAST_HEIGHT = 0.5
"""Of a panel, in inches, whether the page has room for all of them or not."""

GAP, BOTTOM = 0.14, 0.42
"""Between panels, and room for the labels of the horizontal axis, in inches."""

LINE_HEIGHT = 1.45 * SIZE / 72
LEGEND_ENTRY = 0.55
"""Of a legend's entry beside its text, in inches."""

MOST_ENTRIES = 20
"""Of a legend; the rest is counted."""

STEPS = (1.0, 2.0, 5.0)
"""Ticks of a logarithmic axis within each decade."""

TICKS = (1, 2, 5, 10)
"""Between ticks of other axes, times powers of ten."""

SHORTEST, DECADE = 1.5, 10
"""Ratios of the ends of a logarithmic axis: the least, and from which its ticks are not those of other axes."""


@dataclass(frozen=True)
class Layout:
    """Where panels go, with lengths in inches.

    Attributes:
        across: panels to a line.
        width: of a panel without its labels; less where the page is too narrow.
        height: of a panel without its labels; less where the page is too short.
        left: room for the labels of the vertical axis.
        title: room for the title of a panel.
        same_x: whether all panels have one horizontal axis, whose labels only the lowest show.
        same_y: whether all panels have one vertical axis, whose labels only the leftmost show.
    """

    across: int
    width: float
    height: float
    left: float = 0.46
    title: float = 0.24
    same_x: bool = True
    same_y: bool = True

    def placed(self, count: int) -> _Places:
        """The panels of a figure with that many."""
        beside = GAP if self.same_y else self.left + GAP
        below = self.title + (0.06 if self.same_x else BOTTOM)
        across, down = min(count, self.across), -(-count // self.across)
        room = PAGE_WIDTH - self.left - GAP - (across - 1) * beside
        width = min(self.width, room / across)
        foot = BOTTOM if self.same_x else 0.06
        height = min(self.height, max(LEAST_HEIGHT, (PAGE_HEIGHT - foot) / down - below))
        return _Places(self, across, down, (width, height), (width + beside, height + below), foot)


@dataclass(frozen=True)
class _Places:
    """Where the panels of one figure come out, in inches: their size, and the pitch from one to the next."""

    layout: Layout
    across: int
    down: int
    size: tuple[float, float]
    pitch: tuple[float, float]
    foot: float

    @property
    def width(self) -> float:
        """Of all panels and their labels."""
        return self.layout.left + (self.across - 1) * self.pitch[0] + self.size[0] + GAP

    @property
    def height(self) -> float:
        """Of all panels and their labels."""
        return self.down * self.pitch[1] + self.foot

    def corner(self, number: int) -> tuple[float, float]:
        """Left edge of a panel, and how far its lower edge is under the top of the first panel's title."""
        line, column = divmod(number, self.across)
        return self.layout.left + column * self.pitch[0], line * self.pitch[1] + self.layout.title + self.size[1]


@dataclass(frozen=True)
class Sheet:
    """A figure and its panels, to be drawn on and then finished."""

    figure: Figure
    panels: tuple[Axes, ...]
    places: _Places

    def finish(self, x_label: str, y_label: str, grid: Literal["x", "y", "both"] = "y") -> Figure:
        """Draw grids, and label the outer panels' axes where all panels have the same.

        Axes of inner panels are left out, because ticks take most of the time of drawing.
        """
        for number, axes in enumerate(self.panels):
            if grid != "y":
                lines = [[(tick, 0.0), (tick, 1.0)] for tick in _within(axes.get_xticks(), axes.get_xlim())]
                axes.add_collection(_grid(lines, axes.get_xaxis_transform()), autolim=False)
            if grid != "x":
                lines = [[(0.0, tick), (1.0, tick)] for tick in _within(axes.get_yticks(), axes.get_ylim())]
                axes.add_collection(_grid(lines, axes.get_yaxis_transform()), autolim=False)
            axes.set_xlabel(x_label)
            axes.set_ylabel(y_label)
            if self.places.layout.same_x and number + self.places.across < len(self.panels):
                axes.xaxis.set_visible(False)
            if self.places.layout.same_y and number % self.places.across:
                axes.yaxis.set_visible(False)
        return self.figure


def lay_out(count: int, layout: Layout, legend: Mapping[str, Artist]) -> Sheet:
    """A figure with that many panels, line by line, under a legend."""
    places, entries = layout.placed(count), _entries(legend)
    widths = [text_width(name) + LEGEND_ENTRY for name, _ in entries]
    width = max([places.width, *widths])
    columns = _columns(widths, width)
    head = LINE_HEIGHT * -(-len(entries) // columns) + 0.08 if entries else 0.0
    height = head + places.height
    figure = new_figure(width, height)
    made: list[Axes] = []
    for number in range(count):
        left, under = places.corner(number)
        place = (left / width, (places.height - under) / height, places.size[0] / width, places.size[1] / height)
        first = made[0] if made else None
        axes = figure.add_axes(place, sharex=first if layout.same_x else None, sharey=first if layout.same_y else None)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=TICKS))
        made.append(axes)
    if entries:
        figure.legend(
            [artist for _, artist in entries], [name for name, _ in entries], loc="upper left",
            bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.3, columnspacing=1.4, labelspacing=0.35,
        )  # fmt: skip
    return Sheet(figure, tuple(made), places)


def log_axis(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make the axis of what is drawn logarithmic, with plain numbers, and not too short for them."""
    scale, axis = (axes.set_xscale, axes.xaxis) if which == "x" else (axes.set_yscale, axes.yaxis)
    scale("log")
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    if high < SHORTEST * low:
        widen = (SHORTEST * low / high) ** 0.5
        low, high = low / widen, high * widen
        (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    axis.set_major_locator(LogLocator(subs=STEPS) if high > DECADE * low else MaxNLocator(5, steps=TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _within(ticks: Iterable[float], limits: tuple[float, float]) -> list[float]:
    return [tick for tick in ticks if min(limits) <= tick <= max(limits)]


def _grid(lines: Sequence[Sequence[tuple[float, float]]], transform: Transform) -> LineCollection:
    return LineCollection(lines, colors=GRID, linewidths=0.6, transform=transform, zorder=0.5)


def _columns(widths: Sequence[float], width: float) -> int:
    """As many columns as a legend of these entries can have; it fills them one by one."""
    for columns in range(len(widths), 1, -1):
        rows, longer = divmod(len(widths), columns)
        starts = [number * rows + min(number, longer) for number in range(columns + 1)]
        if sum(max(widths[start:end]) for start, end in pairwise(starts)) <= width:
            return columns
    return 1


def _entries(legend: Mapping[str, Artist]) -> list[tuple[str, Artist]]:
    """A legend's first entries, with names as they are drawn, and how many more there are."""
    entries = [(plain(name), artist) for name, artist in legend.items()]
    hidden = len(entries) - MOST_ENTRIES
    if hidden <= 0:
        return entries
    return [*entries[:MOST_ENTRIES], (f"and {hidden} more", Line2D([], [], linestyle=""))]
