"""A report as Markdown with figures beside it. Data is escaped: no text can become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from tabulate import tabulate

from bench.report.appendix import Pairs, ProvenanceEntry
from bench.report.document import Report
from bench.report.pictures import Picture
from bench.report.tables import AGREEMENT_MARKS, SHORT_ID, Row, Table, TableCell

SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that are markup anywhere; an underscore within a word is not."""

LINE_MARKS = re.compile(r"^(\d*)([-+#.)])(?=[-#\s]|$)|()(#)$")
"""Beginnings that make a list, a rule or a heading of a line, and the end that a heading may have."""


def escape(text: str) -> str:
    """Text as Markdown that shows exactly it, on one line."""
    line = SPECIAL.sub(r"\\\g<0>", html.escape(" ".join(text.split()), quote=False))
    return LINE_MARKS.sub(lambda match: f"{match[1] or ''}\\{match[2] or match[4]}", line)


def render_markdown(report: Report, *, figures: str = "figures") -> str:
    """The whole report; pictures are referred to as FIGURES/NAME.png."""
    return "\n\n".join(_blocks(report, figures)) + "\n"


def _blocks(report: Report, figures: str) -> Iterator[str]:
    yield f"# {escape(report.title)}"
    yield from _mark(report)
    if report.description:
        yield escape(report.description)
    yield f"## {escape(report.glance.title)}"
    yield from _grid_blocks(report.glance)
    if report.summary:
        yield f"**Result.** {escape(' '.join(report.summary))}"
    yield f"*Suite {escape(report.name)}, generated {escape(report.generated)}.*"
    if report.problems:
        yield "**Files that could not be read:**"
        yield "\n".join(f"- {escape(problem)}" for problem in report.problems)
    if report.claims is not None:
        yield f"## {escape(report.claims.title)}"
        yield from _table_blocks(report, report.claims)
    yield "## Results"
    for table in report.tables:
        yield f"### {escape(table.title)}"
        yield from _table_blocks(report, table)
    if report.exclusions:
        yield "### Excluded combinations"
        yield "\n".join(
            f"- {escape(exclusion.reason)}: {escape('; '.join(exclusion.combinations))}"
            for exclusion in report.exclusions
        )
    for picture in report.pictures:
        yield from _picture_blocks(picture, figures)
    yield "## Provenance"
    yield from _provenance_blocks(report)


def _mark(report: Report) -> Iterator[str]:
    if report.mark:
        yield f"> **{escape(report.mark)}**"


def _table_blocks(report: Report, table: Table) -> Iterator[str]:
    yield from _mark(report)
    yield from _grid_blocks(table)


def _grid_blocks(table: Table) -> Iterator[str]:
    marks = table.footnotes
    shown = table.shown
    columns = [table.columns[index] for index in shown]
    with_records = any(row.records for row in table.rows)
    yield _grid(
        [*(escape(column.heading) for column in columns), *(["Records"] if with_records else [])],
        [
            [*(_cell(row.cells[index], marks) for index in shown), *([_links(row)] if with_records else [])]
            for row in table.rows
        ],
        [*("right" if column.numeric else "left" for column in columns), *(["left"] if with_records else [])],
    )
    if marks:
        yield "  \n".join(f"<sup>{mark}</sup> {escape(note)}" for note, mark in marks.items())
    if table.remarks:
        yield "\n".join(f"- {escape(remark)}" for remark in table.remarks)


def _grid(headings: list[str], rows: list[list[str]], alignment: list[str]) -> str:
    return tabulate(rows, headings, tablefmt="pipe", disable_numparse=True, colalign=alignment if rows else None)


def _cell(cell: TableCell, marks: Mapping[str, str]) -> str:
    emphasis = {"none": "", "best": "**", "muted": "*"}[cell.emphasis] if cell.text else ""
    text = f"{emphasis}{escape(cell.text)}{emphasis}"
    agreement = f" {AGREEMENT_MARKS[cell.agreement]}" if cell.agreement else ""
    return text + agreement + (f"<sup>{marks[cell.note]}</sup>" if cell.note else "")


def _links(row: Row) -> str:
    linked, more = row.linked
    links = " ".join(f"[{record[:SHORT_ID]}](#record-{record})" for record in linked)
    return f"{links} and {more} more" if more else links


def _picture_blocks(picture: Picture, figures: str) -> Iterator[str]:
    yield f"## {escape(picture.title)}"
    if picture.figure is not None:
        yield f"![{escape(picture.title)}]({figures}/{picture.name}.png)"
    yield escape(picture.caption)


def _provenance_blocks(report: Report) -> Iterator[str]:
    appendix = report.provenance
    if not appendix.entries:
        yield "Nothing is measured yet."
        return
    # Lists instead of tables: a table's padding would make every line as long as the longest.
    yield "What records share is said once, and named in each of them."
    yield "\n".join(f"- **{escape(origin.mark)}**: {_pairs(origin.values)}" for origin in appendix.origins)
    for entry in appendix.entries:
        yield from _entry_blocks(entry)


def _entry_blocks(entry: ProvenanceEntry) -> Iterator[str]:
    # Renderers derive the anchor that tables link to from the heading.
    yield f"### Record {entry.id}"
    made_up = " (simulated)" if entry.simulated else ""
    yield escape(f"{entry.title}{made_up}; {entry.marks}")
    yield _pairs(entry.values)
    # An indented block shows its contents as they are, whatever they contain.
    yield "Made again by:"
    yield f"    {' '.join(entry.command.split())}"


def _pairs(values: Pairs) -> str:
    return " · ".join(f"{escape(name)} = {escape(value)}" for name, value in values)
