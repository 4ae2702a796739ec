"""The formats that reports are written in, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.pose.registry import Registry
from bench.report.document import Report
from bench.report.render_csv import render_csv
from bench.report.render_html import render_html
from bench.report.render_latex import render_table
from bench.report.render_markdown import render_markdown
from bench.report.render_pdf import render_pdf
from bench.report.tables import Table

Files = Iterable[tuple[str, bytes]]
"""Path within the suite's folder and contents of each file."""


@dataclass(frozen=True)
class Format:
    """A way to write reports.

    Attributes:
        render: makes the files of a report.
        pictures: whether it shows plots and images, which take a while to draw.
        figures: whether its files refer to `figures/*.png` beside them.
    """

    render: Callable[[Report], Files]
    pictures: bool = True
    figures: bool = False


def _markdown(report: Report) -> Files:
    yield "report.md", _encoded(render_markdown(report))


def _html(report: Report) -> Files:
    yield "report.html", _encoded(render_html(report))


def _pdf(report: Report) -> Files:
    yield "report.pdf", render_pdf(report)


def _csv(report: Report) -> Files:
    for path, table in _tables(report).items():
        yield f"{path}.csv", _encoded(render_csv(table, simulated=report.simulated))


def _latex(report: Report) -> Files:
    for path, table in _tables(report).items():
        yield f"{path}.tex", _encoded(render_table(report, table))


def _tables(report: Report) -> Mapping[str, Table]:
    """Tables by their path. A suite may name one of its own "claims": the claims' files are not among the tables'."""
    claims = {"claims": report.claims} if report.claims is not None else {}
    return claims | {f"tables/{table.id}": table for table in report.tables} | {"glance": report.glance}


def _encoded(text: str) -> bytes:
    """The text as UTF-8, with a mark for half surrogate pairs, which stand for names of files that are not UTF-8."""
    return text.encode("utf-8", "replace")


FORMATS: Registry[Format] = Registry(
    "report format",
    {
        "md": Format(_markdown, figures=True),
        "html": Format(_html),
        "pdf": Format(_pdf),
        "csv": Format(_csv, pictures=False),
        "tex": Format(_latex, pictures=False),
    },
)
"""What `write_report` accepts; `bench.extend.report_format` adds to it."""
