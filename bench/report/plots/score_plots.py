"""The headline metric by input size, by splitting factor, and under the ceiling of the representation."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from bench.analysis.formatting import in_print_units, metric_words
from bench.analysis.rows import ablated_settings
from bench.report.plots.drawing import (
    KEYS,
    Drawing,
    count_rows,
    explain_error_bars,
    explain_series,
    long_form,
    measured_and_published,
    value_headings,
)
from bench.report.plots.panels import (
    draw_known,
    draw_series,
    facet,
    figure_width,
    label_figure,
    metric_label,
    panel_columns,
    published_handle,
    size_text,
)
from bench.report.plots.plot_data import PlotData, describe, printed_rows
from bench.report.plots.style import FAINT, INK, Looks, current_venue, plain, small_print, text_scale

__all__ = ["bars", "ceiling", "plot_bars", "plot_ceiling", "plot_splitting", "splitting"]

SLOTS_WIDTH = 0.84
"""Width of the methods of one input size together; at 1 they would touch those of the next."""

LABEL_WIDTH, UPRIGHT_LABEL_WIDTH = 0.21, 0.1
"""Width in inches of a bar that has room for its number, written across it or along it."""

SIZES, FACTOR = "input size (height × width, px)", "splitting factor k (bins per px)"
ERROR_BARS = {"error_bars": "ends are"}

BASELINE: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 0.9, "zorder": 3}
CEILING: dict[str, Any] = {"color": INK, "marker": "_", "markeredgewidth": 1.6, "linestyle": "none", "zorder": 3}


def plot_bars(rows: pd.DataFrame, metric: str, baseline: float | None = None) -> Figure:
    """The metric by input size: a panel per backbone, a bar per row of `summarize_rows`.

    A bar bears its number, or a word on why there is none if the rows have a `reason`. Where several rows of one
    method have the same place, they are points instead of bars.

    Args:
        rows: see `summarize_rows`.
        metric: of the rows.
        baseline: metric of the mean pose, which is drawn as a line.
    """
    rows, looks = _in_slots(printed_rows(rows, metric))
    barred = not rows.duplicated(["backbone", "x"]).any()
    count = len(looks.names) * rows["input_size"].nunique()
    page = current_venue().page
    alone = rows["backbone"].nunique() == 1 or count * LABEL_WIDTH > page / 2
    width = figure_width(0.5 + count * 1.6 * LABEL_WIDTH) if alone else page
    figure, panels = facet(rows, ["backbone"], 1.8, 1 if alone else 2, width)
    slot, top = SLOTS_WIDTH / len(looks.names), rows[["mean", "high", "published"]].max().max() or 1.0
    room = (width / (1 if alone else 2) - 0.4) * SLOTS_WIDTH / count
    for axes, panel in panels:
        if barred:
            for method, group in panel.dropna(subset="mean").groupby("method", observed=True):
                axes.bar(group["x"], group["mean"], 0.94 * slot, zorder=2, **looks.area(str(method)))
        else:
            draw_series(axes, panel, ["method"], ("x", "mean"), looks.dot, zorder=2)
        draw_known(axes, panel["x"], panel, 0.3 * slot)
        if barred and room > UPRIGHT_LABEL_WIDTH:
            _write_numbers(axes, panel, top, upright=room < LABEL_WIDTH)
        if baseline is not None:
            axes.axhline(in_print_units(metric, baseline), **BASELINE)
        axes.set_ylim(0, 1.14 * top)
        _name_sizes(axes, rows)
    handles = looks.handles(looks.area if barred else looks.dot) | published_handle(rows)
    if baseline is not None:
        handles["mean pose baseline"] = Line2D([], [], **BASELINE)
    label_figure(figure, handles, SIZES, metric_label(metric))
    return figure


def bars(data: PlotData) -> Drawing:
    """The report's picture of `plot_bars`."""
    title, rows = f"{metric_words(data.metric)} by input size", data.measured
    if rows.empty:
        return Drawing(title, data.nothing)
    caption = f"{title} and method, mean over seeds; {count_rows(rows)}. {explain_error_bars(rows)}"
    return Drawing(
        title,
        caption + explain_series(rows),
        plot_bars(data.rows, data.metric, data.baseline),
        values=_bar_values(data),
    )


def _bar_values(data: PlotData) -> pd.DataFrame:
    rows = printed_rows(data.rows, data.metric)
    marks = measured_and_published(rows)
    if data.baseline is not None:
        height = in_print_units(data.metric, data.baseline)
        marks["mean pose baseline"] = rows[["backbone"]].drop_duplicates().assign(mean=height)
    return long_form(marks, KEYS | value_headings(metric_label(data.metric)) | ERROR_BARS)


def plot_splitting(rows: pd.DataFrame, metric: str) -> Figure:
    """The metric by splitting factor: a panel per backbone and representation, a line per input size.

    Args:
        rows: see `summarize_rows`.
        metric: of the rows.
    """
    rows = _split_rows(rows, metric)
    others = [name for name in ablated_settings(rows) if name != "split_ratio"]
    lines = [[size_text(row["input_size"]), describe(row, others)] for _, row in rows.iterrows()]
    rows["line"] = [", ".join(filter(None, words)) for words in lines]
    looks, factors = Looks.of(rows["line"]), sorted(rows["split_ratio"].unique())
    figure, panels = facet(rows, ["backbone", "representation"], 1.9)
    for axes, panel in panels:
        draw_series(axes, panel, ["line"], ("split_ratio", "mean"), looks.line)
        draw_known(axes, panel["split_ratio"], panel)
        axes.set_xscale("log")
        axes.xaxis.set(major_locator=FixedLocator(factors), minor_locator=NullLocator())
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    handles = looks.handles(looks.line) | published_handle(rows)
    label_figure(figure, handles, FACTOR, metric_label(metric))
    return figure


