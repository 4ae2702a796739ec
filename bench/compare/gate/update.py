"""A baseline from records, with the limits of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.analysis.results import Measurement, Results
from bench.compare.gate.baseline import DIGITS, Baseline, Entry, Policy
from bench.compare.gate.cells import cell_words
from bench.compare.gate.comparison import Verdict, obstacle
from bench.pose.errors import BenchError, nearest
from bench.store.documents import Record
from bench.store.provenance import Provenance

__all__ = ["UpdateError", "describe_changes", "updated"]

FIRST_TOLERANCE = 0.005
"""What a baseline without a predecessor allows, as a part of the metric's range: to be reviewed, like all of it."""

PERCENT = frozenset({"pckh"})
"""Evaluators whose metrics are in percent."""


class UpdateError(BenchError):
    """Records of which no baseline can be made; `verdict` is that on the worst of them."""

    def __init__(self, message: str, verdict: Verdict) -> None:
        super().__init__(message)
        self.verdict: Verdict = verdict


def updated(before: Baseline | None, results: Results, known: Sequence[str]) -> Baseline:
    """The baseline that the records give; directions, limits and reasons are those of the one before.

    An evaluation whose id changed keeps its limits if it is still called the same. Entries for cells that the results
    leave out are kept, those for cells that the suite no longer has are not.

    Args:
        before: the baseline to replace; None if there is none yet.
        results: of the suite, or of a selection of its cells.
        known: ids of all evaluations of the suite, in order.

    Raises:
        UpdateError: an evaluation is not measured, its record is simulated, or lacks a metric that has a limit.
    """
    records = _records(results)
    base = before or _first(results, records)
    old = {entry.id: entry for entry in base.evaluations}
    called = {entry.cell: entry for entry in base.evaluations}
    entries = {id_: entry for id_, entry in old.items() if id_ in known}
    for item in results.measurements:
        spec = item.evaluation.spec
        words = cell_words(results.plan.suite, item.training.spec, spec)
        policy = old.get(spec.id) or called.get(words) or Policy()
        entries[spec.id] = _entry(base, policy, words, records[spec.id])
    return base.model_copy(update={"evaluations": [entries[id_] for id_ in known if id_ in entries]})


def describe_changes(before: Baseline | None, after: Baseline) -> Iterator[str]:
    """One line per evaluation that is new, gone or has another value."""
    old = {entry.id: entry for entry in before.evaluations} if before is not None else {}
    for entry in after.evaluations:
        if entry.id not in old:
            yield f"new: {entry.cell}"
            continue
        metrics = old.pop(entry.id).metrics
        for metric, value in entry.metrics.items():
            if metrics.get(metric) != value:
                yield f"{entry.cell}: {metric} {metrics.get(metric, 'without a value')} -> {value}"
    for entry in old.values():
        yield f"gone: {entry.cell}"


def _records(results: Results) -> dict[str, Record]:
    obstacles = [(item, found) for item in results.measurements if (found := obstacle(item)) is not None]
    if obstacles:
        listed = "\n".join(f"{_name(results, item)}: {why}" for item, (_, why) in obstacles)
        message = f"no baseline is written, because not all of it was measured:\n{listed}"
        raise UpdateError(
            message, "unusable" if any(found[0] == "unusable" for _, found in obstacles) else "not measured"
        )
    return {item.record.id: item.record for item in results.measurements if item.record is not None}


def _name(results: Results, item: Measurement) -> str:
    words = cell_words(results.plan.suite, item.training.spec, item.evaluation.spec)
    return f"{item.evaluation.spec.id} ({words})"


def _first(results: Results, records: Mapping[str, Record]) -> Baseline:
    """The start of a suite that has no baseline: the metrics of its tables, with a tolerance to be reviewed."""
    suite = results.plan.suite
    measured = {metric for record in records.values() for metric in record.metrics}
    metrics = dict.fromkeys(metric for table in suite.tables for metric in table.metrics if metric in measured)
    percent = all(record.spec.evaluator in PERCENT for record in records.values())
    tolerance = FIRST_TOLERANCE * (100 if percent else 1)
    default = Policy(
        direction="any",
        tolerance=dict.fromkeys(metrics, tolerance),
        because="a first guess; measure twice and narrow it down",
    )
    return Baseline(version=1, suite=suite.name, default=default, evaluations=[])


def _entry(base: Baseline, policy: Policy, words: str, record: Record) -> Entry:
    metrics = base.metrics_of(policy)
    for metric in metrics:
        if metric not in record.metrics:
            valid = list(record.metrics)
            message = f"{record.id} ({words}): the record has no {metric!r}{nearest(metric, valid)}"
            raise UpdateError(f"{message}; valid: {', '.join(valid)}", "unusable")
    limits = {name: getattr(policy, name) for name in Policy.model_fields}
    return Entry(
        id=record.id,
        cell=words,
        metrics={metric: round(record.metrics[metric], DIGITS) for metric in metrics},
        commit=_commit(record.provenance),
        **limits,
    )


def _commit(provenance: Provenance) -> str:
    if provenance.commit is None:
        return "unknown"
    return f"{provenance.commit} with changes" if provenance.dirty else provenance.commit
