"""A table as CSV: raw values in the units of the records, one line per row."""

from __future__ import annotations

import csv
import io

from bench.report.tables import Cell, Row, Table, Value

__all__ = ["render_csv"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which spreadsheets take a text for a formula."""


def render_csv(table: Table) -> str:
    """All columns with their raw values, the ids of the records, the footnotes, and a state where there is no value."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(column.key for column in table.columns), "records", "notes"])
    for row in table.rows:
        writer.writerow([*map(_value, row.cells), " ".join(row.records), _notes(row)])
    return stream.getvalue()


def _value(cell: Cell) -> Value:
    return _harmless(cell.value) if isinstance(cell.value, str) else cell.value


def _notes(row: Row) -> str:
    """Footnotes, and the words that stand in print where there is no value."""
    words = [cell.text for cell in row.cells if cell.value is None and cell.emphasis == "muted" and not cell.note]
    return _harmless("; ".join(dict.fromkeys([*words, *row.notes])))


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