def _split_rows(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    return printed_rows(rows, metric).dropna(subset=["mean", "split_ratio"])


def splitting(data: PlotData) -> Drawing | None:
    """The report's picture of `plot_splitting`; None for suites that do not vary the factor."""
    if "split_ratio" not in ablated_settings(data.rows):
        return None
    title, rows = f"{metric_words(data.metric)} by splitting factor", data.measured.dropna(subset="split_ratio")
    if rows.empty:
        return Drawing(title, data.nothing)
    caption = f"{title}, a line per input size, mean over seeds; {count_rows(rows)}. {explain_error_bars(rows)}"
    headings = KEYS | {"split_ratio": FACTOR} | value_headings(metric_label(data.metric)) | ERROR_BARS
    values = long_form(measured_and_published(_split_rows(rows, data.metric)), headings)
    return Drawing(title, caption, plot_splitting(rows, data.metric), values=values)


def plot_ceiling(rows: pd.DataFrame, metric: str) -> Figure:
    """The metric under the ceiling of the representation: a panel per backbone, a dash over a point for each row.

    Args:
        rows: see `summarize_rows`, with a column `ceiling`: the `mean` of `summarize_rows(frame, "ceiling_METRIC")`.
        metric: of the rows.
    """
    rows, looks = _in_slots(printed_rows(rows, metric))
    rows = rows.dropna(subset=["mean", "ceiling"])
    count, alone = len(looks.names) * rows["input_size"].nunique(), rows["backbone"].nunique() == 1
    page, needed = current_venue().page, max(0.5 + 0.16 * count, 0.5 * rows["input_size"].nunique() + 0.3)
    width = figure_width(0.5 + 0.3 * count) if alone else page
    columns = 1 if alone else max(1, min(panel_columns(len(rows)), int(page / needed / text_scale())))
    figure, panels = facet(rows, ["backbone"], 1.7, columns, width)
    dash = {**CEILING, "markersize": min(12.0, 40 * width / columns / count)}
    for axes, panel in panels:
        axes.vlines(panel["x"], panel["mean"], panel["ceiling"], color=FAINT, linewidth=0.8, linestyle=":", zorder=1)
        axes.plot(panel["x"], panel["ceiling"], **dash)
        draw_series(axes, panel, ["method"], ("x", "mean"), looks.dot, zorder=4)
        _name_sizes(axes, rows)
    handles = {"ceiling": Line2D([], [], **dash)} | looks.handles(looks.dot)
    label_figure(figure, handles, SIZES, metric_label(metric))
    return figure


def ceiling(data: PlotData) -> Drawing | None:
    """The report's picture of `plot_ceiling`; None where there can be no ceiling."""
    if not data.annotated:
        return None
    name, rows = metric_words(data.metric), data.measured.dropna(subset="ceiling")
    title = f"Ceiling of the representation and measured {name}"
    if rows.empty:
        return Drawing(title, data.missing_readings)
    caption = (
        f"Dashes: {name} of ideal network outputs, encoded and decoded as in the row: what the representation itself"
        f" allows. Points: {name} as measured, one per row of the tables, mean over seeds; {count_rows(rows)}."
        f"{explain_series(rows)}"
    )
    drawn = printed_rows(rows, data.metric)
    marks = {"measured": drawn, "ceiling": drawn.assign(mean=drawn["ceiling"])}
    values = long_form(marks, KEYS | {"mean": metric_label(data.metric)})
    return Drawing(title, caption, plot_ceiling(rows, data.metric), values=values)


def _in_slots(rows: pd.DataFrame) -> tuple[pd.DataFrame, Looks]:
    """The rows with `x`, their place along the axis: input sizes are 1 apart, and their methods side by side."""
    looks = Looks.of(rows["method"])
    sizes = {size: place for place, size in enumerate(rows["input_size"].unique())}
    offsets = (rows["method"].cat.codes - (len(looks.names) - 1) / 2) * SLOTS_WIDTH / len(looks.names)
    return rows.assign(x=rows["input_size"].map(sizes) + offsets), looks


def _name_sizes(axes: Axes, rows: pd.DataFrame) -> None:
    sizes = [size_text(size) for size in rows["input_size"].unique()]
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set(xlim=(-0.5, len(sizes) - 0.5))
    axes.grid(visible=False, axis="x")


def _write_numbers(axes: Axes, panel: pd.DataFrame, top: float, *, upright: bool) -> None:
    """The number over each bar, its error bar, and a published value that it would hide; or why there is none."""
    tips = panel[["mean", "high"]].max(axis="columns")
    hidden = panel["text"].ne("") & ((panel["published"] - tips) / top).between(-0.03, 0.1)
    tips = tips.where(~hidden, tips.combine(panel["published"] + 0.015 * top, max)).fillna(0)
    reasons = panel["reason"].fillna("").str.partition(":")[0] if "reason" in panel else [""] * len(panel)
    for x, y, text, reason in zip(panel["x"], tips, panel["text"], reasons, strict=True):
        axes.annotate(
            text or plain(reason or "n/a"), (x, y), (0, 2.5), textcoords="offset points", ha="center", va="bottom",
            color=INK if text else FAINT, fontsize=small_print(), rotation=90 if upright or not text else 0, zorder=6,
        )  # fmt: skip
