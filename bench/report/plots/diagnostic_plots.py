"""What a headline number hides: the measure by threshold and by keypoint, and the kinds of errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.plots.drawing import KEYS, Drawing, count_rows, explain_series, long_form
from bench.report.plots.panels import (
    NAME_WIDTH,
    draw_series,
    facet,
    first_panels,
    label_figure,
    name_rows,
    panel_columns,
)
from bench.report.plots.plot_data import PlotData
from bench.report.plots.style import Looks, plain, small_print

__all__ = ["errors", "keypoints", "plot_errors", "plot_keypoints", "plot_thresholds", "thresholds"]

GROUP = ("backbone", "input_size")
"""Columns that have a panel for each of their combinations."""

KINDS = ("jitter", "inversion", "swap", "miss")
"""Kinds of errors in the order in which they are stacked; the rest is good."""

GOOD = "good"

KEYPOINTS = "labelled keypoints (%)"

AXES = {"AP": "object keypoint similarity (OKS)", "PCKh": "threshold (head sizes)"}


def plot_thresholds(thresholds: pd.DataFrame) -> Figure:
    """AP by OKS threshold, or PCKh curves: a panel per backbone and input size, a line per row.

    Args:
        thresholds: with `threshold`, `measure` and `value` and the columns of rows, see `join_rows`.
    """
    curves = _over_seeds(thresholds, "threshold")
    looks, measure = Looks.of(curves["method"]), curves["measure"].iloc[0]
    figure, panels = facet(curves, GROUP, 1.3 if len(curves.drop_duplicates(list(GROUP))) > 1 else 1.9)
    for axes, panel in panels:
        draw_series(axes, panel, ["method", "row"], ("threshold", "value"), looks.line, markersize=3.5)
        axes.set_ylim(0, 104)
    label_figure(figure, looks.handles(looks.line), AXES[measure], f"{measure} (%)")
    return figure


def thresholds(data: PlotData) -> Drawing | None:
    """The report's picture of `plot_thresholds`; None where annotations are not public."""
    if not data.annotated:
        return None
    title = "PCKh curves" if data.measure == "PCKh" else "Average precision by OKS threshold"
    usable = np.isfinite(data.thresholds["threshold"])
    problems = tuple(
        f"record {evaluation}: a threshold of its curve is not a number, and is left out"
        for evaluation in data.thresholds.loc[~usable, "evaluation"].unique()
    )
    caption = (
        f"{data.measure} over all keypoints by {AXES[data.measure]}, a line per row of the tables, mean over seeds;"
        " {count}. Higher is better; the further a line stays up, the more exact are the keypoints."
    )
    drawing = _draw(data, title, caption, data.thresholds[usable], plot_thresholds, numbers=_threshold_values)
    return replace(drawing, problems=problems)


def _threshold_values(thresholds: pd.DataFrame) -> pd.DataFrame:
    curves = _over_seeds(thresholds, "threshold")
    measure = curves["measure"].iloc[0]
    return long_form({"measured": curves}, KEYS | {"threshold": AXES[measure], "value": f"{measure} (%)"})


def plot_keypoints(keypoints: pd.DataFrame) -> Figure:
    """The measure of single keypoints: a panel per backbone and input size, a dot per keypoint and row.

    Keypoints that come in pairs are the mean of left and right.

    Args:
        keypoints: with `keypoint`, `measure` and `value` and the columns of rows, see `join_rows`.
    """
    dots = _keypoint_dots(keypoints)
    order = list(dots["keypoint"].unique())
    dots["place"] = dots["keypoint"].map(order.index)
    looks, measure = Looks.of(dots["method"]), dots["measure"].iloc[0]
    figure, panels = facet(dots, GROUP, 0.115 * len(order) + 0.35)
    for axes, panel in panels:
        draw_series(axes, panel, ["method"], ("value", "place"), looks.dot, zorder=3)
        name_rows(axes, order)
    label_figure(figure, looks.handles(looks.dot), f"{measure} (%)")
    return figure


