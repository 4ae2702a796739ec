"""Learning curves: the metric by distinct instances and by instances seen, over the gap to a baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.analysis.curves import AXES, Axis, GapTrend, Held, LearningCurve, LearningCurves, held_words
from bench.analysis.formatting import backbone_name, in_print_units, metric_words
from bench.analysis.gap_words import gap_sentence
from bench.pose.metrics.catalog import metric_named
from bench.report.plots.drawing import KEYS, Drawing, long_form, value_headings
from bench.report.plots.panels import label_figure, make_panels, metric_label, name_panel, size_text
from bench.report.plots.style import FAINT, INK, Looks
from bench.statistics.trends import Crossing
from bench.statistics.variances import LEVEL

__all__ = ["draw_learning", "plot_learning"]

MOST_GROUPS, MOST_COLUMNS = 3, 4
"""Pairs of backbone and input size, and values of what is held, that fit a figure."""

FILES: Mapping[Axis, str] = {"distinct_instances": "learning_distinct", "instances_seen": "learning_seen"}
"""Names of the files of the pictures of a single axis."""

MOST_SENTENCES = 6
"""Gaps whose numbers fit a caption."""

AHEAD = 3
"""Doublings beyond the data within which a crossing is drawn; further ones are numbers of the table alone."""

STEPS = 15
"""Points of a line and its band."""

POINT = ("x", "mean", "low", "high")
"""Columns of points that are drawn."""

CROSSING = ("crossing of zero", "crossing of zero, lower end", "crossing of zero, upper end")

DASHED: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 1.0}
CROSSED: dict[str, Any] = {"marker": "|", "markersize": 8, "markeredgewidth": 1.6, "linewidth": 2.2}
SEED: dict[str, Any] = {"marker": "o", "markersize": 2, "linestyle": "none", "alpha": 0.45, "markeredgewidth": 0}
BAND: dict[str, Any] = {"alpha": 0.13, "linewidth": 0}

Panel = tuple[Axis, Held]
"""The axis along which curves run, and what they hold."""


def plot_learning(learning: LearningCurves, panels: Sequence[Panel] = ()) -> Figure:
    """Curves by number of instances: a panel for each axis and value that is held, over one with gaps to the baseline.

    Bands and error bars are intervals, small dots single seeds. The line of a gap is straight, by least squares; dashes
    go on to where it crosses zero, if that can be told and is near.

    Args:
        learning: of a suite, with at least one curve.
        panels: to draw, side by side; the largest value of each axis, if none are given.
    """
    panels = panels or _largest(learning)
    curves = [curve for curve in learning.curves if (curve.axis, curve.held) in panels]
    gaps = [gap for gap in learning.gaps if gap.curve in curves]
    looks = Looks(tuple(dict.fromkeys(curve.method for curve in learning.curves)))
    groups = list(dict.fromkeys(curve.group for curve in curves))[:MOST_GROUPS]
    count, kinds = len(panels), 2 if gaps else 1
    figure, axes = make_panels(
        len(groups) * kinds * count, count, 1.55 if count > 2 else 1.8, sharex="col", sharey="row"
    )
    lines = [axes[start : start + count] for start in range(0, len(axes), count)]
    scale = in_print_units(learning.metric, 1)
    for number, group in enumerate(groups):
        above, *below = lines[kinds * number : kinds * (number + 1)]
        name = f"{backbone_name(group[0])}, {size_text(group[1])}: " * (len(groups) > 1)
        above[0].set_ylabel(metric_label(learning.metric))
        for place, panel in enumerate(panels):
            name_panel(above[place], name + held_words(panel[1]))
            here = [curve for curve in curves if (curve.group, curve.axis, curve.held) == (group, *panel)]
            for curve in here:
                _draw_curve(above[place], curve, looks, scale)
            for under in below:
                compared = [gap for gap in gaps if gap.curve in here]
                under[place].axhline(0, color=INK, linewidth=0.9, zorder=1)
                for order, gap in enumerate(compared):
                    _draw_gap(under[place], gap, looks, scale, 1.03 ** (order - (len(compared) - 1) / 2))
        for under in below:
            under[0].set_ylabel(_gap_label(learning))
    for place, (axis, _) in enumerate(panels):
        along = [curve for curve in curves if curve.axis == axis]
        ahead = [gap for gap in gaps if gap.curve.axis == axis]
        _scale_numbers([line[place] for line in lines], along, ahead, count)
        lines[-1][place].set_xlabel(AXES[axis])
    label_figure(figure, _handles(curves, gaps, looks), "")
    return figure


def draw_learning(learning: LearningCurves) -> Iterator[tuple[str, Drawing]]:
    """The report's pictures by the names of their files: both axes side by side, and an axis of several levels."""
    if not learning.curves:
        return
    several = [levels for levels in _panels(learning) if len(levels) > 1]
    more = " Each is at the largest value of the other; the next figures show all values." * bool(several)
    groups = len({curve.group for curve in learning.curves})
    cut = f" Shown are the first {MOST_GROUPS} of {groups} backbones and input sizes." * (groups > MOST_GROUPS)
    yield (
        "learning",
        Drawing(
            "Learning curves",
            _caption(learning) + more + cut,
            plot_learning(learning),
            values=_values(learning, _largest(learning)),
        ),
    )
    for levels in several:
        name = metric_words(learning.metric)
        title = f"{name} by {AXES[levels[0][0]]}"
        caption = (
            f"{title}, a panel per value of what is held, over the gap; marks as in the figure of learning curves."
        )
        few = f" Shown are the {MOST_COLUMNS} largest of {len(levels)} values." * (len(levels) > MOST_COLUMNS)
        panels = levels[-MOST_COLUMNS:]
        figure, values = plot_learning(learning, panels), _values(learning, panels)
        yield FILES[levels[0][0]], Drawing(title, caption + few + cut, figure, values=values)


