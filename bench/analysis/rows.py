"""The rows of tables and the points of plots: evaluations that differ in the seed alone, taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis.formatting import backbone_name, explain_nobody, method_name
from bench.analysis.frame import setting_columns

__all__ = [
    "SCHEDULE",
    "ablated_settings",
    "as_records",
    "collect_rows",
    "common_baseline",
    "find_nobody",
    "method_names",
    "row_title",
    "split_rows",
    "summarize_rows",
]

METHOD = ("backbone", "input_size", "representation", "post_process")
"""Settings that the name of a method or its place in a table already says."""

SCHEDULE = ("milestones", "warmup_steps")
"""Settings that a longer training has to change."""

SAME = 1e-6
"""Baselines of records agree up to this."""


def collect_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One line per `row` of a results frame, indexed by it, in the frame's order.

    Keeps every column that is equal for all seeds of every row, and adds `done` (evaluations with a record), `planned`
    (all evaluations) and `method` (see `method_names`).
    """
    groups = frame.groupby("row", sort=False)
    varying = groups.nunique(dropna=False).gt(1).any()
    rows = groups.first()[[name for name in varying.index if not varying[name]]]
    done = (frame["state"] == "done").groupby(frame["row"], sort=False).sum()
    return rows.copy().assign(done=done, planned=groups.size(), method=method_names(frame)).copy()


def split_rows(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The evaluations of each `row` of a results frame, in the frame's order."""
    return {str(row): part for row, part in frame.groupby("row", sort=False)}


def summarize_rows(
    frame: pd.DataFrame, metric: str, intervals: Mapping[str, tuple[float, float] | None] | None = None
) -> pd.DataFrame:
    """One line per `row` of a results frame, in its order, for one metric.

    Has the columns of `collect_rows`, and `mean` and `std` (sample standard deviation; NaN for fewer than two) over
    seeds, `seeds` measured, `published` (the paper's value of the metric), and `low` and `high` (from `intervals`, by
    `row`; NaN where there is none).
    """
    values = frame.groupby("row", sort=False)[metric]
    rows = collect_rows(frame).assign(mean=values.mean(), std=values.std(), seeds=values.count())
    published = f"published_{metric}"
    rows["published"] = rows[published] if published in rows else float("nan")
    ends = {row: interval for row, interval in (intervals or {}).items() if interval is not None}
    rows["low"] = rows.index.map({row: low for row, (low, _) in ends.items()}).astype(float)
    rows["high"] = rows.index.map({row: high for row, (_, high) in ends.items()}).astype(float)
    return rows.reset_index()


def ablated_settings(frame: pd.DataFrame) -> tuple[str, ...]:
    """Settings that tell apart rows of one backbone, input size, representation and post-processing.

    A schedule that follows from the number of epochs tells nothing that they do not.
    """
    names = [name for name in setting_columns(frame) if name not in METHOD]
    found = _varying(frame, names, METHOD)
    own = _varying(frame, SCHEDULE, (*METHOD, "epochs"))
    return tuple(name for name in found if name not in SCHEDULE or name in own)


def _varying(frame: pd.DataFrame, names: Sequence[str], within: Sequence[str]) -> list[str]:
    """The columns that have several values among lines that agree in others."""
    groups = frame[list(names)].groupby([frame[name] for name in within], dropna=False, sort=False)
    varying = groups.nunique(dropna=False).gt(1).any()
    return [name for name in names if varying[name]]


def method_names(frame: pd.DataFrame) -> pd.Series:
    """The representation in words, by `row`, with what else tells it from other rows of its backbone and input size."""
    firsts = frame.groupby("row", sort=False).head(1).set_index("row")
    details = as_records(firsts[list(ablated_settings(frame))])
    methods = zip(firsts["representation"], firsts["post_process"], details, strict=True)
    return pd.Series([method_name(*method) for method in methods], index=firsts.index, dtype="str")


def row_title(row: Mapping[str, Any]) -> str:
    """Backbone, method and input size of a line of `collect_rows` in words."""
    return f"{backbone_name(row['backbone'])}, {row['method']}, {row['input_size']}"


def common_baseline(frame: pd.DataFrame) -> dict[str, float]:
    """Metrics of the mean pose, those on which all records of a results frame agree."""
    found = frame.loc[frame["state"] == "done"].filter(regex="^baseline_")
    agreed = found.notna().all() & ((found.max() - found.min()) < SAME)
    return {
        str(name).removeprefix("baseline_"): float(found[name].iloc[0]) for name in found.columns[agreed] if len(found)
    }


def find_nobody(frame: pd.DataFrame, metric: str) -> str:
    """Why lines of a results frame have no value of a metric, where there is nobody to judge; "" if there is."""
    lines = as_records(frame[["nobody_to_judge", "evaluation_split"]].drop_duplicates())
    return "; ".join(filter(None, (explain_nobody(metric, line) for line in lines)))


def as_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of a table as plain Python values, None where there is none."""
    # Column by column: a table of objects takes milliseconds to make, and reports ask for hundreds of small ones.
    columns = [
        [None if missing else value for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)]
        for _, column in table.items()
    ]
    names = [str(name) for name in table.columns]
    return [dict(zip(names, line, strict=True)) for line in zip(*columns, strict=True)] or [{} for _ in table.index]
