"""What is known of a table's row beyond what it prints: seed by seed, metric by metric, and what its log says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analysis.formatting import DASH, backbone_name, format_metric, metric_name
from bench.analysis.results import Condition, Measurement, Results
from bench.report.columns import Frame
from bench.report.findings import Finding
from bench.store.folders import Store

__all__ = ["Detail", "Reading", "Seed", "describe_rows", "log_tail", "log_tails", "row_title"]

LOG_LINES, LOG_WIDTH, LOG_BYTES = 15, 160, 8192
"""Of a log's end: lines and characters of each that are kept, and bytes that they are looked for in."""


@dataclass(frozen=True)
class Reading:
    """One metric of a row as printed; `values` seed by seed."""

    metric: str
    values: tuple[str, ...]
    finding: Finding


@dataclass(frozen=True)
class Seed:
    """One seed of a row.

    Attributes:
        seed: its number.
        training: id of it.
        record: id of the record, "" where there is none.
        reason: why there is none.
    """

    seed: int
    training: str
    record: str
    reason: str


@dataclass(frozen=True)
class Detail:
    """Everything else about a row.

    Attributes:
        title: backbone, method and input size.
        seeds: in the order of the suite.
        readings: all metrics of all tables.
    """

    title: str
    seeds: tuple[Seed, ...]
    readings: tuple[Reading, ...]


def row_title(results: Results, condition: Condition) -> str:
    """Backbone, method and input size of a row in words."""
    training = condition.training
    return f"{backbone_name(training.backbone)}, {results.method(condition)}, {training.input_size}"


def describe_rows(results: Results, keys: Mapping[Condition, str], frames: Sequence[Frame]) -> Mapping[str, Detail]:
    """Details of every condition by its key."""
    findings: dict[Condition, dict[str, Finding]] = {condition: {} for condition in keys}
    for frame in frames:
        for line, by_metric in frame.findings.items():
            if line.condition is not None:
                findings[line.condition] |= by_metric
    return {key: _describe(results, condition, findings[condition].values()) for condition, key in keys.items()}


def log_tails(results: Results, store: Store) -> Mapping[str, tuple[str, ...]]:
    """The last lines of the log of every training that has one, by its id."""
    tails = {training.spec.id: log_tail(store.training(training.spec.id).log) for training in results.plan.trainings}
    return {id_: tail for id_, tail in tails.items() if tail}


def log_tail(file: Path) -> tuple[str, ...]:
    """The last lines of a log, long ones cut; none where it cannot be read."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - LOG_BYTES, 0))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ()
    lines = [_printable(line) for line in text.splitlines() if line.strip()]
    return tuple(line if len(line) <= LOG_WIDTH else f"{line[:LOG_WIDTH]} …" for line in lines[-LOG_LINES:])


def _printable(line: str) -> str:
    """A line without colors and other control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in line).rstrip()


def _describe(results: Results, condition: Condition, findings: Iterable[Finding]) -> Detail:
    return Detail(
        row_title(results, condition),
        tuple(_seed(item) for item in condition.measurements),
        tuple(_reading(condition, finding) for finding in findings),
    )


def _seed(item: Measurement) -> Seed:
    record = item.record
    return Seed(item.seed, item.training.spec.id, record.id if record is not None else "", item.reason)


def _reading(condition: Condition, finding: Finding) -> Reading:
    values = tuple(_value(item, finding.metric) for item in condition.measurements)
    return Reading(metric_name(finding.metric), values, finding)


def _value(item: Measurement, metric: str) -> str:
    value = item.record.metrics.get(metric, -1) if item.record is not None else -1
    return format_metric(metric, value) if value >= 0 else DASH
