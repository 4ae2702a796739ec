"""Records against a baseline, metric by metric: what holds, what moved, and what cannot be said."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.analysis.results import Condition, Measurement, Results
from bench.compare.gate.baseline import DIGITS, Baseline, Entry, Limit
from bench.compare.gate.cells import cell_words
from bench.suite.metrics import lower_is_better

__all__ = ["STATUS", "Check", "Verdict", "compare", "obstacle", "worst"]

Verdict = Literal["unusable", "regressed", "changed", "not measured", "improved", "holds"]
"""Worst first. "changed" is a gain where every movement is refused, "improved" one where only losses are."""

STATUS: Mapping[Verdict, int] = {
    "unusable": 3,
    "regressed": 1,
    "changed": 1,
    "not measured": 2,
    "improved": 0,
    "holds": 0,
}
"""Exit status that each verdict asks for; that of the worst counts."""

SEVERITY: tuple[Verdict, ...] = tuple(STATUS)

ROUNDING = 10.0**-DIGITS / 2
"""What a baseline's value may be off by."""

Pair = tuple[Measurement, Entry]


@dataclass(frozen=True)
class Check:
    """What became of one metric of one cell.

    Attributes:
        cell: in words.
        ids: of its evaluations: several where a test looks at several seeds.
        metric: that was compared; "" where there is none to compare by.
        verdict: on it.
        before: value, or mean over seeds, in the baseline.
        now: the same in the records.
        limit: how far it may move.
        detail: what else there is to say.
        failed: whether the job that was to measure it failed.
    """

    cell: str
    ids: tuple[str, ...]
    metric: str
    verdict: Verdict
    before: float | None = None
    now: float | None = None
    limit: Limit | None = None
    detail: str = ""
    failed: bool = False

    @property
    def difference(self) -> float | None:
        """By how much the metric rose."""
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def excess(self) -> float:
        """The movement as a multiple of what is allowed, to sort by."""
        if self.difference is None or self.limit is None:
            return 0.0
        if not self.limit.amount:
            return math.inf if self.difference else 0.0
        return abs(self.difference) / self.limit.amount


def worst(checks: Sequence[Check]) -> Verdict:
    """The worst verdict; nothing to compare is nothing measured."""
    return min((check.verdict for check in checks), key=SEVERITY.index, default="not measured")


def compare(baseline: Baseline, results: Results, known: Collection[str]) -> list[Check]:
    """Every metric of the baseline that the results should have, worst first.

    Args:
        baseline: of the suite.
        results: of the suite, or of a selection of its cells.
        known: ids of all evaluations of the suite: entries of the baseline for others are reported.
    """
    checks = [check for condition in results.conditions for check in _condition(baseline, results, condition)]
    checks += [*_gone(baseline, known), *_never(baseline)]
    return sorted(checks, key=lambda check: (SEVERITY.index(check.verdict), -check.excess))


def obstacle(item: Measurement) -> tuple[Verdict, str] | None:
    """Why there is nothing to compare in a planned evaluation; None where there is a record."""
    record = item.record
    if record is None:
        return ("unusable" if item.reason.startswith("unreadable") else "not measured"), item.reason
    if record.simulated:
        return "unusable", "the record is simulated: nothing was measured"
    if not record.metrics:
        return "not measured", "only the dataset's server can score it, and has not"
    return None


def _condition(baseline: Baseline, results: Results, condition: Condition) -> Iterator[Check]:
    entries = {entry.id: entry for entry in baseline.evaluations}
    pairs: list[Pair] = []
    for item in condition.measurements:
        entry = entries.get(item.evaluation.spec.id)
        if entry is not None:
            pairs.append((item, entry))
        else:
            yield _new(baseline, results, item)
    for metric in dict.fromkeys(name for _, entry in pairs for name in (*entry.metrics, *entry.limited)):
        having = [pair for pair in pairs if metric in (*pair[1].metrics, *pair[1].limited)]
        tested = [pair for pair in having if _limit(baseline, [pair], metric).kind == "test"]
        groups = [[pair] for pair in having if pair not in tested] + ([tested] if tested else [])
        for group in groups:
            yield _check(baseline, results, group, metric)