def _values(learning: LearningCurves, panels: Sequence[Panel]) -> pd.DataFrame:
    """The numbers of a figure with these panels, a line per mark."""
    scale = in_print_units(learning.metric, 1)
    curves = [curve for curve in learning.curves if (curve.axis, curve.held) in panels]
    drawn = set(list(dict.fromkeys(curve.group for curve in curves))[:MOST_GROUPS])
    marks: dict[str, list[pd.DataFrame]] = {}
    for curve in curves:
        if curve.group in drawn:
            marks.setdefault("mean over seeds", []).append(_keyed(curve, _scaled(curve.points, scale)))
            seeds = _scaled(curve.seeds.rename(columns={"value": "mean"}), scale)
            marks.setdefault("single seed", []).append(_keyed(curve, seeds))
    for gap in learning.gaps:
        if gap.curve in curves and gap.curve.group in drawn:
            for mark, part in _gap_marks(gap, scale):
                keyed = _keyed(gap.curve, part).assign(baseline=gap.baseline.method)
                marks.setdefault(mark, []).append(keyed)
    along = {"along": "along", "x": "number of training instances", "held": "at", "baseline": "gap to"}
    headings = KEYS | along | value_headings(metric_label(learning.metric))
    return long_form({mark: pd.concat(parts, ignore_index=True) for mark, parts in marks.items()}, headings)


def _keyed(curve: LearningCurve, part: pd.DataFrame) -> pd.DataFrame:
    backbone, size = curve.group
    return part.assign(
        backbone=backbone, input_size=size, full_method=curve.method, along=AXES[curve.axis],
        held=held_words(curve.held),
    )  # fmt: skip


