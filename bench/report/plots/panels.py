"""Small multiples under one legend, and the marks that several plots share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from bench.analysis.formatting import backbone_name, metric_words, representation_name
from bench.pose.metrics.catalog import metric_named
from bench.report.plots.style import INK, Look, current_venue, plain, text_scale

__all__ = [
    "NAME_WIDTH", "draw_known", "draw_series", "facet", "figure_width", "first_panels", "label_figure", "make_panels",
    "metric_label", "name_panel", "name_panel_axis", "name_rows", "panel_columns", "published_handle", "scale_axis",
    "size_text",
]  # fmt: skip

PANEL_WIDTH = 1.7
"""Width of a panel in inches, below which fewer stand side by side."""

NAME_WIDTH = 30
"""Characters in a line of the name of a row."""

FEW_LINES = 2
"""Lines of panels up to which each line is a run of panels that belong together."""

TITLE_LETTERS, LABEL_LETTERS = 12.5, 14
"""Letters of a title and of the label of an axis that fit an inch."""

MOST_PANELS, MOST_COLUMNS, MOST_ENTRIES = 18, 4, 20

TICK_LENGTH = {"x": 0.3, "y": 0.15}
"""Length in inches of an axis that the label of a tick takes."""

LOGARITHMIC = 8
"""Ratio of highest to lowest from which a logarithmic axis shows more."""

PUBLISHED: dict[str, Any] = {
    "marker": "D", "markersize": 3.6, "markerfacecolor": "white", "markeredgecolor": INK, "markeredgewidth": 0.8,
    "linestyle": "none", "zorder": 5,
}  # fmt: skip


def make_panels(count: int, columns: int, height: float, width: float = 0, **share: Any) -> tuple[Figure, list[Axes]]:
    """A new figure with its axes, line by line.

    Args:
        count: how many.
        columns: panels in a line.
        height: of a panel with its labels, in inches, in our own reports.
        width: of the figure, in inches; 0 for that of a page, or of a column for a single panel.
        share: `sharex` and `sharey` of `Figure.subplots`, both true unless given.
    """
    rows, columns = -(-count // columns), min(count, columns)
    width = width or (current_venue().page if columns > 1 else current_venue().column)
    # Without pyplot, which would keep every figure and show each twice in a notebook.
    figure = Figure(figsize=(width, (rows * height + 0.35) * text_scale()), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **{"sharex": True, "sharey": True} | share).flat)
    for spare in axes[count:]:
        spare.remove()
    for lowest in axes[max(0, count - columns) : count]:
        lowest.xaxis.set_tick_params(labelbottom=True)
    return figure, axes[:count]


def figure_width(needed: float) -> float:
    """Width of a figure that needs so many inches in our own reports: a column if that is enough, or else a page."""
    venue = current_venue()
    return venue.column if needed * text_scale() <= venue.column else venue.page


def facet(
    values: pd.DataFrame, by: Sequence[str], height: float, columns: int = 0, width: float = 0, **share: Any
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A panel with its part of the frame for each combination of the columns `by`."""
    groups = list(values.groupby(list(by), sort=False, observed=True))
    kinds = values[by[-1]].nunique() if len(by) > 1 else 1
    columns = columns or panel_columns(len(groups), kinds)
    figure, axes = make_panels(len(groups), columns, height, width, **share)
    for one, (key, _) in zip(axes, groups, strict=True):
        name_panel(one, ", ".join(_title(name, str(value)) for name, value in zip(by, key, strict=True)))
    return figure, [(one, group) for one, (_, group) in zip(axes, groups, strict=True)]


