"""Reports on disk: one folder per suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.files import write_atomically
from bench.plan import Plan
from bench.pose.errors import BenchError, UnknownNameError
from bench.report.document import Report, make_report
from bench.report.render_csv import render_csv
from bench.report.render_html import render_html
from bench.report.render_markdown import render_markdown
from bench.store import Store

__all__ = ["FORMATS", "write_report"]

FORMATS: tuple[str, ...] = ("md", "html", "csv")
"""Formats that reports are written in."""

PICTURE_FORMATS = frozenset({"md", "html"})


def write_report(plans: Sequence[Plan], store: Store, out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a report per plan into OUT/SUITE.

    `md` gives report.md with figures/*.png, `html` gives report.html, which needs no other file, and `csv` gives
    tables/TABLE.csv.

    Args:
        plans: one per suite.
        store: their results.
        out: folder of reports.
        formats: some of `FORMATS`.

    Returns:
        The files written.

    Raises:
        UnknownNameError: a format is not in `FORMATS`; nothing is written.
        BenchError: two suites have the same name; nothing is written.
        StoreError: a file cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("report format", name, FORMATS)
    _check_names(plans)
    written = []
    for plan in plans:
        report = make_report(plan, store, pictures=not PICTURE_FORMATS.isdisjoint(formats))
        for path, contents in _files(report, formats):
            written.append(out / plan.suite.name / path)
            _write(written[-1], contents)
    return written


def _write(path: Path, contents: bytes) -> None:
    # Not durable: a report that a power cut takes is made again.
    write_atomically(path, lambda file: file.write(contents), durable=False)


def _check_names(plans: Iterable[Plan]) -> None:
    files: dict[str, Path] = {}
    for plan in plans:
        name = plan.suite.name
        if name in files:
            raise BenchError(f"{plan.suite.file}: its suite is named {name!r} like that of {files[name]}; rename one")
        files[name] = plan.suite.file


def _files(report: Report, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Path within the suite's folder and contents of each file."""
    if "md" in formats:
        yield from ((f"figures/{item.name}.png", item.png) for item in report.pictures if item.png is not None)
        yield "report.md", render_markdown(report).encode()
    if "html" in formats:
        yield "report.html", render_html(report).encode()
    if "csv" in formats:
        yield from ((f"tables/{table.id}.csv", render_csv(table).encode()) for table in report.tables)
