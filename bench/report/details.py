"""What is known of a table's row beyond what it prints: seed by seed, metric by metric, and what its log says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.findings import Finding
from bench.analysis.formatting import DASH, explain_nobody, format_metric, metric_name
from bench.analysis.results import Results
from bench.analysis.rows import as_records, row_title, split_rows
from bench.pose.metrics.catalog import NOBODY
from bench.report.suite_tables import TableData
from bench.store.folders import Store

LOG_LINES, LOG_WIDTH, LOG_BYTES = 15, 160, 8192
"""How much of a log's end is kept: lines, characters of each, and bytes in which they are looked for."""

RowDetails = Mapping[str, Any]
"""What a dialog shows of a row, as JSON: its `title`, its `seeds`, and its metrics (`readings`), all as printed."""


def describe_rows(results: Results, keys: Mapping[str, str], tables: Sequence[TableData]) -> dict[str, RowDetails]:
    """Details of every row of the results frame by its key in `keys`; metrics are those of all tables."""
    findings: dict[str, dict[str, Finding]] = {row: {} for row in keys}
    for row in (row for table in tables for row in table.rows if row.id):
        findings[row.id] |= row.findings
    parts = split_rows(results.frame)
    lines = zip(results.rows.index, as_records(results.rows), strict=True)
    return {
        keys[row]: {
            "title": row_title(line),
            "seeds": list(_seeds(parts[row])),
            "readings": [_reading(parts[row], finding) for finding in findings[row].values()],
        }
        for row, line in lines
    }


def _seeds(seeds: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for seed in as_records(seeds[["seed", "training", "evaluation", "state", "reason"]]):
        record = seed["evaluation"] if seed["state"] == "done" else ""
        yield {name: seed[name] for name in ("seed", "training")} | {"record": record, "reason": seed["reason"]}


def _reading(seeds: pd.DataFrame, finding: Finding) -> dict[str, Any]:
    metric = finding.metric
    lines = as_records(seeds[[metric, "nobody_to_judge", "evaluation_split"]])
    return {
        "metric": metric_name(metric),
        "values": [
            (NOBODY if explain_nobody(metric, line) else DASH)
            if line[metric] is None
            else format_metric(metric, line[metric])
            for line in lines
        ],
        "mean": finding.mean_text,
        "interval": finding.interval_text,
        "published": finding.published_text,
        "difference": finding.difference_text,
        "agreement": finding.agreement or "",
    }


def log_tails(results: Results, store: Store) -> Mapping[str, tuple[str, ...]]:
    """The last lines of the log of every training that has one, by its id."""
    tails = {id_: log_tail(store.training(id_).log) for id_ in results.frame["training"].unique()}
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