def panel_columns(count: int, kinds: int = 1, most: int = MOST_COLUMNS) -> int:
    """How many of so many panels stand side by side, where each run of `kinds` of them belongs together."""
    most = min(most, int(current_venue().page / PANEL_WIDTH))
    if not 1 < kinds <= most:
        return min(most, MOST_COLUMNS - 1)
    return kinds * (most // kinds) if count > FEW_LINES * kinds else kinds


def name_panel(axes: Axes, name: str) -> None:
    """The title of a panel, in two lines where it is long."""
    axes.set_title(plain(name, int(TITLE_LETTERS * _panel_inches(axes)[0] / text_scale()), 2))


def name_panel_axis(axes: Axes, name: str) -> None:
    """The label of the x axis of a single panel, in two lines where it is long."""
    axes.set_xlabel(plain(name, int(LABEL_LETTERS * _panel_inches(axes)[0] / text_scale())))


def _panel_inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the place of a panel in its figure."""
    grid: Any = axes.get_gridspec()
    figure: Any = axes.get_figure()
    return figure.get_figwidth() / grid.ncols, figure.get_figheight() / grid.nrows


def first_panels(values: pd.DataFrame, by: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """The part of a frame whose panels fit a page, and a remark for the caption where that is not all."""
    number = values.groupby(list(by), sort=False, observed=True).ngroup()
    count = int(number.max()) + 1
    remark = f" Shown are the first {MOST_PANELS} of {count} panels." if count > MOST_PANELS else ""
    return values[number < MOST_PANELS], remark


def label_figure(figure: Figure, entries: Mapping[str, Artist], x: str, y: str = "") -> None:
    """A legend over all panels, whose entries are counted if they are too many, and labels of the common axes."""
    figure.supxlabel(x)
    figure.supylabel(y)
    shown = {plain(name): artist for name, artist in list(entries.items())[:MOST_ENTRIES]}
    if len(entries) > MOST_ENTRIES:
        shown[f"and {len(entries) - MOST_ENTRIES} more"] = Line2D([], [], linestyle="none")
    columns = _legend_columns(list(shown), figure.get_figwidth() / text_scale())
    lines = -(-len(shown) // columns) * max(name.count("\n") + 1 for name in shown)
    figure.set_figheight(figure.get_figheight() + (0.16 * lines + 0.1) * text_scale())
    figure.legend(
        list(shown.values()), list(shown), loc="outside upper left", ncols=columns, borderaxespad=0.3,
        columnspacing=1.4, labelspacing=0.35, handlelength=2.4,
    )  # fmt: skip


def _legend_columns(names: Sequence[str], room: float) -> int:
    """The most columns in which a legend fits so many inches, each as wide as its longest name."""
    widths = [0.058 * max(map(len, name.splitlines()), default=0) + 0.48 for name in names]
    fitting = (
        columns
        for columns in range(len(names), 1, -1)
        if sum(max(part) for part in np.array_split(widths, columns) if len(part)) <= room
    )
    return next(fitting, 1)


def draw_series(
    axes: Axes, values: pd.DataFrame, by: Sequence[str], xy: tuple[str, str], look: Look, **marks: Any
) -> None:
    """A line, or dots, for each combination of the columns `by`, the first of which says how it looks."""
    x, y = xy
    for (name, *_), series in values.groupby(list(by), sort=False, observed=True):
        line = series.sort_values(x)
        axes.plot(line[x], line[y], **look(str(name)) | marks)


def draw_known(axes: Axes, x: pd.Series[float], rows: pd.DataFrame, shift: float = 0) -> None:
    """Error bars from `low` to `high`, and the paper's values as diamonds beside them, where they are known."""
    reach = [(rows["mean"] - rows["low"]).clip(lower=0), (rows["high"] - rows["mean"]).clip(lower=0)]
    known = rows["low"].notna()
    axes.errorbar(
        x[known], rows["mean"][known], yerr=[part[known] for part in reach], fmt="none", elinewidth=0.9, ecolor=INK,
        capsize=1.8, zorder=4,
    )  # fmt: skip
    axes.plot(x + shift, rows["published"], **PUBLISHED)


def published_handle(rows: pd.DataFrame) -> dict[str, Artist]:
    """The entry of a legend for published values, if there are any."""
    return {"published": Line2D([], [], **PUBLISHED)} if rows["published"].notna().any() else {}


def scale_axis(axes: Axes, which: Literal["x", "y"], values: pd.Series) -> None:
    """Make an axis logarithmic, with plain numbers, if the values cover a wide range."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    wide = bool(values.min() > 0 and values.max() > LOGARITHMIC * values.min())
    if wide:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_minor_locator(NullLocator())
    axis.set_major_locator(_log_locator(axes, which, values) if wide else MaxNLocator(5, steps=(1, 2, 5, 10)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _log_locator(axes: Axes, which: Literal["x", "y"], values: pd.Series) -> LogLocator:
    """Ticks at 1, 2 and 5 of each decade, or at 1 alone where the labels of more would touch."""
    length = _panel_inches(axes)[which == "y"]
    labels = 3 * np.log10(values.max() / values.min())
    return LogLocator(subs=(1, 2, 5) if labels * TICK_LENGTH[which] * text_scale() < length else (1,))


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a panel, the first on top."""
    axes.set_yticks(range(len(names)), [plain(name, NAME_WIDTH) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)


def metric_label(metric: str) -> str:
    """A metric in words with its unit, for an axis."""
    unit = metric_named(metric).unit
    return f"{metric_words(metric)} ({unit})" if unit else metric_words(metric)


def size_text(size: str) -> str:
    """An input size as figures print it."""
    return size.replace("x", "×")


def _title(name: str, value: str) -> str:
    words = {"backbone": backbone_name, "representation": representation_name, "input_size": size_text}
    return words[name](value) if name in words else value