def _new(baseline: Baseline, results: Results, item: Measurement) -> Check:
    words = cell_words(results.plan.suite, item.training.spec, item.evaluation.spec)
    former = next((entry.id for entry in baseline.evaluations if entry.cell == words), None)
    detail = f"not what the baseline has under {former}: a setting changed" if former else "not in the baseline"
    verdict, why = obstacle(item) or ("not measured", "")
    detail = "; ".join(filter(None, (f"{detail}; `--update` adds it", why)))
    return Check(words, (item.evaluation.spec.id,), "", verdict, detail=detail)


def _gone(baseline: Baseline, known: Collection[str]) -> Iterator[Check]:
    detail = "in the baseline, but no longer in the suite: `--update` removes it"
    for entry in baseline.evaluations:
        if entry.id not in known:
            for metric, value in entry.metrics.items():
                yield Check(entry.cell, (entry.id,), metric, "not measured", before=value, detail=detail)


def _never(baseline: Baseline) -> Iterator[Check]:
    """Metrics that have a limit by default and no value anywhere: the gate would not look at them."""
    measured = {metric for entry in baseline.evaluations for metric in entry.metrics}
    for metric in baseline.default.limited:
        if metric not in measured:
            detail = "has a limit, but no evaluation of the baseline has a value of it: `--update` adds it"
            yield Check("every cell", (), metric, "not measured", detail=detail)


def _limit(baseline: Baseline, pairs: Sequence[Pair], metric: str) -> Limit:
    """How far a metric may move: the narrowest, where seeds that are tested together differ."""
    limits = [limit for _, entry in pairs if (limit := baseline.limit(entry, metric)) is not None]
    direction: Literal["any", "down"] = "any" if any(limit.direction == "any" for limit in limits) else "down"
    return replace(min(limits, key=lambda limit: limit.amount), direction=direction)


def _check(baseline: Baseline, results: Results, pairs: Sequence[Pair], metric: str) -> Check:
    """The verdict on one metric of one evaluation, or of several that differ in their seed alone."""
    (first, _), limit = pairs[0], _limit(baseline, pairs, metric)
    seeds = [item.seed for item, _ in pairs]
    blank = Check(
        cell_words(results.plan.suite, first.training.spec, first.evaluation.spec, seeds),
        tuple(item.evaluation.spec.id for item, _ in pairs),
        metric,
        "holds",
        limit=limit,
    )
    before = [entry.metrics[metric] for _, entry in pairs if metric in entry.metrics]
    if len(before) < len(pairs):
        return replace(blank, verdict="not measured", detail="no value in the baseline: `--update` adds it")
    blank = replace(blank, before=float(np.mean(before)))
    obstacles = [(item, found) for item, _ in pairs if (found := _missing(item, metric)) is not None]
    if obstacles:
        verdict = min((found[0] for _, found in obstacles), key=SEVERITY.index)
        details = [found[1] if len(pairs) == 1 else f"seed {item.seed}: {found[1]}" for item, found in obstacles]
        failed = any(item.evaluation.state == "failed" or item.training.failed for item, _ in obstacles)
        return replace(blank, verdict=verdict, detail="; ".join(details), failed=failed)
    now = [item.record.metrics[metric] for item, _ in pairs if item.record is not None]
    return _judge(blank, limit, before, np.round(now, DIGITS).tolist())


def _missing(item: Measurement, metric: str) -> tuple[Verdict, str] | None:
    found = obstacle(item)
    if found is None and item.record is not None and metric not in item.record.metrics:
        return "not measured", f"the record has no {metric}; it has {', '.join(item.record.metrics)}"
    return found


def _judge(blank: Check, limit: Limit, before: Sequence[float], now: Sequence[float]) -> Check:
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
    if lower_is_better(blank.metric):
        interval = (-interval[1], -interval[0])
    if interval[1] < -limit.amount - ROUNDING:
        return replace(checked, verdict="regressed")
    if interval[0] > limit.amount + ROUNDING:
        return replace(checked, verdict="changed" if limit.direction == "any" else "improved")
    return checked


def _interval(now: Sequence[float], before: Sequence[float]) -> tuple[float, float] | None:
    """Interval of the difference of two means over seeds, by Welch; None where nothing is known of its error."""
    from bench.statistics.combination import Combination, Kind  # SciPy takes a second, and tolerances do without it

    ones = np.ones(1)
    kinds = (Kind(ones, np.array(now)[:, None]), Kind(-ones, np.array(before)[:, None]))
    return Combination(kinds).estimate().interval()
