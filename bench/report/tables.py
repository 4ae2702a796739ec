"""The one model of a table, from which Markdown, HTML and CSV are rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Literal

__all__ = ["SHORT_ID", "Cell", "Column", "Emphasis", "Row", "Table", "Value"]

Value = float | int | str | None
Emphasis = Literal["none", "best", "muted"]

SHORT_ID = 7
"""Characters of a record's id that tables print."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: its name in CSV.
        title: its heading.
        group: heading over it and its neighbours of the same group.
        numeric: set flush right.
        shown: False for raw values that only CSV holds.
    """

    key: str
    title: str = ""
    group: str = ""
    numeric: bool = False
    shown: bool = True

    @property
    def heading(self) -> str:
        """Heading on one line."""
        return f"{self.group} {self.title}".strip()


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: as printed.
        value: as stored, for CSV; metrics in the units of the records.
        note: a footnote.
        emphasis: "best" of its group, or "muted" for what is there for orientation only.
    """

    text: str = ""
    value: Value = None
    note: str = ""
    emphasis: Emphasis = "none"


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        cells: one per column.
        records: ids of the records behind it.
        opens_group: whether a new group of rows begins here.
    """

    cells: tuple[Cell, ...]
    records: tuple[str, ...] = ()
    opens_group: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Its footnotes, each once."""
        return tuple(dict.fromkeys(cell.note for cell in self.cells if cell.note))


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        id: names its files.
        title: above it.
        columns: left to right.
        rows: top to bottom.
        remarks: sentences under it.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """Indices of the columns that are printed."""
        return tuple(index for index, column in enumerate(self.columns) if column.shown)

    @property
    def footnotes(self) -> Mapping[str, str]:
        """Mark of each footnote, in reading order."""
        notes = dict.fromkeys(note for row in self.rows for note in row.notes)
        return {note: _mark(number) for number, note in enumerate(notes)}


def _mark(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    mark = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, len(ascii_lowercase))
        mark = ascii_lowercase[letter] + mark
    return mark
