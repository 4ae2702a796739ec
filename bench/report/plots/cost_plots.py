"""The headline metric against the cost of a network: multiply-adds, GFLOPs as the paper counts them, and parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.analysis.formatting import backbone_name, metric_words
from bench.paper.published import PublishedRow, published_rows
from bench.planning.plan import BINARY_GIGA, GIGA
from bench.report.plots.drawing import NOTHING, Drawing, count_rows, explain_series
from bench.report.plots.panels import label_figure, make_panels, metric_label, scale_axis
from bench.report.plots.plot_data import PlotData, printed_rows
from bench.report.plots.style import INK, Looks, plain

__all__ = ["gflops", "parameters", "plot_cost"]


@dataclass(frozen=True)
class _Cost:
    """A column of costs: its name on an axis, its unit there, and the paper's number where it counts the same."""

    label: str
    unit: float
    published: Callable[[PublishedRow], float | None]


COSTS: Mapping[str, _Cost] = {
    "multiply_adds": _Cost("multiply-adds per image (10⁹)", GIGA, lambda _: None),
    "published_convention": _Cost("GFLOPs per image as the paper counts (2³⁰)", BINARY_GIGA, lambda row: row.gflops),
    "params": _Cost("parameters (millions)", 1e6, lambda row: row.params_m),
}

CROSS: dict[str, Any] = {
    "color": INK,
    "marker": "x",
    "markersize": 4.5,
    "markeredgewidth": 0.9,
    "linestyle": ":",
    "linewidth": 0.8,
}


def plot_cost(rows: pd.DataFrame, metric: str, costs: Sequence[str] = ("multiply_adds",)) -> Figure:
    """The metric against costs: a panel per backbone and cost, in which the other backbones are grey.

    Lines join the input sizes of a method. Crosses show where the paper prints another size for the same row.

    Args:
        rows: see `summarize_rows`.
        metric: of the rows.
        costs: columns of the rows: "multiply_adds", "published_convention", "params".
    """
    rows = printed_rows(rows, metric).dropna(subset="mean")
    rows = rows.assign(**{cost: rows[cost] / COSTS[cost].unit for cost in costs})
    looks, joined = Looks(tuple(rows["method"].cat.categories)), _joined(rows)
    backbones = list(rows["backbone"].unique())
    columns, share = (len(costs), "col") if len(costs) > 1 else (3, True)
    height = 2.4 if len(backbones) == 1 else min(1.45, 15 / len(backbones) / (2 if len(costs) > 1 else 1))
    figure, panels = make_panels(len(backbones) * len(costs), columns, height, sharex=share)
    crossed = False
    for axes, (backbone, cost) in zip(panels, ((one, cost) for one in backbones for cost in costs), strict=True):
        own, others = rows[rows["backbone"] == backbone], rows[rows["backbone"] != backbone]
        axes.plot(others[cost], others["mean"], "o", color="#CCCCCC", markersize=2.5, zorder=1)
        draw, look = (sns.lineplot, {**looks.lines, "estimator": None}) if joined else (sns.scatterplot, looks.dots)
        draw(own, x=cost, y="mean", hue="method", style="method", legend=False, ax=axes, zorder=3, **look)
        for _, row in own.iterrows():
            for printed in _misprints(row, cost):
                axes.plot([row[cost], printed], [row["mean"]] * 2, markevery=[1], zorder=4, **CROSS)
                crossed = True
        axes.set(xlabel="", ylabel="")
        axes.set_title(plain(backbone_name(backbone), 40, 1))
        axes.margins(x=0.08, y=0.1)
        scale_axis(axes, "x", rows[cost])
    handles = looks.handles("line" if joined else "dot")
    if len(backbones) > 1:
        handles["other backbones"] = Line2D([], [], color="#CCCCCC", marker="o", markersize=2.5, linestyle="none")
    if crossed:
        handles["as the paper prints it, where that differs"] = Line2D([], [], **CROSS)
    if len(costs) > 1:
        for axes, cost in zip(panels[-columns:], costs, strict=True):
            axes.set_xlabel(COSTS[cost].label)
    label_figure(figure, handles, COSTS[costs[0]].label if len(costs) == 1 else "", metric_label(metric))
    return figure


def gflops(data: PlotData) -> Drawing:
    """The report's picture of multiply-adds, and of GFLOPs as the paper counts them."""
    return _draw(data, "GFLOPs", ("multiply_adds", "published_convention"))


def parameters(data: PlotData) -> Drawing:
    """The report's picture of the number of parameters."""
    return _draw(data, "parameters", ("params",))


def _draw(data: PlotData, words: str, costs: Sequence[str]) -> Drawing:
    title, rows = f"{metric_words(data.metric)} against {words}", data.measured
    if rows.empty:
        return Drawing(title, NOTHING)
    labels = " and ".join(COSTS[cost].label for cost in costs)
    caption = (
        f"{metric_words(data.metric)} against {labels}. A point per row of the tables, mean over seeds;"
        f" {count_rows(rows)}."
    )
    caption += " Grey: the other backbones." * (rows["backbone"].nunique() > 1)
    caption += " Lines join the input sizes of a method." * _joined(rows)
    printed = rows.assign(**{cost: rows[cost] / COSTS[cost].unit for cost in costs})
    if any(_misprints(row, cost) for _, row in printed.iterrows() for cost in costs):
        caption += " Crosses: the size that the paper prints for the same row, where ours does not round to it."
    return Drawing(title, caption + explain_series(rows), plot_cost(rows, data.metric, costs))


def _joined(rows: pd.DataFrame) -> bool:
    """Whether a line can join the input sizes of each method."""
    return rows["input_size"].nunique() > 1 and not rows.duplicated(["backbone", "input_size", "method"]).any()


def _misprints(row: pd.Series, cost: str) -> list[float]:
    """Sizes that the paper prints for a row, to one decimal, and that ours does not round to."""
    names = row["published_row"].split(", ")
    printed = (COSTS[cost].published(one) for one in published_rows() if one.id in names)
    return sorted({value for value in printed if value is not None and value != round(row[cost], 1)})
