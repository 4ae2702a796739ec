"""Training curves: loss by epoch, and the validation metric that chooses which weights are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bench.analysis.formatting import in_print_units, metric_words, sentence
from bench.analysis.rows import ablated_settings
from bench.pose.metrics.catalog import NOBODY
from bench.report.plots.drawing import KEYS, Drawing, long_form, value_headings
from bench.report.plots.panels import (
    draw_series,
    facet,
    first_panels,
    label_figure,
    metric_label,
    scale_axis,
    size_text,
)
from bench.report.plots.plot_data import PlotData, describe
from bench.report.plots.style import FAINT, MOST_SERIES, Looks
from bench.suite.rules import training_settings

__all__ = ["loss", "plot_epochs", "validation"]

FEW_EPOCHS = 30
"""Up to this many, each epoch has a marker."""


def plot_epochs(epochs: pd.DataFrame, value: Literal["loss", "validation"], metric: str = "AP") -> Figure:
    """Loss or validation metric by epoch: lines are means over seeds, bands go from the lowest to the highest seed.

    A panel per backbone and representation has a line per input size. Where a few other settings of trainings vary,
    each input size has a panel, and a line is one of these settings.

    Args:
        epochs: as `load_epochs` gives them, with the columns of rows, see `join_rows`.
        value: the column to draw.
        metric: of the column `validation`.
    """
    epochs, by = _with_lines(epochs.dropna(subset=value))
    curves = _over_seeds(epochs, by, value, metric)
    looks = Looks.of(epochs["line"])
    look = looks.line if epochs["epoch"].nunique() <= FEW_EPOCHS else looks.bare_line
    banded = epochs.groupby("row")["training"].nunique().max() > 1
    # Losses of two representations cannot be compared, so they need no common axis.
    figure, panels = facet(curves, by, 1.4 if curves.groupby(by).ngroups > 1 else 1.9, sharey=value == "validation")
    for axes, panel in panels:
        draw_series(axes, panel, ["line", "row"], ("epoch", "mean"), look, markersize=3.5)
        for (line, _), band in panel.sort_values("epoch").groupby(["line", "row"], sort=False) if banded else ():
            look_of = {"color": looks.colors[str(line)], "alpha": 0.2, "linewidth": 0}
            axes.fill_between(band["epoch"], band["low"], band["high"], **look_of)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if value == "loss":
            scale_axis(axes, "y", panel["mean"])
    handles = looks.handles(look)
    if banded:
        handles["lowest to highest seed"] = Patch(facecolor=FAINT, alpha=0.25, linewidth=0)
    label_figure(figure, handles, "epoch", _label(value, metric))
    return figure


def _over_seeds(epochs: pd.DataFrame, by: Sequence[str], value: str, metric: str) -> pd.DataFrame:
    """Means over seeds as printed, by line and epoch; `low` and `high` are the lowest and the highest of several."""
    # Trainings of one line that differ in other settings than the seed are drawn one by one.
    keys = dict.fromkeys([*by, "input_size", "full_method", "line", "row", "epoch"])
    seeds = epochs.groupby(list(keys), sort=False, observed=True)[value]
    curves = seeds.agg(mean="mean", low="min", high="max").mul(
        in_print_units(metric, 1.0) if value == "validation" else 1
    )
    ends = curves[["low", "high"]].where(seeds.size() > 1, axis="index")
    return curves.assign(**ends).reset_index()


def _label(value: str, metric: str) -> str:
    return "training loss" if value == "loss" else metric_label(metric)


def loss(data: PlotData) -> Drawing:
    """The report's picture of the training loss."""
    caption = "Training loss by epoch. Representations minimize different losses: compare lines within a panel only."
    return _draw(data, "Training curves", "loss", caption, "No epoch is recorded.")


def validation(data: PlotData) -> Drawing | None:
    """The report's picture of the metric that chooses the weights; None for suites that keep their last weights."""
    if not data.selected_on:
        return None
    caption = (
        f"{metric_words(_validated(data))} on {' and '.join(data.selected_on)} after each epoch, by which the weights"
        " to keep are chosen."
    )
    judged = "selection_split" in data.epochs and data.epochs["selection_split"].notna().any()
    nothing = f"{NOBODY}: no epoch has a score, and the last weights are kept" if judged else "no epoch was validated"
    return _draw(data, "Validation while training", "validation", caption, sentence(nothing))


def _draw(data: PlotData, title: str, value: Literal["loss", "validation"], caption: str, nothing: str) -> Drawing:
    epochs = data.epochs.dropna(subset=value)
    if epochs.empty:
        return Drawing(title, "No training is finished yet." if data.epochs.empty else nothing)
    lines, by = _with_lines(epochs)
    shown, remark = first_panels(lines, by)
    count, rows = shown["training"].nunique(), shown["row"].nunique()
    caption += f" n = {count} training{'s' * (count > 1)}."
    caption += " Lines: means over seeds." if count > rows else " One seed each."
    alike = shown.drop_duplicates("row").duplicated([*by, "line"]).any()
    remark += " Trainings that differ in other settings look the same." * bool(alike)
    metric = _validated(data)
    headings = KEYS | {"epoch": "epoch"} | value_headings(_label(value, metric))
    values = long_form({"mean over seeds": _over_seeds(shown, by, value, metric)}, headings)
    return Drawing(title, caption + remark, plot_epochs(shown, value, metric), values=values)


def _validated(data: PlotData) -> str:
    return "Mean" if data.measure == "PCKh" else "AP"


def _with_lines(epochs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The epochs with `line`, the name of the line that each is a part of, and the columns that have panels."""
    by, rows = ["backbone", "representation"], epochs.drop_duplicates("row").set_index("row")
    ablated = [name for name in ablated_settings(rows.reset_index()) if name in training_settings()]
    names = rows.apply(lambda row: describe(row, ablated), axis=1)
    if 1 < names.nunique() <= MOST_SERIES:
        by.append("input_size")
    else:
        names = rows["input_size"].map(size_text)
    return epochs.assign(line=epochs["row"].map(names)), by
