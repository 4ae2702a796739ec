"""How far each choice of the protocol moves the headline metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.analysis.formatting import in_print_units, metric_words, setting_name
from bench.analysis.sensitivity import Sensitivity
from bench.pose.metrics.catalog import metric_named
from bench.report.plots.drawing import Drawing, long_form, value_headings
from bench.report.plots.panels import facet, first_panels, label_figure, name_rows
from bench.report.plots.style import INK, Looks
from bench.statistics.variances import LEVEL

__all__ = ["draw_sensitivity", "plot_sensitivity", "sensitivity_frame"]

MOST_CHOICES = 12
"""That fit a panel; those that move the metric most."""

HEIGHT, FRAME = 0.17, 0.75
"""Inches of a choice, and of what is around a panel."""

MARKS: dict[str, Any] = {"elinewidth": 0.9, "capsize": 1.5, "zorder": 3}


def sensitivity_frame(sensitivity: Sensitivity, rows: pd.DataFrame) -> pd.DataFrame:
    """A line per row and choice: `choice` in words, `moves`, `low` and `high` as printed, beside the row's columns.

    Args:
        sensitivity: of a suite.
        rows: of its results, see `collect_rows`.
    """
    lines = []
    for one in sensitivity.effects:
        interval = one.effect.interval() or (float("nan"), float("nan"))
        moves, low, high = (in_print_units(sensitivity.metric, value) for value in (one.effect.value, *interval))
        choice = f"{setting_name(one.setting)}: {one.value}"
        lines.append({"row": one.row, "choice": choice, "moves": moves, "low": low, "high": high})
    names = ["backbone", "input_size", "method"]
    return pd.DataFrame(lines).merge(rows[names], left_on="row", right_index=True)


def plot_sensitivity(values: pd.DataFrame, label: str) -> Figure:
    """The moves of each choice with their intervals, a panel per backbone and input size, a color per method.

    Args:
        values: see `sensitivity_frame`.
        label: of the axis.
    """
    choices = _largest(values)
    looks = Looks.of(values["method"])
    figure, panels = facet(values, ["backbone", "input_size"], HEIGHT * len(choices) + FRAME, sharey=True)
    for axes, panel in panels:
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        for order, (method, series) in enumerate(panel.groupby("method", sort=False)):
            shown = series[series["choice"].isin(choices)]
            shift = 0.5 * ((order + 0.5) / panel["method"].nunique() - 0.5)
            places = shown["choice"].map(choices.index) + shift
            reach = [(shown["moves"] - shown["low"]).fillna(0), (shown["high"] - shown["moves"]).fillna(0)]
            axes.errorbar(shown["moves"], places, xerr=reach, **looks.dot(str(method)) | {"markersize": 3.5}, **MARKS)
        axes.grid(axis="y", visible=True)
        name_rows(axes, choices)
    label_figure(figure, looks.handles(looks.dot), label)
    return figure


def draw_sensitivity(sensitivity: Sensitivity, rows: pd.DataFrame) -> Drawing | None:
    """The report's picture; None where nothing was varied."""
    if not sensitivity.effects:
        return None
    shown, remark = first_panels(sensitivity_frame(sensitivity, rows), ["backbone", "input_size"])
    name, unit = metric_words(sensitivity.metric), metric_named(sensitivity.metric).unit
    total = shown["choice"].nunique()
    few = f" Shown are the {MOST_CHOICES} of {total} choices that move it most." if total > MOST_CHOICES else ""
    caption = (
        f"How far one choice of the protocol, made otherwise, moves {name} of the same weights. Error bars: {LEVEL:.0%}"
        f" intervals of the difference, paired.{few}{remark}"
    )
    label = f"change of {name}" + (f" ({unit})" if unit else "")
    named = shown.rename(columns={"moves": "mean"})
    headings = {"backbone": "backbone", "input_size": "input size (height × width, px)", "method": "method"}
    values = long_form({"change": named}, {**headings, "choice": "choice", **value_headings(label)})
    return Drawing("What moves the number", caption, plot_sensitivity(shown, label), values=values)


def _largest(values: pd.DataFrame) -> Sequence[str]:
    moves = values["moves"].abs().groupby(values["choice"]).max().sort_values(ascending=False)
    return [str(choice) for choice in moves.index[:MOST_CHOICES]]
