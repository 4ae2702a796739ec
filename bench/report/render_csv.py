"""A table as CSV: raw values in the units of the records, one line per row."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd

from bench.report.tables import Column, Row, Table, TableCell, Value

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which spreadsheets take a text for a formula."""


DIGITS = 10
"""Digits of the numbers of figures: more are noise of binary fractions."""


def render_csv(table: Table, *, simulated: bool) -> str:
    """All columns with their raw values, the ids of the records, the footnotes, and a state where there is no value.

    Args:
        table: to render.
        simulated: whether any record of the report is made up, which rows that name no record of their own stand for.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(column.key for column in table.columns), "records", "simulated", "notes"])
    for row in table.rows:
        made_up = row.simulated if row.records else simulated
        values = map(_value, table.columns, row.cells)
        writer.writerow([*values, " ".join(row.records), "yes" if made_up else "no", _notes(row)])
    return stream.getvalue()


def render_values(values: pd.DataFrame, *, simulated: bool) -> str:
    """The numbers that a figure shows, a line each.

    Args:
        values: see `long_form`.
        simulated: whether any record behind the figure is made up.
    """
    values = values.rename(columns=_harmless).assign(simulated="yes" if simulated else "no")
    words = values.select_dtypes(exclude="number").columns
    harmless = {name: [_harmless(text) if isinstance(text, str) else text for text in values[name]] for name in words}
    text: str = values.assign(**harmless).to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}g")
    return text


def _value(column: Column[Any], cell: TableCell) -> Value:
    # Numbers are raw or absent; what is words anyway is as printed unless it has a shorter form.
    value = cell.text if cell.value is None and not column.numeric else cell.value
    return _harmless(value) if isinstance(value, str) else value


def _notes(row: Row) -> str:
    """Footnotes, and the words that stand in print where there is no value."""
    words = [cell.text for cell in row.cells if cell.value is None and cell.emphasis == "muted" and not cell.note]
    return _harmless("; ".join(dict.fromkeys([*words, *row.notes])))


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
