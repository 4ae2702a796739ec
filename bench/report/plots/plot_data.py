"""The frames that plots are drawn from: rows of tables with intervals, diagnostics and training curves beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.formatting import (
    data_name,
    format_metric,
    in_print_units,
    sentence,
    setting_name,
    setting_text,
)
from bench.analysis.frame import diagnostics_frame
from bench.analysis.results import Results, headline_metric
from bench.analysis.rows import common_baseline, find_nobody, summarize_rows
from bench.analysis.uncertainty import Uncertainty
from bench.pose.skeletons import Skeleton
from bench.report.plots.style import MOST_SERIES
from bench.statistics.estimate import EffectEstimate
from bench.statistics.variances import LEVEL

__all__ = ["PlotData", "describe", "gather_plot_data", "join_rows", "printed_rows", "with_series"]

VALUES = ("mean", "std", "low", "high", "published", "ceiling")
"""Columns of rows that are in the units of the metric."""


@dataclass(frozen=True)
class PlotData:
    """What the plots of one suite's report are drawn from.

    Attributes:
        metric: the headline metric of the suite.
        rows: see `summarize_rows`; also `ceiling` of the metric, `reason` why a row is not measured, and `error_bars`:
            what `low` and `high` are, in words.
        baseline: metric of the mean pose, where all records agree on it.
        keypoints: rows with `keypoint`, `measure` and `value`.
        thresholds: rows with `threshold`, `measure` and `value`.
        errors: rows with `kind` and `value`.
        epochs: rows with `epoch`, `loss` and `validation`.
        evaluations: rows with `evaluation` and `seed`, in which `method` is the full name.
        skeleton: of the dataset.
        measure: "AP" or "PCKh": what diagnostics measure keypoints by.
        annotated: whether the annotations that diagnostics need are public.
        selected_on: splits whose score chooses the weights that are kept, in words.
        nothing: why no row has a value, where none has.
        simulated: the mark of figures of which all numbers, or some, are made up, or of subsets; "" where all count.
    """

    metric: str
    rows: pd.DataFrame
    baseline: float | None
    keypoints: pd.DataFrame
    thresholds: pd.DataFrame
    errors: pd.DataFrame
    epochs: pd.DataFrame
    evaluations: pd.DataFrame
    skeleton: Skeleton
    measure: str
    annotated: bool
    selected_on: tuple[str, ...]
    nothing: str
    simulated: str

    @property
    def measured(self) -> pd.DataFrame:
        """Rows that have a value."""
        return self.rows[self.rows["mean"].notna()]

    @property
    def missing_readings(self) -> str:
        """Why no row has diagnostics or a ceiling."""
        return self.nothing if self.measured.empty else "No record holds these readings."


def gather_plot_data(results: Results, uncertainty: Uncertainty) -> PlotData:
    """The plot data of a suite's results, in the order of its tables."""
    suite, frame, metric = results.plan.suite, results.frame, headline_metric(results.plan.suite)
    records, trainings = results.records.values(), results.trainings
    estimates = {row: uncertainty.of(row, metric) for row in results.rows.index}
    intervals = {row: None if estimate is None else estimate.interval() for row, estimate in estimates.items()}
    groups = frame.groupby("row", sort=False)
    rows = summarize_rows(frame, metric, intervals)
    rows["error_bars"] = [
        _error_bars(estimates[row], seeds) for row, seeds in zip(rows["row"], rows["seeds"], strict=True)
    ]
    rows["reason"] = [find_nobody(part, metric) or part["reason"].iloc[0] for _, part in groups]
    ceiling = f"ceiling_{metric}"
    rows["ceiling"] = rows["row"].map(groups[ceiling].mean()) if ceiling in frame else float("nan")
    evaluations = rows.drop(columns=["evaluation", "seed"], errors="ignore").merge(frame[["row", "evaluation", "seed"]])
    rows = with_series(rows)
    epochs = [{"training": id_, **entry.model_dump()} for id_, one in trainings.items() for entry in one.history]
    made_up = [*(one.simulated for one in records), *(one.simulated for one in trainings.values())]
    parts = [one.spec.subset is not None for one in records]
    info = suite.dataset.info
    return PlotData(
        metric=metric,
        rows=rows,
        baseline=common_baseline(frame).get(metric),
        keypoints=join_rows(diagnostics_frame(records, "keypoints"), frame, rows),
        thresholds=join_rows(diagnostics_frame(records, "curve"), frame, rows),
        errors=join_rows(diagnostics_frame(records, "errors"), frame, rows),
        epochs=join_rows(pd.DataFrame(epochs, columns=["training", "epoch", "loss", "validation"]), frame, rows),
        evaluations=evaluations,
        skeleton=info.skeleton,
        measure="PCKh" if info.protocol == "mpii" else "AP",
        annotated=info.layout_of(suite.dataset.eval).annotated,
        selected_on=tuple(data_name(info, split) for split in sorted(set(frame["selection_split"].dropna()))),
        nothing=sentence(find_nobody(frame, metric) or "nothing is measured yet"),
        simulated=_mark(made_up, "SIMULATED") or _mark(parts, "SUBSET"),
    )


def _mark(found: Sequence[bool], word: str) -> str:
    return "" if not any(found) else word if all(found) else f"PARTLY {word}"


def _error_bars(estimate: EffectEstimate | None, seeds: int) -> str:
    """What a row's error bar is, in words; "" where there is none."""
    if estimate is not None and estimate.error is not None:
        return f"{LEVEL:.0%} confidence intervals over {' and '.join(estimate.sources)}"
    return "sample standard deviations over seeds" if seeds > 1 else ""


def join_rows(values: pd.DataFrame, frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Values by training or evaluation, such as `load_keypoints` gives, with the columns of the rows that they are of.

    Args:
        values: with a column `evaluation` or `training`. A training's go to the first row that measures it.
        frame: the results frame.
        rows: the frame's, see `summarize_rows`. They give the order.
    """
    key, rows = "evaluation" if "evaluation" in values else "training", with_series(rows)
    columns = ["row", *(name for name in rows if name not in {"row", "training", "evaluation", *values})]
    keys = frame[[key, "row"]].drop_duplicates(key)
    return rows[columns].merge(keys, on="row").merge(values, on=key)


def with_series(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `method` as a categorical column, whose order decides how each method looks.

    More than `MOST_SERIES` methods are named by their representation and post-processing alone; `full_method` keeps the
    whole names.
    """
    if isinstance(rows["method"].dtype, pd.CategoricalDtype):
        return rows
    names = rows["method"]
    if names.nunique() > MOST_SERIES:
        names = names.str.replace(r" \(.*\)$", "", regex=True)
    return rows.assign(method=pd.Categorical(names, categories=names.unique()), full_method=rows["method"])


def describe(row: pd.Series, names: Iterable[str]) -> str:
    """Some settings of a row in words, such as "k 2, label smoothing 0.1"."""
    return ", ".join(
        f"{setting_name(name)} {setting_text(None if pd.isna(row[name]) else row[name])}" for name in names
    )


def printed_rows(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows with values in the units that are printed, and `text`, the mean as tables print it.

    `low` and `high` are one standard deviation from the mean where no interval is known.
    """
    scaled = {name: rows[name] * in_print_units(metric, 1.0) for name in VALUES if name in rows}
    text = ["" if math.isnan(mean) else format_metric(metric, mean) for mean in rows["mean"]]
    rows = with_series(rows).assign(**scaled, text=text)
    low, high = rows["mean"] - rows["std"], rows["mean"] + rows["std"]
    return rows.assign(low=rows["low"].fillna(low), high=rows["high"].fillna(high))
