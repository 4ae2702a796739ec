"""A baseline from records, with the limits of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.formatting import explain_nobody
from bench.analysis.results import Results
from bench.analysis.rows import as_records
from bench.compare.gate.baseline import DIGITS, Baseline, BaselineEntry, Policy
from bench.compare.gate.cell_checks import GateVerdict, Line, measured_metrics, obstacle
from bench.compare.gate.cell_words import cell_words
from bench.pose.errors import BenchError, nearest
from bench.pose.metrics.catalog import noticeable


class UpdateError(BenchError):
    """Records that cannot make a baseline; `verdict` is the worst of theirs."""

    def __init__(self, message: str, verdict: GateVerdict) -> None:
        super().__init__(message)
        self.verdict: GateVerdict = verdict


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
    lines = _measured(results)
    base = before or _first(results)
    old = {entry.id: entry for entry in base.evaluations}
    called = {entry.cell: entry for entry in base.evaluations}
    entries = {id_: entry for id_, entry in old.items() if id_ in known}
    for line in lines:
        id_, words = line["evaluation"], cell_words(results.plan.suite, line)
        entries[id_] = _entry(base, old.get(id_) or called.get(words) or Policy(), words, line, results)
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


def _measured(results: Results) -> Sequence[Line]:
    """The lines of the results frame, all of which must be measured."""
    lines = as_records(results.frame)
    found = [(line, why) for line in lines if (why := obstacle(line, measured_metrics(results, line))) is not None]
    if found:
        listed = "\n".join(
            f"{line['evaluation']} ({cell_words(results.plan.suite, line)}): {why}" for line, (_, why) in found
        )
        message = f"no baseline is written, because not all of it was measured:\n{listed}"
        raise UpdateError(message, "unusable" if any(why[0] == "unusable" for _, why in found) else "not measured")
    return lines


def _first(results: Results) -> Baseline:
    """The start of a suite that has no baseline: the metrics of its tables, with a tolerance to be reviewed."""
    suite = results.plan.suite
    wanted = dict.fromkeys(metric for table in suite.tables for metric in table.metrics)
    default = Policy(
        direction="any",
        tolerance={metric: noticeable(metric) for metric in wanted if results.frame[metric].notna().any()},
        because="a first guess; measure twice and narrow it down",
    )
    return Baseline(version=1, suite=suite.name, default=default, evaluations=[])


def _entry(base: Baseline, policy: Policy, words: str, line: Line, results: Results) -> BaselineEntry:
    metrics, valid = base.metrics_of(policy), measured_metrics(results, line)
    for metric in metrics:
        if nobody := explain_nobody(metric, line):
            message = f"{line['evaluation']} ({words}): {nobody}; remove its limit from the baseline"
            raise UpdateError(message, "not measured")
        if metric not in valid:
            message = f"{line['evaluation']} ({words}): the record has no {metric!r}{nearest(metric, valid)}"
            raise UpdateError(f"{message}; valid: {', '.join(valid)}", "unusable")
    limits = {name: getattr(policy, name) for name in Policy.model_fields}
    changes = " with changes" if line["dirty"] else ""
    package = f"package {line['package']}" if line["package"] is not None else "unknown"
    return BaselineEntry(
        id=line["evaluation"],
        cell=words,
        metrics={metric: round(line[metric], DIGITS) for metric in metrics},
        commit=f"{line['commit']}{changes}" if line["commit"] is not None else package,
        **limits,
    )
