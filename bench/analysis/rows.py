"""The rows of tables and the points of plots: evaluations that differ in the seed alone, taken together."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.analysis.formatting import representation_name, setting_name, setting_text
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["ablated_settings", "method_names", "summarize_rows"]

METHOD = ("backbone", "input_size", "representation", "evaluation_post_process")
"""Settings that the name of a method or its place in a plot already says."""


def summarize_rows(
    frame: pd.DataFrame, metric: str, intervals: Mapping[str, tuple[float, float] | None] | None = None
) -> pd.DataFrame:
    """One row per `row` of a results frame, in its order, for one metric.

    Keeps every column that is equal for all seeds and adds `mean` and `std` (sample standard deviation; NaN for fewer
    than two) over seeds, `seeds` measured and `planned`, `published` (the paper's value of the metric), `low` and
    `high` (from `intervals`, by `row`; NaN where there is none) and `method` (see `method_names`).
    """
    groups = frame.groupby("row", sort=False)
    equal = [name for name in frame.columns if name != "row" and (groups[name].nunique(dropna=False) == 1).all()]
    rows = groups[equal].first()
    rows["mean"], rows["std"] = groups[metric].mean(), groups[metric].std()
    rows["seeds"], rows["planned"] = groups[metric].count(), groups.size()
    published = f"published_{metric}"
    rows["published"] = groups[published].first() if published in frame else float("nan")
    ends = {row: interval for row, interval in (intervals or {}).items() if interval is not None}
    rows["low"] = rows.index.map({row: low for row, (low, _) in ends.items()}).astype(float)
    rows["high"] = rows.index.map({row: high for row, (_, high) in ends.items()}).astype(float)
    rows["method"] = method_names(frame)
    return rows.reset_index()


def ablated_settings(frame: pd.DataFrame) -> tuple[str, ...]:
    """Settings that tell apart rows of one backbone, input size, representation and post-processing."""
    alike = frame.groupby(list(METHOD), dropna=False, sort=False)
    return tuple(
        name
        for name in _settings(frame)
        if name not in METHOD and name != "seed" and (alike[name].nunique(dropna=False) > 1).any()
    )


def method_names(frame: pd.DataFrame) -> pd.Series:
    """The representation in words, by `row`, with what else tells it from other rows of its backbone and input size."""
    ablated = ablated_settings(frame)
    firsts = frame.groupby("row", sort=False).first()
    return firsts.apply(lambda row: _method_name(row, ablated), axis="columns")


def _method_name(row: pd.Series, ablated: tuple[str, ...]) -> str:
    details = [f"{setting_name(name)} {setting_text(None if pd.isna(row[name]) else row[name])}" for name in ablated]
    name = representation_name(row["representation"]) + (" + extra post." if row["evaluation_post_process"] else "")
    return f"{name} ({', '.join(details)})" if details else name


def _settings(frame: pd.DataFrame) -> list[str]:
    names = {*TrainSpec.model_fields, *EvalSpec.model_fields} - {"training", "definition"}
    return [name for name in frame.columns if name.removeprefix("evaluation_") in names]
