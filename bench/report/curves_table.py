"""The table of learning curves: slopes per doubling, and where gaps between representations cross zero."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from bench.analysis.curves import AXES, Axis, GapTrend, LearningCurve, LearningCurves, held_words
from bench.analysis.formatting import DASH, backbone_name, metric_name
from bench.analysis.gap_words import crossing_text, slope_text, trend_text
from bench.report.tables import Column, Row, Table, TableCell, Value
from bench.statistics.estimate import EffectEstimate
from bench.statistics.trends import MOST_DOUBLINGS
from bench.statistics.variances import LEVEL

DIGITS = 6
"""Digits of computed values in CSV: the rest is noise of binary fractions."""

SHORT: Mapping[Axis, str] = {"distinct_instances": "distinct", "instances_seen": "seen"}
"""Axes under the heading of the column."""

REMARKS = (
    "Straight lines by least squares against the base-2 logarithm of the number of instances, through rows that differ"
    f" in nothing else but the schedule that follows it. {LEVEL:.0%} intervals are over seeds where there are several"
    " and over images where per-instance results were kept, paired; they do not cover how badly a straight line fits.",
    "A crossing is where the line of a gap is zero; its interval holds all numbers of instances at which that of the"
    " line holds zero. It cannot be told where the interval of the slope holds zero, or where that of the crossing has"
    f" no end within a factor of {2**MOST_DOUBLINGS:,}. Beyond the measured numbers it is extrapolated.",
)


@dataclass(frozen=True)
class CurveRow:
    """A curve, and its gap to the baseline, if it has one."""

    metric: str
    curve: LearningCurve
    gap: GapTrend | None


def curves_table(learning: LearningCurves, frame: pd.DataFrame, taken: Collection[str] = ()) -> Table | None:
    """A row per learning curve; None for suites without.

    Args:
        learning: curves of the suite.
        frame: its results.
        taken: ids of the suite's own tables.
    """
    if not learning.curves:
        return None
    gaps = {id(gap.curve): gap for gap in learning.gaps}
    done = frame[frame["state"] == "done"]
    columns = tuple(_columns(learning))
    rows, above = [], None
    for curve in sorted(learning.curves, key=lambda one: (list(AXES).index(one.axis), one.held)):
        row = CurveRow(learning.metric, curve, gaps.get(id(curve)))
        curves = [curve] if row.gap is None else [curve, row.gap.baseline]
        records = done[done["row"].isin([id_ for one in curves for id_ in one.points["row"]])]
        rows.append(
            Row(
                cells=tuple(column.cell(row) for column in columns),
                records=tuple(records["evaluation"]),
                opens_group=above is not None and above.axis != curve.axis,
                opens_part=above is not None and (above.axis, above.held) != (curve.axis, curve.held),
                simulated=bool(records["simulated"].any()),
            )
        )
        above = curve
    name = "learning_curves"
    while name in taken:
        name += "_"
    baselines = learning.baselines
    title = f"Learning curves: {metric_name(learning.metric)}"
    title += f" and its gap to {baselines[0]}" if len(baselines) == 1 else ""
    return Table(name, title, columns, tuple(rows), REMARKS)


def _columns(learning: LearningCurves) -> Iterator[Column[CurveRow]]:
    """All columns; what is the same in all rows is in CSV alone."""
    name = metric_name(learning.metric)
    several = len({curve.group for curve in learning.curves}) > 1
    yield Column("along", "Instances", cell=lambda row: TableCell(SHORT[row.curve.axis], row.curve.axis), axis=True)
    yield Column("held", "At", cell=lambda row: _text(held_words(row.curve.held)), axis=True)
    yield Column("backbone", "Backbone", cell=lambda row: _text(backbone_name(row.curve.group[0])), shown=several)
    yield Column("input_size", "Input size", cell=lambda row: _text(row.curve.group[1]), shown=several)
    yield Column("method", "Method", cell=lambda row: _text(row.curve.method), axis=True)
    yield Column("metric", shown=False, cell=lambda row: TableCell(value=row.metric))
    yield Column("points", shown=False, cell=lambda row: TableCell(value=len(row.curve.points)))
    yield Column("first", shown=False, cell=lambda row: TableCell(value=float(row.curve.points["x"].iloc[0])))
    yield Column("last", shown=False, cell=lambda row: TableCell(value=float(row.curve.points["x"].iloc[-1])))
    yield from _slope_columns("slope", f"{name} per doubling", lambda row: row.curve.slope)
    yield Column("baseline", "Gap to", cell=_baseline, shown=len(learning.baselines) > 1)
    yield from _slope_columns("gap_slope", "Gap per doubling", lambda row: None if row.gap is None else row.gap.slope)
    yield Column("crossing", "Gap is zero at", cell=_crossing, numeric=True)
    yield Column("crossing_low", shown=False, cell=_crossing_end("low"))
    yield Column("crossing_high", shown=False, cell=_crossing_end("high"))
    yield Column("extrapolated", shown=False, cell=_extrapolated)
    yield Column("trend", "Trend", cell=lambda row: _text(DASH if row.gap is None else trend_text(row.gap)))


def _baseline(row: CurveRow) -> TableCell:
    return _text(DASH if row.gap is None else row.gap.baseline.method)


def _slope_columns(
    key: str, title: str, slope: Callable[[CurveRow], EffectEstimate | None]
) -> tuple[Column[CurveRow], ...]:
    """A slope with its interval, whose ends are columns of CSV."""

    def cell(row: CurveRow) -> TableCell:
        found = slope(row)
        return (
            TableCell(DASH) if found is None else TableCell(slope_text(row.metric, found), round(found.value, DIGITS))
        )

    def end(number: int) -> Callable[[CurveRow], TableCell]:
        def cell_of_end(row: CurveRow) -> TableCell:
            found = slope(row)
            interval = None if found is None else found.interval()
            return TableCell(value=None if interval is None else round(interval[number], DIGITS))

        return cell_of_end

    return (
        Column(key, title, cell=cell, numeric=True),
        Column(f"{key}_low", shown=False, cell=end(0)),
        Column(f"{key}_high", shown=False, cell=end(1)),
    )


def _text(text: str) -> TableCell:
    return TableCell(text, "" if text == DASH else text)


def _crossing(row: CurveRow) -> TableCell:
    if row.gap is None:
        return TableCell(DASH)
    value: Value = None if row.gap.crossing is None else round(row.gap.crossing.value, 1)
    return TableCell(crossing_text(row.gap), value, emphasis="none" if value is not None else "muted")


def _crossing_end(end: str) -> Callable[[CurveRow], TableCell]:
    def cell(row: CurveRow) -> TableCell:
        crossing = None if row.gap is None else row.gap.crossing
        return TableCell(value=None if crossing is None else round(float(getattr(crossing, end)), 1))

    return cell


def _extrapolated(row: CurveRow) -> TableCell:
    told = row.gap is not None and row.gap.crossing is not None
    return TableCell(value=("yes" if row.gap.is_extrapolated else "no") if told and row.gap else "")
