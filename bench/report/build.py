"""Reports on disk: one folder per suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.files import write_atomically
from bench.plan import Plan
from bench.pose.errors import BenchError, UnknownNameError
from bench.report.document import Report, make_report
from bench.report.render_csv import render_csv
from bench.report.render_html import render_html
from bench.report.render_latex import render_document, render_table
from bench.report.render_markdown import render_markdown
from bench.report.render_pdf import render_pdf
from bench.store import Store

__all__ = ["FORMATS", "write_report"]

FORMATS: tuple[str, ...] = ("md", "html", "pdf", "csv", "tex")
"""Formats that reports are written in."""

PICTURE_FORMATS = frozenset(FORMATS) - {"csv"}

FIGURE_FORMATS = frozenset({"md", "tex"})
"""Formats whose files refer to figures beside them."""


def write_report(
    plans: Sequence[Plan],
    store: Store,
    out: Path,
    *,
    formats: Sequence[str] = FORMATS,
    left_out: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write a report per plan into OUT/SUITE.

    `md` gives report.md with figures/*.png, `html` gives report.html and `pdf` gives report.pdf, which need no other
    file, `csv` gives tables/TABLE.csv, and `tex` gives tables/TABLE.tex with report.tex around them, which needs
    figures/*.png. Where the suite states claims, claims.csv and claims.tex are beside report.tex.

    Args:
        plans: one per suite.
        store: their results.
        out: folder of reports.
        formats: some of `FORMATS`.
        left_out: why trainings that nobody has begun were not run, by their ids, where more is known than that.

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
    pictures = not PICTURE_FORMATS.isdisjoint(formats)
    for plan in plans:
        report = make_report(plan, store, pictures=pictures, left_out=left_out)
        for path, contents in _files(report, formats):
            written.append(out / plan.suite.name / path)
            _write(written[-1], contents)
    return written


def _write(path: Path, contents: bytes) -> None:
    # Not durable: a report that a power cut takes is made again.
    write_atomically(path, lambda file: file.write(contents), durable=False)


def _encoded(text: str) -> bytes:
    """As UTF-8, with a mark for half surrogate pairs: names of files that are no UTF-8 come as such."""
    return text.encode("utf-8", "replace")


def _check_names(plans: Iterable[Plan]) -> None:
    files: dict[str, Path] = {}
    for plan in plans:
        name = plan.suite.name
        if name in files:
            raise BenchError(f"{plan.suite.file}: its suite is named {name!r} like that of {files[name]}; rename one")
        files[name] = plan.suite.file


def _files(report: Report, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Path within the suite's folder and contents of each file."""
    # A suite may name a table of its own "claims": the claims' files are not among the tables'.
    tables = {f"tables/{table.id}": table for table in report.tables}
    tables = ({"claims": report.claims} if report.claims is not None else {}) | tables
    if not FIGURE_FORMATS.isdisjoint(formats):
        yield from ((f"figures/{item.name}.png", item.png) for item in report.pictures if item.png is not None)
    if "md" in formats:
        yield "report.md", _encoded(render_markdown(report))
    if "html" in formats:
        yield "report.html", _encoded(render_html(report))
    if "pdf" in formats:
        yield "report.pdf", render_pdf(report)
    if "csv" in formats:
        for path, table in tables.items():
            yield f"{path}.csv", _encoded(render_csv(table, simulated=report.simulated))
    if "tex" in formats:
        for path, table in tables.items():
            yield f"{path}.tex", _encoded(render_table(report, table))
        yield "report.tex", _encoded(render_document(report, tables=tables))
