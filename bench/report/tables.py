"""The one model of a table, from which every format is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Generic, Literal, TypeVar

RowT = TypeVar("RowT")
Value = float | int | str | None
Emphasis = Literal["none", "best", "muted"]

AGREEMENT_MARKS: Mapping[str, str] = {"equivalent": "≈", "different": "≠", "undecided": "?"}
"""Marks printed behind a difference from the paper."""

SHORT_ID = 7
"""Characters of a record's id that tables print."""

MOST_LINKS = 6
"""Records that a row links to; more are counted."""

NOTHING = frozenset({"", "–"})
"""Texts that are left out where one cell is stacked under another."""

WIDE = 20
"""The most columns that stand side by side where pages are narrow."""


@dataclass(frozen=True)
class TableCell:
    """A cell.

    Attributes:
        text: as printed.
        value: as stored, for CSV; metrics in the units of the records.
        note: a footnote.
        emphasis: "best" of its group, or "muted" for what is there for orientation only.
        agreement: of the measurement with the paper, a key of `AGREEMENT_MARKS`; "" where there is nothing to say.
    """

    text: str = ""
    value: Value = None
    note: str = ""
    emphasis: Emphasis = "none"
    agreement: str = ""


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """A column: its headings, and the function that gives its cell.

    Attributes:
        key: name in CSV.
        title: heading.
        group: heading over it and its neighbors of the same group.
        unit: in parentheses after the heading, or after the group's.
        cell: the column's cell of what is known of a row.
        numeric: set flush right.
        shown: False for raw values that only CSV holds.
        axis: whether rows can be filtered by it.
        below: in wide tables, stacked under the preceding column.
        prose: whether it holds sentences, which break into lines.
    """

    key: str
    title: str = ""
    group: str = ""
    unit: str = ""
    cell: Callable[[RowT], TableCell] = lambda _: TableCell()
    numeric: bool = False
    shown: bool = True
    axis: bool = False
    below: bool = False
    prose: bool = False

    @property
    def over(self) -> str:
        """Heading over it and its neighbors, with the unit; "" for a column of its own."""
        return f"{self.group} ({self.unit})" if self.group and self.unit else self.group

    @property
    def under(self) -> str:
        """Heading of it alone, with the unit where no group has it."""
        return f"{self.title} ({self.unit})" if self.unit and not self.group else self.title

    @property
    def heading(self) -> str:
        """Heading on one line."""
        return f"{self.over} {self.under}".strip()


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        cells: one per column.
        records: ids of the records behind it.
        opens_group: whether a new group of rows begins here.
        opens_part: whether a new part of a group begins here.
        details: key of what else is known of it, see `Report.details`; "" where there is nothing.
        simulated: whether one of its records is made up.
    """

    cells: tuple[TableCell, ...]
    records: tuple[str, ...] = ()
    opens_group: bool = False
    opens_part: bool = False
    details: str = ""
    simulated: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Its footnotes, each once."""
        return tuple(dict.fromkeys(cell.note for cell in self.cells if cell.note))

    @property
    def linked(self) -> tuple[tuple[str, ...], int]:
        """The records that tables link to, and how many more there are."""
        return self.records[:MOST_LINKS], len(self.records[MOST_LINKS:])


@dataclass(frozen=True)
class Stack:
    """Columns that take the room of one: the one on top with its index, and the indices of those under it."""

    column: Column[Any]
    top: int
    below: tuple[int, ...] = ()

    def under(self, row: Row) -> tuple[TableCell, ...]:
        """The cells of a row under its top one that are not empty."""
        cells = (row.cells[index] for index in self.below)
        return tuple(cell for cell in cells if cell.note or cell.text not in NOTHING)


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
    columns: tuple[Column[Any], ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """Indices of the columns that are printed."""
        return tuple(index for index, column in enumerate(self.columns) if column.shown)

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """The columns that are printed, as they fit a page: in a wide table some stand under others."""
        shown = self.shown
        narrow = len(shown) <= WIDE
        stacks: list[Stack] = []
        for index in shown:
            column = self.columns[index]
            if narrow or not column.below or not stacks:
                stacks.append(Stack(column, index))
            else:
                last = stacks[-1]
                stacks[-1] = Stack(last.column, last.top, (*last.below, index))
        return tuple(stacks)

    def subtitle(self, stack: Stack) -> str:
        """Headings of the columns under a stack's first, on one line."""
        return " ".join(self.columns[index].under for index in stack.below)

    @property
    def headings(self) -> tuple[tuple[str, tuple[Stack, ...]], ...]:
        """The stacks in runs under one group's heading; a column without a group is a run of its own."""
        runs: list[tuple[str, tuple[Stack, ...]]] = []
        for stack in self.stacks:
            group = stack.column.over
            if runs and group and runs[-1][0] == group:
                runs[-1] = (group, (*runs[-1][1], stack))
            else:
                runs.append((group, (stack,)))
        return tuple(runs)

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
