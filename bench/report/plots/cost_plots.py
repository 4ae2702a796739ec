"""The headline metric against the cost of a network: multiply-adds, GFLOPs as the paper counts them, and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.analysis.formatting import backbone_name, metric_words
from bench.planning.plan import BINARY_GIGA, GIGA
from bench.report.plots.drawing import KEYS, Drawing, count_rows, explain_series, long_form
from bench.report.plots.panels import (
    draw_series,
    label_figure,
    make_panels,
    metric_label,
    name_panel,
    name_panel_axis,
    panel_columns,
    scale_axis,
)
from bench.report.plots.plot_data import PlotData, printed_rows
from bench.report.plots.style import INK, Looks

__all__ = ["gflops", "parameters", "pareto_front", "plot_cost"]


@dataclass(frozen=True)
class _Cost:
    """A column of costs: its name on an axis, its unit there, and the column of the paper's number that counts so."""

    label: str
    unit: float
    published: str = ""


COSTS: Mapping[str, _Cost] = {
    "multiply_adds": _Cost("multiply-adds per image (10⁹)", GIGA),
    "published_convention": _Cost("GFLOPs per image as the paper counts (2³⁰)", BINARY_GIGA, "published_gflops"),
    "params": _Cost("parameters (millions)", 1e6, "published_params_m"),
}

CROSS: dict[str, Any] = {
    "color": INK, "marker": "x", "markersize": 4.5, "markeredgewidth": 0.9, "linestyle": ":", "linewidth": 0.8,
}  # fmt: skip
RING: dict[str, Any] = {
    "color": INK, "marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgewidth": 0.7,
    "linestyle": "none",
}  # fmt: skip
OTHERS: dict[str, Any] = {"color": "#CCCCCC", "marker": "o", "markersize": 2.5, "linestyle": "none"}


def plot_cost(rows: pd.DataFrame, metric: str, costs: Sequence[str] = ("multiply_adds",)) -> Figure:
    """The metric against costs: a panel per backbone and cost, in which the other backbones are grey.

    Lines join the input sizes of a method. Rings mark the Pareto front of all rows, see `pareto_front`. Crosses
    show where the paper prints another size for the same row.

    Args:
        rows: see `summarize_rows`.
        metric: of the rows.
        costs: columns of the rows: "multiply_adds", "published_convention", "params".
    """
    rows = _costed_rows(rows, metric, costs)
    looks, several = Looks.of(rows["method"]), len(costs) > 1
    look, backbones = looks.line if _joined(rows) else looks.dot, list(rows["backbone"].unique())
    height = 1.9 if len(backbones) == 1 else 1.45
    columns = panel_columns(len(backbones) * len(costs), len(costs))
    figure, panels = make_panels(len(backbones) * len(costs), columns, height, sharex="col" if several else True)
    for axes, (backbone, cost) in zip(panels, product(backbones, costs), strict=True):
        own, others = rows[rows["backbone"] == backbone], rows[rows["backbone"] != backbone]
        axes.plot(others[cost], others["mean"], **OTHERS, zorder=1)
        draw_series(axes, own, ["method"], (cost, "mean"), look, zorder=3)
        front = own[own[f"front_{cost}"]]
        axes.plot(front[cost], front["mean"], **RING, zorder=2)
        crossed = own.dropna(subset=f"printed_{cost}")
        axes.plot(crossed[[cost, f"printed_{cost}"]].T, crossed[["mean", "mean"]].T, markevery=[1], zorder=4, **CROSS)
        name_panel(axes, backbone_name(backbone))
        axes.margins(x=0.08, y=0.1)
        scale_axis(axes, "x", rows[cost])
    handles = looks.handles(look)
    handles["Pareto front"] = Line2D([], [], **RING)
    if len(backbones) > 1:
        handles["other backbones"] = Line2D([], [], **OTHERS)
    if rows.filter(regex="^printed_").notna().any(axis=None):
        handles["as the paper prints it, where that differs"] = Line2D([], [], **CROSS)
    if several:
        for axes, (_, cost) in list(zip(panels, product(backbones, costs), strict=True))[-columns:]:
            name_panel_axis(axes, COSTS[cost].label)
    label_figure(figure, handles, "" if several else COSTS[costs[0]].label, metric_label(metric))
    return figure


def pareto_front(costs: pd.Series, scores: pd.Series) -> pd.Series:
    """Whether each row is on the front: no cheaper row scores as much, and none as cheap scores more."""
    best = scores.groupby(costs).transform("max")
    cheaper = scores.groupby(costs).max().sort_index().cummax().shift().reindex(costs).to_numpy()
    return (scores == best) & ~(scores <= pd.Series(cheaper, scores.index).fillna(float("-inf")))


def gflops(data: PlotData) -> Drawing:
    """The report's picture of multiply-adds, and of GFLOPs as the paper counts them."""
    return _draw(data, "GFLOPs", ("multiply_adds", "published_convention"))


def parameters(data: PlotData) -> Drawing:
    """The report's picture of the number of parameters."""
    return _draw(data, "parameters", ("params",))


def _draw(data: PlotData, words: str, costs: Sequence[str]) -> Drawing:
    title, rows = f"{metric_words(data.metric)} against {words}", data.measured
    if rows.empty:
        return Drawing(title, data.nothing)
    labels = " and ".join(COSTS[cost].label for cost in costs)
    caption = (
        f"{metric_words(data.metric)} against {labels}. A point per row of the tables, mean over seeds;"
        f" {count_rows(rows)}."
    )
    caption += " Lines join the input sizes of a method." * _joined(rows)
    caption += " Rings mark the Pareto front of all rows: no cheaper row scores as much."
    figure, values = plot_cost(rows, data.metric, costs), _values(rows, data.metric, costs)
    return Drawing(title, caption + explain_series(rows), figure, values=values)


def _values(rows: pd.DataFrame, metric: str, costs: Sequence[str]) -> pd.DataFrame:
    """A line per row with all costs, and one for each cost that the paper prints otherwise."""
    rows = _costed_rows(rows, metric, costs)
    marks, headings = {"measured": rows}, KEYS | {cost: COSTS[cost].label for cost in costs}
    for cost in costs:
        printed = rows.dropna(subset=f"printed_{cost}")
        marks[f"the paper's {COSTS[cost].label}"] = printed.assign(
            **dict.fromkeys(costs, float("nan")) | {cost: printed[f"printed_{cost}"]}
        )
    fronts = {f"front_{cost}": f"on the Pareto front of {COSTS[cost].label}" for cost in costs}
    return long_form(marks, headings | {"mean": metric_label(metric)} | fronts)


def _joined(rows: pd.DataFrame) -> bool:
    """Whether a line can join the input sizes of each method."""
    return rows["input_size"].nunique() > 1 and not rows.duplicated(["backbone", "input_size", "method"]).any()


def _costed_rows(rows: pd.DataFrame, metric: str, costs: Sequence[str]) -> pd.DataFrame:
    """Measured rows with values and costs as printed.

    `printed_COST` is the paper's, to one decimal, where ours rounds otherwise; `front_COST` says whether the row is on
    the Pareto front.
    """
    rows = printed_rows(rows, metric).dropna(subset="mean")
    for cost in costs:
        own, published = rows[cost] / COSTS[cost].unit, COSTS[cost].published
        printed = rows[published] if published else pd.Series(float("nan"), rows.index)
        front, printed = pareto_front(own, rows["mean"]), printed.where(printed != own.round(1))
        rows = rows.assign(**{cost: own, f"printed_{cost}": printed, f"front_{cost}": front})
    return rows
