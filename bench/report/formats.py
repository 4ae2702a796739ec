"""The formats that reports are written in, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.pose.registry import Registry
from bench.report.document import Report
from bench.report.figure_options import FigureKind
from bench.report.render_csv import render_csv, render_values
from bench.report.render_html import render_html
from bench.report.render_latex import render_figure, render_table
from bench.report.render_markdown import render_markdown
from bench.report.render_pdf import render_pdf
from bench.report.tables import Table

FIGURES = "figures"
"""Folder of the figures that files refer to."""

Files = Iterable[tuple[str, bytes]]
"""Path within the suite's folder and contents of each file."""


@dataclass(frozen=True)
class Format:
    """A way to write reports.

    Attributes:
        render: makes the files of a report.
        pictures: whether it shows plots and images, which take a while to draw.
        figures: kinds of files in `figures/` beside its own that these refer to, such as `figures/bars.png`.
        embedded: kinds of files of figures that its own contain.
    """

    render: Callable[[Report], Files]
    pictures: bool = True
    figures: tuple[FigureKind, ...] = ()
    embedded: tuple[FigureKind, ...] = ()


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
    for picture in report.pictures:
        if picture.figure is not None:
            yield f"{FIGURES}/{picture.name}.tex", _encoded(render_figure(report, picture))


def figure_files(report: Report, kinds: Iterable[FigureKind]) -> Files:
    """Each figure of a report in files of these kinds, and the numbers that it shows as CSV."""
    for picture in report.pictures:
        for kind in kinds:
            if (contents := picture.file(kind)) is not None:
                yield f"{FIGURES}/{picture.name}.{kind}", contents
        if picture.values is not None:
            simulated = report.simulated and not picture.images
            yield f"{FIGURES}/{picture.name}.csv", _encoded(render_values(picture.values, simulated=simulated))


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
        "md": Format(_markdown, figures=("png",)),
        "html": Format(_html, embedded=("png",)),
        "pdf": Format(_pdf, embedded=("pdf",)),
        "csv": Format(_csv, pictures=False),
        "tex": Format(_latex, figures=("pdf",)),
    },
)
"""What `write_report` accepts; `bench.extend.report_format` adds to it."""
