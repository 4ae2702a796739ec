"""Records against a baseline, metric by metric: what holds, what moved, and what cannot be said."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.analysis.formatting import explain_left_out, explain_nobody
from bench.analysis.results import Results
from bench.analysis.rows import as_records, split_rows
from bench.compare.gate.baseline import DIGITS, Baseline, BaselineEntry, Limit
from bench.compare.gate.cell_words import cell_words
from bench.pose.metrics.catalog import NOBODY, metric_named

GateVerdict = Literal["unusable", "regressed", "changed", "not measured", "improved", "holds"]
"""Worst first. "changed" is a gain where every movement is refused, "improved" one where only losses are."""

STATUS: Mapping[GateVerdict, int] = {
    "unusable": 3,
    "regressed": 1,
    "changed": 1,
    "not measured": 2,
    "improved": 0,
    "holds": 0,
}
"""Exit status that each verdict asks for; that of the worst counts."""

SEVERITY: tuple[GateVerdict, ...] = tuple(STATUS)

ROUNDING = 10.0**-DIGITS / 2
"""The largest rounding error of a baseline's value."""

Line = Mapping[str, Any]
"""One evaluation: a line of the results frame as plain values."""

Pair = tuple[Line, BaselineEntry]


@dataclass(frozen=True)
class MetricCheck:
    """What became of one metric of one cell.

    Attributes:
        cell: the cell in words.
        ids: its evaluations, several where a test looks at several seeds.
        metric: the metric; "" where there is none to compare by.
        verdict: the verdict on it.
        before: value, or mean over seeds, in the baseline.
        now: the same in the records.
        limit: how far it may move.
        detail: what else there is to say.
        failed: whether the job that was to measure it failed.
    """

    cell: str
    ids: tuple[str, ...]
    metric: str
    verdict: GateVerdict
    before: float | None = None
    now: float | None = None
    limit: Limit | None = None
    detail: str = ""
    failed: bool = False

    @property
    def difference(self) -> float | None:
        """The rise of the metric."""
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def excess(self) -> float:
        """The movement as a multiple of what is allowed, to sort by."""
        if self.difference is None or self.limit is None:
            return 0.0
        if not self.limit.amount:
            return math.inf if self.difference else 0.0
        return abs(self.difference) / self.limit.amount


def worst(checks: Sequence[MetricCheck]) -> GateVerdict:
    """The worst verdict; nothing to compare is nothing measured."""
    return min((check.verdict for check in checks), key=SEVERITY.index, default="not measured")


def compare_with_baseline(baseline: Baseline, results: Results, known: Collection[str]) -> list[MetricCheck]:
    """Every metric of the baseline that the results should have, worst first.

    Args:
        baseline: of the suite.
        results: of the suite, or of a selection of its cells.
        known: ids of all evaluations of the suite: entries of the baseline for others are reported.
    """
    checks = [check for row in split_rows(results.frame).values() for check in _row(baseline, results, row)]
    checks += [*_gone(baseline, known), *_never(baseline)]
    return sorted(checks, key=lambda check: (SEVERITY.index(check.verdict), -check.excess))


def obstacle(line: Line, metrics: Collection[str]) -> tuple[GateVerdict, str] | None:
    """Why there is nothing to compare in a line of the results frame, whose metrics are given; None if there is."""
    if line["reason"]:
        return ("unusable" if line["state"] == "unreadable" else "not measured"), line["reason"]
    if line["simulated"]:
        return "unusable", "the record is simulated: nothing was measured"
    if not metrics and line["nobody_to_judge"]:
        return "not measured", f"{NOBODY}: no instance of {line['evaluation_split']} counts"
    if not metrics:
        return "not measured", "only the dataset's server can score it, and has not"
    return None


def measured_metrics(results: Results, line: Line) -> tuple[str, ...]:
    """Metrics that the record of a line has a value of."""
    record = results.records.get(line["evaluation"])
    return () if record is None else tuple(name for name in record.metrics if line[name] is not None)


def _row(baseline: Baseline, results: Results, row: pd.DataFrame) -> Iterator[MetricCheck]:
    """The checks of evaluations that differ in the seed alone."""
    entries = {entry.id: entry for entry in baseline.evaluations}
    pairs: list[Pair] = []
    for line in as_records(row):
        entry = entries.get(line["evaluation"])
        if entry is not None:
            pairs.append((line, entry))
        else:
            yield _new(baseline, results, line)
    for metric in dict.fromkeys(name for _, entry in pairs for name in (*entry.metrics, *entry.limited)):
        having = [pair for pair in pairs if metric in (*pair[1].metrics, *pair[1].limited)]
        tested = [pair for pair in having if _limit(baseline, [pair], metric).kind == "test"]
        groups = [[pair] for pair in having if pair not in tested] + ([tested] if tested else [])
        for group in groups:
            yield _check(baseline, results, group, metric)


def _new(baseline: Baseline, results: Results, line: Line) -> MetricCheck:
    words = cell_words(results.plan.suite, line)
    former = next((entry.id for entry in baseline.evaluations if entry.cell == words), None)
    detail = f"not what the baseline has under {former}: a setting changed" if former else "not in the baseline"
    verdict, why = obstacle(line, measured_metrics(results, line)) or ("not measured", "")
    detail = "; ".join(filter(None, (f"{detail}; `--update` adds it", why)))
    return MetricCheck(words, (line["evaluation"],), "", verdict, detail=detail)


