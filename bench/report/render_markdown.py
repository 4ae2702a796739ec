"""A report as Markdown with figures beside it. Data is escaped: no text can become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from tabulate import tabulate

from bench.report.appendix import Entry
from bench.report.document import Picture, Report
from bench.report.tables import SHORT_ID, Cell, Row, Table

__all__ = ["escape", "render_markdown"]

SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""What is markup anywhere; an underscore within a word is not."""

LINE_MARKS = re.compile(r"^(\d*)([-+#.)])(?=[-#\s]|$)|()(#)$")
"""What makes a list, a rule or a heading of a line, and what a heading may end with."""


def escape(text: str) -> str:
    """Text as Markdown that shows exactly it, on one line."""
    line = SPECIAL.sub(r"\\\g<0>", html.escape(" ".join(text.split()), quote=False))
    return LINE_MARKS.sub(lambda match: f"{match[1] or ''}\\{match[2] or match[4]}", line)


def render_markdown(report: Report, *, figures: str = "figures") -> str:
    """The whole report; pictures are referred to as FIGURES/NAME.png."""
    return "\n\n".join(_blocks(report, figures)) + "\n"


def _blocks(report: Report, figures: str) -> Iterator[str]:
    yield f"# {escape(report.title)}"
    if report.description:
        yield escape(report.description)
    yield f"**Result.** {escape(' '.join(report.summary))}"
    yield f"*Suite {escape(report.name)}, generated {escape(report.generated)}.*"
    if report.problems:
        yield "**Files that could not be read:**"
        yield "\n".join(f"- {escape(problem)}" for problem in report.problems)
    yield "## Results"
    for table in report.tables:
        yield from _table_blocks(table)
    if report.exclusions:
        yield "### Excluded combinations"
        yield "\n".join(
            f"- {escape(exclusion.reason)}: {escape('; '.join(exclusion.combinations))}"
            for exclusion in report.exclusions
        )
    for picture in report.pictures:
        yield from _picture_blocks(picture, figures)
    yield "## Provenance"
    if not report.provenance:
        yield "Nothing is measured yet."
    for entry in report.provenance:
        yield from _entry_blocks(entry)


def _table_blocks(table: Table) -> Iterator[str]:
    yield f"### {escape(table.title)}"
    marks = table.footnotes
    columns = [table.columns[index] for index in table.shown]
    yield _grid(
        [*(escape(column.heading) for column in columns), "Records"],
        [[*(_cell(row.cells[index], marks.get(row.cells[index].note, "")) for index in table.shown), _links(row)]
         for row in table.rows],
        [*("right" if column.numeric else "left" for column in columns), "left"],
    )  # fmt: skip
    if marks:
        yield "  \n".join(f"<sup>{mark}</sup> {escape(note)}" for note, mark in marks.items())
    yield "\n".join(f"- {escape(remark)}" for remark in table.remarks)


def _grid(headings: list[str], rows: list[list[str]], alignment: list[str]) -> str:
    return tabulate(rows, headings, tablefmt="pipe", disable_numparse=True, colalign=alignment if rows else None)


def _cell(cell: Cell, mark: str) -> str:
    marker = {"none": "", "best": "**", "muted": "*"}[cell.emphasis] if cell.text else ""
    return f"{marker}{escape(cell.text)}{marker}" + (f"<sup>{mark}</sup>" if mark else "")


def _links(row: Row) -> str:
    return " ".join(f"[{record[:SHORT_ID]}](#record-{record})" for record in row.records)


def _picture_blocks(picture: Picture, figures: str) -> Iterator[str]:
    yield f"## {escape(picture.title)}"
    if picture.png is not None:
        yield f"![{escape(picture.title)}]({figures}/{picture.name}.png)"
    yield escape(picture.caption)


def _entry_blocks(entry: Entry) -> Iterator[str]:
    # Renderers derive the anchor that tables link to from the heading.
    yield f"### Record {entry.id}"
    yield escape(entry.title)
    # A list and no table: a table's padding would make the longest line of a spec the length of all.
    yield "\n".join(
        f"- **{escape(section.title)}**: "
        + " · ".join(f"{escape(name)} = {escape(value)}" for name, value in section.values)
        for section in entry.sections
    )
    # An indented block shows its contents as they are, whatever they contain.
    yield "Made again by:"
    yield f"    {' '.join(entry.command.split())}"
    if entry.problems:
        yield "Left out:"
        yield "\n".join(f"- {escape(problem)}" for problem in entry.problems)
