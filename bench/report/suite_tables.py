"""A suite's tables: every row beside the paper's, with its uncertainty, or with the reason why it is not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.formatting import DASH, format_metric
from bench.analysis.results import Condition, Results, common_baseline
from bench.analysis.uncertainty import Uncertainty
from bench.report.cells import Best, best_values, cells_of
from bench.report.columns import Frame
from bench.report.findings import find_all
from bench.report.layout import Line, lay_out
from bench.report.remarks import remarks_on
from bench.report.tables import Cell, Column, Row, Table
from bench.suite import schema

__all__ = ["frame_of", "results_table"]


def frame_of(results: Results, wanted: schema.SuiteTable, uncertainty: Uncertainty) -> Frame:
    """Rows and columns of the table that a suite asks for, with all that is known of its cells."""
    lines = lay_out(results, wanted)
    return Frame(results, wanted, lines, find_all(lines, wanted, uncertainty))


def results_table(frame: Frame, details: Mapping[Condition, str]) -> Table:
    """The table with one row per line and one for the mean pose; `details` has keys of what else is known of rows."""
    best = best_values(frame)
    rows = [
        _row(frame, line, before, best, details)
        for before, line in zip((None, *frame.lines), frame.lines, strict=False)
    ]
    baseline = common_baseline(frame.results.records)
    if baseline:
        rows.append(_baseline_row(frame.columns, baseline))
    wanted = frame.wanted
    return Table(wanted.id, wanted.title or wanted.id, frame.columns, tuple(rows), remarks_on(frame))


def _row(frame: Frame, line: Line, before: Line | None, best: Best, details: Mapping[Condition, str]) -> Row:
    condition = line.condition
    records = condition.records if condition is not None else ()
    return Row(
        cells=cells_of(frame, line, best),
        records=tuple(record.id for record in records),
        opens_group=before is not None and line.group[0] != before.group[0],
        opens_part=before is not None and line.group != before.group,
        details=details[condition] if condition is not None else "",
        simulated=any(record.simulated for record in records),
    )


def _baseline_row(columns: Sequence[Column], baseline: Mapping[str, float]) -> Row:
    cells = [Cell("Mean pose baseline", "mean pose baseline")]
    for column in columns[1:]:
        value = baseline.get(column.key)
        if value is not None:
            cells.append(Cell(format_metric(column.key, value), value))
        else:
            cells.append(Cell(DASH if column.shown else ""))
    return Row(tuple(cells), opens_group=True, opens_part=True)
