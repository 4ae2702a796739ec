"""A report as PDF, set by Typst from a template that reads the report as data: no text in it can become markup."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import typst

from bench.files import StoreError, write_bytes
from bench.report.document import Report
from bench.report.figure_options import REPORT
from bench.report.pictures import Picture
from bench.report.tables import AGREEMENT_MARKS, Stack, Table, TableCell

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
DATA, FIGURES = "report.json", "figures"

LONG_WORD = 64
"""Characters of a word that has to break: longer than any hash."""

LEAST_SHARE = 0.6
"""Width of a column of sentences at least, as a part of that of the widest one."""

BREAK = "\N{ZERO WIDTH SPACE}"


def render_pdf(report: Report) -> bytes:
    """The whole report. Nothing is fetched: the template imports no package, and its fonts come with Typst."""
    with _room(), tempfile.TemporaryDirectory(prefix="bench-report-") as name:
        folder = Path(name)
        (folder / TEMPLATE.name).write_bytes(TEMPLATE.read_bytes())
        text = json.dumps(_breakable(_data(report)), ensure_ascii=False)
        (folder / DATA).write_text(text, encoding="utf-8", errors="replace")  # half surrogate pairs are not UTF-8
        for picture in report.pictures:
            if (vectors := picture.file("pdf")) is not None:
                write_bytes(folder / FIGURES / f"{picture.name}.pdf", vectors, durable=False)
        compiled = typst.compile(str(folder / TEMPLATE.name), root=str(folder), format="pdf", timestamp=0)
    assert isinstance(compiled, bytes), "a PDF is one file"
    return compiled


@contextmanager
def _room() -> Iterator[None]:
    """Say what is full, where the parts of the file find no room."""
    try:
        yield
    except OSError as error:
        folder = tempfile.gettempdir()
        raise StoreError(
            f"report.pdf is put together in {folder}: {error.strerror or error}; set TMPDIR to a folder with room"
        ) from error


def _breakable(value: Any) -> Any:
    """The same data with places to break in words that would not fit a line."""
    if isinstance(value, str):
        return " ".join(_break_word(word) for word in value.split(" "))
    if isinstance(value, Mapping):
        return {key: _breakable(item) for key, item in value.items()}
    return [_breakable(item) for item in value] if isinstance(value, list | tuple) else value


def _break_word(word: str) -> str:
    if len(word) <= LONG_WORD:
        return word
    return BREAK.join(word[start : start + LONG_WORD] for start in range(0, len(word), LONG_WORD))


def _data(report: Report) -> dict[str, Any]:
    """All that the template prints."""
    numbers = count(1)
    texts = ("name", "title", "description", "mark", "summary", "date", "code", "problems")
    return {name: getattr(report, name) for name in texts} | {
        "glance": _table(report.glance),
        "claims": [_table(report.claims)] if report.claims is not None else [],
        "tables": [_table(table) for table in report.tables],
        "exclusions": [f"{item.reason}: {'; '.join(item.combinations)}" for item in report.exclusions],
        "figures": [[_figure(picture, next(numbers)) for picture in row] for row in side_by_side(report.pictures)],
        "undrawn": [
            {"title": picture.title, "caption": picture.caption}
            for picture in report.pictures
            if picture.figure is None
        ],
        "origins": [{"mark": origin.mark, "values": origin.values} for origin in report.provenance.origins],
        "entries": [vars(entry) | {"origins": entry.marks} for entry in report.provenance.entries],
    }


def side_by_side(pictures: Iterable[Picture]) -> list[list[Picture]]:
    """The pictures that have a figure, in rows of one or of two that fit beside each other.

    The second of two comes forward to the first, over wider ones between them.
    """
    rows: list[list[Picture]] = []
    open_row: list[Picture] = []
    for picture in pictures:
        if picture.figure is None:
            continue
        small = 2 * picture.width <= REPORT.page
        if small and open_row:
            open_row.append(picture)
            open_row = []
        else:
            rows.append([picture])
            open_row = rows[-1] if small else open_row
    return rows


def _figure(picture: Picture, number: int) -> dict[str, Any]:
    assert picture.figure is not None, "only figures are set"
    return {
        "number": str(number),
        "title": picture.title,
        "caption": picture.caption,
        "file": f"{FIGURES}/{picture.name}.pdf",
        "width": picture.width,
        "height": float(picture.figure.get_figheight()),
    }


def _table(table: Table) -> dict[str, Any]:
    stacks, marks = table.stacks, table.footnotes
    return {
        "title": table.title,
        "columns": [
            {"numeric": stack.column.numeric, "prose": share}
            for stack, share in zip(stacks, _shares(table), strict=True)
        ],
        "groups": list(_groups(table)),
        "heads": [{"text": stack.column.under, "below": table.subtitle(stack)} for stack in stacks],
        "rows": list(_rows(table, stacks, marks)),
        "notes": [[mark, note] for note, mark in marks.items()],
        "remarks": table.remarks,
    }


def _shares(table: Table) -> list[float]:
    """The part of the width that each column of sentences takes, relative to others; 0 for columns without."""
    letters = [sum(len(row.cells[stack.top].text) for row in table.rows) for stack in table.stacks]
    shares = [count**0.5 if stack.column.prose else 0 for stack, count in zip(table.stacks, letters, strict=True)]
    return [max(share, LEAST_SHARE * max(shares)) if stack.column.prose else 0.0
            for stack, share in zip(table.stacks, shares, strict=True)]  # fmt: skip


def _groups(table: Table) -> Iterator[dict[str, Any]]:
    """Headings over several columns; "" over a column without one. None where no column has one."""
    if any(group for group, _ in table.headings):
        for group, stacks in table.headings:
            yield {"text": group, "span": len(stacks)}


def _rows(table: Table, stacks: tuple[Stack, ...], marks: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    heights = _heights(table, stacks[0].top)
    for number, row in enumerate(table.rows):
        cells = [_cell(row.cells[stack.top], marks) for stack in stacks]
        for cell, stack in zip(cells, stacks, strict=True):
            cell["below"] = [_cell(below, marks) for below in stack.under(row)]
        first, *others = cells
        # As in the paper, what stands above already is not said again.
        yield {
            "first": first | {"height": heights[number]} if number in heights else None,
            "cells": others,
            "opens": "group" if row.opens_group else "part" if row.opens_part else "",
        }


def _heights(table: Table, column: int) -> dict[int, int]:
    """Rows that each cell of a column reaches over, by the number of its first: rows of its group that say no other."""
    heights: dict[int, int] = {}
    first = 0
    for number, row in enumerate(table.rows):
        text = row.cells[column].text
        if number == 0 or row.opens_group or text not in {"", table.rows[first].cells[column].text}:
            first = number
        heights[first] = heights.get(first, 0) + 1
    return heights


def _cell(cell: TableCell, marks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "text": cell.text,
        "emphasis": cell.emphasis,
        "agreement": AGREEMENT_MARKS.get(cell.agreement, ""),
        "note": marks.get(cell.note, ""),
        "below": [],
    }
