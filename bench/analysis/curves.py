"""Learning curves: a metric by distinct instances and by instances seen, and the gaps between representations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from bench.analysis.formatting import is_post_processed, method_name
from bench.analysis.frame import setting_columns
from bench.analysis.rows import SCHEDULE, ablated_settings, as_records, summarize_rows
from bench.analysis.uncertainty import Uncertainty
from bench.statistics.estimate import EffectEstimate
from bench.statistics.trends import Crossing, find_crossing, height_weights, slope_weights
from bench.suite.training_length import FACTORS, LENGTH

Axis = Literal["distinct_instances", "instances_seen"]

Held = tuple[str, float]
"""A column that is the same for all points of a curve, and its value."""

DISTINCT: Axis = "distinct_instances"
AXES: Mapping[Axis, str] = {DISTINCT: "distinct training instances", "instances_seen": "training instances seen"}
"""Columns by which curves run, in words."""

HELD: Mapping[Axis, tuple[str, ...]] = {DISTINCT: (LENGTH, "epochs"), "instances_seen": (DISTINCT,)}
"""By axis, the columns of which one is the same for all points of a curve."""

BASELINE = "heatmap"
"""The representation with which others are compared; without it, the first of the suite."""

ALIKE = 1.03
"""Numbers of instances within this ratio are one level: images that cannot be read, or a split of an odd size."""


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Rows that differ in the number of instances alone.

    Attributes:
        group: backbone and input size.
        axis: by which it runs.
        held: column that is the same for all of its points, and its value.
        method: in words.
        row: any of its rows, with all settings.
        details: settings that tell it from others of its backbone, input size and representation.
        points: `row`, `x`, `mean`, `low` and `high` (NaN without an interval), and `FACTORS`, by `x`.
        seeds: `x` and `value` of single seeds, of points that have several.
    """

    group: tuple[str, str]
    axis: Axis
    held: Held
    method: str
    row: Mapping[str, Any]
    details: Mapping[str, Any]
    points: pd.DataFrame
    seeds: pd.DataFrame
    slope: EffectEstimate