def _keypoint_dots(keypoints: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, with left and right of a pair as one, named in words."""
    names = set(keypoints["keypoint"])
    alone = {name: name.removeprefix("left_").removeprefix("right_") for name in names}
    paired = {name for name in names if {f"left_{alone[name]}", f"right_{alone[name]}"} <= names}
    words = {name: (alone[name] if name in paired else name).replace("_", " ").strip() or name for name in names}
    return _over_seeds(keypoints.assign(keypoint=keypoints["keypoint"].map(words)), "keypoint")


def keypoints(data: PlotData) -> Drawing | None:
    """The report's picture of `plot_keypoints`; None where annotations are not public."""
    if not data.annotated:
        return None
    caption = (
        f"{data.measure} of single keypoints, mean over seeds; {{count}}. Those that come in pairs are the mean of left"
        " and right."
    )
    title = f"{data.measure} by keypoint"
    return _draw(data, title, caption, data.keypoints, plot_keypoints, numbers=_keypoint_values)


def _keypoint_values(keypoints: pd.DataFrame) -> pd.DataFrame:
    dots = _keypoint_dots(keypoints)
    return long_form({"measured": dots}, KEYS | {"keypoint": "keypoint", "value": f"{dots['measure'].iloc[0]} (%)"})


def plot_errors(errors: pd.DataFrame) -> Figure:
    """Kinds of errors: a panel per backbone and input size, a stacked bar per method, the good rest as a number.

    Args:
        errors: with `kind` and `value` and the columns of rows, see `join_rows`.
    """
    parts = _error_parts(errors)
    kinds = [str(kind) for kind in parts if kind not in {*GROUP, "method", GOOD}]
    parts["method"] = parts["method"].cat.remove_unused_categories()
    ends, methods = parts[kinds].cumsum(axis="columns"), list(parts["method"].cat.categories)
    # Other colors than those of methods, for which kinds of errors could be taken otherwise.
    looks = Looks(tuple(kinds), "ch:s=.25,rot=-.25,dark=.4")
    lines = max(plain(method, NAME_WIDTH).count("\n") + 1 for method in methods)
    # The names of methods take the room of a panel.
    columns = panel_columns(len(parts[list(GROUP)].drop_duplicates()), parts["input_size"].nunique(), most=3)
    figure, panels = facet(parts, GROUP, (0.11 * lines + 0.07) * len(methods) + 0.35, columns)
    for axes, panel in panels:
        places = panel["method"].cat.codes
        for kind in kinds:
            axes.barh(places, panel[kind], 0.78, ends.loc[panel.index, kind] - panel[kind], **looks.area(kind))
        for y, x, good in zip(places, ends.loc[panel.index, kinds[-1]], panel[GOOD], strict=True):
            axes.annotate(
                f"{good:.1f}", (x, y), (2.5, 0), textcoords="offset points", va="center", fontsize=small_print()
            )
        axes.set_xlim(0, 1.2 * ends[kinds[-1]].max() or 1)
        axes.grid(visible=False, axis="y")
        name_rows(axes, methods)
    good = {f"number: {GOOD} (%)": Line2D([], [], linestyle="none")}
    label_figure(figure, looks.handles(looks.area) | good, KEYPOINTS)
    return figure


def _error_parts(errors: pd.DataFrame) -> pd.DataFrame:
    """Parts in percent, a line per backbone, input size and method with a column per kind of error."""
    parts = errors.pivot_table("value", [*GROUP, "method"], "kind", sort=False, observed=True).mul(100).reset_index()
    kinds = [*(kind for kind in dict.fromkeys([*KINDS, *errors["kind"]]) if kind != GOOD), GOOD]
    return parts.reindex(columns=[*GROUP, "method", *kinds]).fillna(dict.fromkeys(kinds, 0))


def _error_values(errors: pd.DataFrame) -> pd.DataFrame:
    parts = _error_parts(errors).rename(columns={"method": "full_method"})
    lines = parts.melt([*GROUP, "full_method"], var_name="kind", value_name="mean")
    return long_form({"part of a bar": lines[lines["kind"] != GOOD], "number": lines[lines["kind"] == GOOD]},
                     KEYS | {"kind": "kind of error", "mean": KEYPOINTS})  # fmt: skip


def errors(data: PlotData) -> Drawing | None:
    """The report's picture of `plot_errors`; None where the protocol does not tell errors apart."""
    # PCKh has no falloff per keypoint by which errors could be told apart.
    if not data.annotated or data.measure == "PCKh":
        return None
    caption = (
        "Keypoints of matched instances by kind of error: jitter (near the keypoint, but off), inversion (at the same"
        " instance's flipped keypoint), swap (at another instance's), miss (nowhere near). The number beside each bar"
        " is the rest, which is good. Mean over seeds, and over rows of one method; {count}."
    )
    return _draw(data, "Kinds of errors", caption, data.errors, plot_errors, numbers=_error_values)


def _draw(
    data: PlotData,
    title: str,
    caption: str,
    values: pd.DataFrame,
    plot: Callable[[pd.DataFrame], Figure],
    *,
    numbers: Callable[[pd.DataFrame], pd.DataFrame],
) -> Drawing:
    """A picture of values with the count of their rows in its caption, or the reason why there are none."""
    if values.empty:
        return Drawing(title, data.missing_readings)
    shown, remark = first_panels(values, GROUP)
    count = count_rows(data.rows[data.rows["row"].isin(shown["row"])])
    words = caption.format(count=count) + remark + explain_series(data.rows)
    return Drawing(title, words, plot(shown), values=numbers(shown))


def _over_seeds(values: pd.DataFrame, name: str) -> pd.DataFrame:
    """Means over the seeds of each row, in percent."""
    kept = [*GROUP, "method", "full_method", "row", "measure", name]
    means = values.groupby(kept, sort=False, observed=True)["value"].mean().reset_index()
    return means.assign(value=means["value"] * np.where(means["measure"] == "PCKh", 1, 100))