def _gone(baseline: Baseline, known: Collection[str]) -> Iterator[MetricCheck]:
    detail = "in the baseline, but no longer in the suite: `--update` removes it"
    for entry in baseline.evaluations:
        if entry.id not in known:
            for metric, value in entry.metrics.items():
                yield MetricCheck(entry.cell, (entry.id,), metric, "not measured", before=value, detail=detail)


def _never(baseline: Baseline) -> Iterator[MetricCheck]:
    """Metrics that have a limit by default and no value anywhere: the gate would not look at them."""
    measured = {metric for entry in baseline.evaluations for metric in entry.metrics}
    for metric in baseline.default.limited:
        if metric not in measured:
            detail = "has a limit, but no evaluation of the baseline has a value of it: `--update` adds it"
            yield MetricCheck("every cell", (), metric, "not measured", detail=detail)


def _limit(baseline: Baseline, pairs: Sequence[Pair], metric: str) -> Limit:
    """How far a metric may move: the narrowest, where seeds that are tested together differ."""
    limits = [limit for _, entry in pairs if (limit := baseline.limit(entry, metric)) is not None]
    direction: Literal["any", "down"] = "any" if any(limit.direction == "any" for limit in limits) else "down"
    return replace(min(limits, key=lambda limit: limit.amount), direction=direction)


def _check(baseline: Baseline, results: Results, pairs: Sequence[Pair], metric: str) -> MetricCheck:
    """The verdict on one metric of one evaluation, or of several that differ in their seed alone."""
    lines, limit = [line for line, _ in pairs], _limit(baseline, pairs, metric)
    seeds = [line["seed"] for line in lines]
    blank = MetricCheck(
        cell_words(results.plan.suite, lines[0], seeds),
        tuple(line["evaluation"] for line in lines),
        metric,
        "holds",
        limit=limit,
    )
    before = [value for _, entry in pairs if (value := entry.metrics.get(metric)) is not None]
    if any(entry.metrics.get(metric, 0) is None for _, entry in pairs):
        detail = f"{NOBODY} when the baseline was written: `--update` writes what there is now"
        return replace(blank, verdict="not measured", detail=detail)
    if len(before) < len(pairs):
        return replace(blank, verdict="not measured", detail="no value in the baseline: `--update` adds it")
    blank = replace(blank, before=float(np.mean(before)))
    obstacles = [(line, found) for line in lines if (found := _missing(results, line, metric)) is not None]
    if obstacles:
        verdict = min((found[0] for _, found in obstacles), key=SEVERITY.index)
        details = [found[1] if len(pairs) == 1 else f"seed {line['seed']}: {found[1]}" for line, found in obstacles]
        failed = any(line["state"] == "failed" for line, _ in obstacles)
        return replace(blank, verdict=verdict, detail="; ".join(details), failed=failed)
    judged = _judge(blank, limit, before, np.round([line[metric] for line in lines], DIGITS).tolist())
    left_out = dict.fromkeys(filter(None, map(explain_left_out, lines)))
    return replace(judged, detail="; ".join(filter(None, (judged.detail, *left_out))))


def _missing(results: Results, line: Line, metric: str) -> tuple[GateVerdict, str] | None:
    metrics = measured_metrics(results, line)
    found = obstacle(line, metrics)
    if found is None and metric not in metrics:
        why = explain_nobody(metric, line) or f"the record has no {metric}; it has {', '.join(metrics)}"
        return "not measured", why
    return found


def _judge(blank: MetricCheck, limit: Limit, before: Sequence[float], now: Sequence[float]) -> MetricCheck:
    """The verdict on values of as many seeds."""
    checked = replace(blank, now=float(np.mean(now)))
    difference = float(np.mean(now) - np.mean(before))
    interval = (difference, difference)
    if limit.kind == "test":
        if len(now) < 2:
            detail = "a test needs two seeds or more; declare a tolerance, or an axis of seeds"
            return replace(checked, verdict="unusable", detail=detail)
        interval = _interval(now, before) or interval
        checked = replace(checked, detail=f"95 % interval of the difference: {interval[0]:+.4f} to {interval[1]:+.4f}")
    if metric_named(blank.metric).lower_is_better:
        interval = (-interval[1], -interval[0])
    if interval[1] < -limit.amount - ROUNDING:
        return replace(checked, verdict="regressed")
    if interval[0] > limit.amount + ROUNDING:
        return replace(checked, verdict="changed" if limit.direction == "any" else "improved")
    return checked


def _interval(now: Sequence[float], before: Sequence[float]) -> tuple[float, float] | None:
    """Interval of the difference of two means over seeds, by Welch; None where nothing is known of its error."""
    from bench.statistics.combination import (  # SciPy takes a second, and tolerances do without it
        Combination,
        TrainingGroup,
    )

    ones = np.ones(1)
    groups = (TrainingGroup(ones, np.array(now)[:, None]), TrainingGroup(-ones, np.array(before)[:, None]))
    return Combination(groups).estimate().interval()