def _scaled(points: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Values as printed, with `x`."""
    return pd.DataFrame({name: points[name] * (1 if name == "x" else scale) for name in POINT if name in points})


def _gap_marks(gap: GapTrend, scale: float) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is drawn of a gap, by the name of the mark."""
    yield "gap", _scaled(gap.points, scale)
    yield "line of the gap", _line(gap, gap.ends, scale)
    if gap.crossing is not None and _is_near(gap):
        if gap.is_extrapolated:
            yield "line of the gap, extrapolated", _line(gap, _extrapolated_ends(gap, gap.crossing), scale)
        for name, x in zip(CROSSING, (gap.crossing.value, *_drawn_ends(gap)), strict=True):
            yield name, pd.DataFrame({"x": [x], "mean": [0.0]})


def _caption(learning: LearningCurves) -> str:
    caption = (
        f"{metric_words(learning.metric)} by the number of training instances, on a logarithmic axis. A line joins rows"
        f" that differ in nothing else but the schedule that follows it. Bands: {LEVEL:.0%} intervals; small dots:"
        " single seeds."
    )
    if not learning.gaps:
        return caption
    caption += (
        f" Below: the gap to {' or '.join(learning.baselines)}, paired, and its straight line by least squares against"
        " the logarithm. Dashes extrapolate it to where it crosses zero, where that can be told and lies within"
        f" {2**AHEAD} times the data; the table of learning curves has all numbers."
    )
    gaps = [gap for gap in learning.gaps if (gap.curve.axis, gap.curve.held) in _largest(learning)]
    return " ".join([caption, *(gap_sentence(learning.metric, gap) for gap in gaps[:MOST_SENTENCES])])


def _panels(learning: LearningCurves) -> list[list[Panel]]:
    """What there is along each axis, by the value that is held."""
    found = [sorted({(curve.axis, curve.held) for curve in learning.curves if curve.axis == axis}) for axis in AXES]
    return [levels for levels in found if levels]


def _largest(learning: LearningCurves) -> list[Panel]:
    return [levels[-1] for levels in _panels(learning)]


def _gap_label(learning: LearningCurves) -> str:
    unit, names = metric_named(learning.metric).unit, " or ".join(learning.baselines)
    return f"gap{f' ({unit})' if unit else ''} to\n{names if len(names) < 30 else 'the baseline'}"


def _draw_curve(axes: Axes, curve: LearningCurve, looks: Looks, scale: float) -> None:
    points, color = curve.points, looks.colors[curve.method]
    axes.plot(points["x"], points["mean"] * scale, **looks.line(curve.method) | {"markersize": 3.5}, zorder=3)
    axes.fill_between(points["x"], points["low"] * scale, points["high"] * scale, color=color, **BAND)
    axes.plot(curve.seeds["x"], curve.seeds["value"] * scale, color=color, **SEED, zorder=2)


def _draw_gap(axes: Axes, gap: GapTrend, looks: Looks, scale: float, shift: float) -> None:
    """A gap's points, beside those of other methods, and its line."""
    look, points = looks.dot(gap.curve.method), gap.points
    reach = [(points["mean"] - points["low"]) * scale, (points["high"] - points["mean"]) * scale]
    axes.errorbar(
        points["x"] * shift, points["mean"] * scale, yerr=reach, **look | {"markersize": 3.5}, elinewidth=0.9,
        capsize=1.5, zorder=4,
    )  # fmt: skip
    color = looks.colors[gap.curve.method]
    _draw_line(axes, gap, gap.ends, scale, {"color": color})
    crossing = gap.crossing
    if crossing is None or not _is_near(gap):
        return
    if gap.is_extrapolated:
        _draw_line(axes, gap, _extrapolated_ends(gap, crossing), scale, {"color": color, **DASHED})
    low, high = _drawn_ends(gap)
    axes.plot([low, crossing.value, high], [0, 0, 0], color=color, **CROSSED, markevery=[1], zorder=5)
    cut = {"<": low if low > crossing.low else None, ">": high if high < crossing.high else None}
    for marker, end in cut.items():
        if end is not None:
            axes.plot([end], [0], color=color, marker=marker, markersize=4, zorder=5)


def _draw_line(axes: Axes, gap: GapTrend, ends: tuple[float, float], scale: float, look: dict[str, Any]) -> None:
    line = _line(gap, ends, scale)
    axes.plot(line["x"], line["mean"], **look, zorder=3)
    axes.fill_between(line["x"], line["low"], line["high"], color=look["color"], **BAND)


def _line(gap: GapTrend, ends: tuple[float, float], scale: float) -> pd.DataFrame:
    """Points of the straight line of a gap, as printed."""
    places = np.geomspace(*ends, STEPS)
    heights = [gap.height(float(place)) for place in places]
    intervals = [height.interval() or (math.nan, math.nan) for height in heights]
    low, high = np.array(intervals).T * scale
    return pd.DataFrame({"x": places, "mean": [height.value * scale for height in heights], "low": low, "high": high})


def _drawn_ends(gap: GapTrend) -> tuple[float, float]:
    """The part of a crossing's interval that is drawn."""
    assert gap.crossing is not None, "only what is told is drawn"
    low, high = _limits(gap)
    return max(gap.crossing.low, low), min(gap.crossing.high, high)


def _extrapolated_ends(gap: GapTrend, crossing: Crossing) -> tuple[float, float]:
    """The part of the line beyond the data that is drawn."""
    first, last = gap.ends
    return (last if crossing.value > last else first), crossing.value


def _limits(gap: GapTrend) -> tuple[float, float]:
    first, last = gap.ends
    return first / 2**AHEAD, last * 2**AHEAD


def _is_near(gap: GapTrend) -> bool:
    """Whether its crossing is told and drawn."""
    low, high = _limits(gap)
    return gap.crossing is not None and low <= gap.crossing.value <= high


def _scale_numbers(
    column: Sequence[Axes], curves: Sequence[LearningCurve], gaps: Sequence[GapTrend], columns: int
) -> None:
    """Make the axis of some panels logarithmic, with ticks at the data and at doublings beyond."""
    values = sorted({float(x) for curve in curves for x in curve.points["x"]})
    drawn = [end for gap in gaps if _is_near(gap) for end in _drawn_ends(gap)]
    low, high = min([values[0], *drawn]), max([values[-1], *drawn])
    margin = (high / low) ** 0.04
    beyond = [end * 2.0**power for power in range(1, AHEAD + 1) for end in (values[-1], values[0] / 4**power)]
    ticks = _spaced([*reversed(values), *beyond], (low / margin, high * margin), 0.045 * max(2, columns))
    for axes in column:
        axes.set_xscale("log", base=2)
        axes.set_xlim(low / margin, high * margin)
        axes.xaxis.set(major_locator=FixedLocator(ticks), minor_locator=NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _spaced(values: Sequence[float], limits: tuple[float, float], apart: float) -> list[float]:
    """Those of some values within limits, in order of preference, whose labels do not touch on a logarithmic axis.

    `apart` is the part of the axis that a label takes.
    """
    low, high = limits
    least, kept = (high / low) ** apart, list[float]()
    for value in values:
        if low <= value <= high and all(max(value, other) / min(value, other) >= least for other in kept):
            kept.append(value)
    return kept


def _short(value: float) -> str:
    """A number of instances on an axis, such as "1.5k"."""
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if value >= 1e3 else f"{value:.3g}"


def _handles(curves: Sequence[LearningCurve], gaps: Sequence[GapTrend], looks: Looks) -> dict[str, Artist]:
    drawn = {curve.method for curve in curves}
    handles = {name: artist for name, artist in looks.handles(looks.line).items() if name in drawn}
    if any(curve.points["low"].notna().any() for curve in curves):
        handles[f"{LEVEL:.0%} interval"] = Patch(facecolor=FAINT, **BAND | {"alpha": 0.25})
    if any(gap.is_extrapolated and _is_near(gap) for gap in gaps):
        handles["extrapolated"] = Line2D([], [], color=FAINT, **DASHED)
    if any(map(_is_near, gaps)):
        handles["crossing, with interval"] = Line2D([], [], color=FAINT, **CROSSED)
    return handles