@dataclass(frozen=True, eq=False)
class GapTrend:
    """How far a curve is above its baseline, paired, and the straight line through that against the logarithm of x.

    Attributes:
        curve: of the method.
        baseline: of the representation that it is compared with.
        points: `x`, `mean`, `low` and `high` of the gap.
        slope: of the line, per doubling.
        crossing: of zero; None where it cannot be told.
        height: of the line, by x.
    """

    curve: LearningCurve
    baseline: LearningCurve
    points: pd.DataFrame
    slope: EffectEstimate
    crossing: Crossing | None
    height: Callable[[float], EffectEstimate]

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest x that was measured."""
        return float(self.points["x"].min()), float(self.points["x"].max())

    @property
    def is_extrapolated(self) -> bool:
        """Whether the crossing lies outside of what was measured."""
        low, high = self.ends
        return self.crossing is not None and not low <= self.crossing.value <= high


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """All curves of a suite, and the gaps between those that can be compared.

    Attributes:
        metric: of them.
        curves: by axis, then in the order of the tables.
        gaps: in the order of their curves.
    """

    metric: str
    curves: tuple[LearningCurve, ...]
    gaps: tuple[GapTrend, ...]

    @property
    def baselines(self) -> tuple[str, ...]:
        """The methods that others are compared with."""
        return tuple(dict.fromkeys(gap.baseline.method for gap in self.gaps))

    @classmethod
    def collect(cls, frame: pd.DataFrame, metric: str, uncertainty: Uncertainty) -> LearningCurves:
        """The learning curves of a results frame."""
        lengths = frame.groupby("row", sort=False)[[DISTINCT, LENGTH]].max()
        varied = frame[[*FACTORS, "row"]].drop_duplicates()
        if len(varied.drop_duplicates(list(FACTORS))) < 2:
            return cls(metric, (), ())
        rows = summarize_rows(frame, metric, uncertainty.intervals(metric)).drop(columns=list(lengths), errors="ignore")
        rows = rows.join(lengths, on="row").dropna(subset=["mean", *lengths]).query(f"{DISTINCT} > 0")
        curves = [curve for axis in HELD for curve in _curves(frame, rows, axis, metric, uncertainty)]
        gaps = (_gap(curve, curves, metric, uncertainty) for curve in curves)
        return cls(metric, tuple(curves), tuple(gap for gap in gaps if gap is not None))


def _curves(
    frame: pd.DataFrame, rows: pd.DataFrame, axis: Axis, metric: str, uncertainty: Uncertainty
) -> Iterator[LearningCurve]:
    """The curves along an axis, with that of the columns to hold which leaves the fewest rows alone."""
    groupings = [(held, list(_split(rows, axis, held))) for held in HELD[axis]]
    held, groups = max(groupings, key=lambda item: sum(len(group) for _, group in item[1]))
    names = [name for name in ablated_settings(frame) if name not in (*FACTORS, *SCHEDULE)]
    for level, group in groups:
        (row, *_) = as_records(group)
        details = {name: row[name] for name in names}
        points = group.rename(columns={axis: "x"}).astype({"x": float}).sort_values("x", ignore_index=True)
        ids = frame["row"].isin(points.loc[points["seeds"] > 1, "row"])
        seeds = frame[ids].merge(points[["row", "x"]], on="row").rename(columns={metric: "value"})
        weights = dict(zip(points["row"], slope_weights(points["x"].tolist()), strict=True))
        slope = uncertainty.combination(weights, metric)
        assert slope is not None, "all rows of a curve are measured"
        yield LearningCurve(
            group=(row["backbone"], row["input_size"]),
            axis=axis,
            held=(held, level),
            method=method_name(row["representation"], row["post_process"], details),
            row=row,
            details=details,
            points=points[["row", "x", "mean", "low", "high", *FACTORS]],
            seeds=seeds[["x", "value"]].dropna(),
            slope=slope,
        )


def _split(rows: pd.DataFrame, axis: Axis, held: str) -> Iterator[tuple[float, pd.DataFrame]]:
    """Rows that share all but the number of instances, at least two of them different, with the value that is held."""
    levels = rows[held].map(_levels(rows[held]))
    shared = [name for name in setting_columns(rows) if name not in (*FACTORS, *SCHEDULE)]
    for (level, _), group in rows.groupby([levels, _key(rows, shared)], sort=False):
        several = group.duplicated(list(FACTORS)).any()  # trainings of one length by several schedules
        parts = group.groupby(_key(group, SCHEDULE), sort=False) if several else [("", group)]
        yield from ((float(str(level)), part) for _, part in parts if part[axis].nunique() > 1)


def _key(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    return pd.Series([repr(line) for line in as_records(rows[[*names]])], rows.index)


def _levels(values: pd.Series) -> dict[float, float]:
    """Each value with the first of those that it is alike to, from small to large."""
    levels: dict[float, float] = {}
    first = 0.0
    for value in sorted(values.unique()):
        first = value if value > ALIKE * first else first
        levels[value] = first
    return levels


def _gap(
    curve: LearningCurve, curves: Sequence[LearningCurve], metric: str, uncertainty: Uncertainty
) -> GapTrend | None:
    """The gap of a curve; None for a baseline, or where it shares fewer than two points with one."""
    beside = [one for one in curves if (one.group, one.axis, one.held) == (curve.group, curve.axis, curve.held)]
    baseline = find_baseline(curve, beside)
    if baseline is None:
        return None
    both = curve.points.merge(baseline.points, on=list(FACTORS), suffixes=("", "_baseline"))
    values = both["x"].tolist()
    estimate = uncertainty.estimator([*both["row"], *both["row_baseline"]], metric)
    if both["x"].nunique() < 2 or estimate is None:
        return None

    def judge(weights: Sequence[float]) -> EffectEstimate:
        terms = dict(zip(both["row"], weights, strict=True))
        return estimate(terms | {row: -weight for row, weight in zip(both["row_baseline"], weights, strict=True)})

    gaps = [uncertainty.combination({row: 1, other: -1}, metric) for row, other in both[["row", "row_baseline"]].values]
    points = pd.DataFrame([_point(x, gap) for x, gap in zip(values, gaps, strict=True) if gap is not None])
    slope = judge(slope_weights(values))
    crossing = find_crossing(values, judge)
    return GapTrend(curve, baseline, points, slope, crossing, lambda x: judge(height_weights(values, x)))


def _point(x: float, gap: EffectEstimate) -> dict[str, float]:
    low, high = gap.interval() or (float("nan"), float("nan"))
    return {"x": x, "mean": gap.value, "low": low, "high": high}


def held_words(held: Held) -> str:
    """What the points of a curve share, such as "30,000 seen"."""
    words = {DISTINCT: "{:,.0f} distinct", "instances_seen": "{:,.0f} seen", "epochs": "{:g} epochs"}
    return words[held[0]].format(held[1])


def find_baseline(curve: LearningCurve, curves: Sequence[LearningCurve]) -> LearningCurve | None:
    """The one of some curves that another is compared with; None if it is of the baseline's own representation.

    Of those of the baseline's representation, the one that differs in the fewest other settings, and of these with
    post-processing, as the paper compares.
    """
    representations = [one.row["representation"] for one in curves]
    representation = BASELINE if BASELINE in representations else representations[0]
    if curve.row["representation"] == representation:
        return None

    def distance(other: LearningCurve) -> tuple[int, bool]:
        different = sum(curve.details[name] != value for name, value in other.details.items())
        return different, not is_post_processed(other.row["post_process"])

    return min((one for one in curves if one.row["representation"] == representation), key=distance)
