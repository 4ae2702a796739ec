"""A report as one HTML file that needs nothing else: styles inside, pictures as data URIs, no scripts."""

from __future__ import annotations

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.report.document import Report
from bench.report.tables import SHORT_ID, Column, Table

__all__ = ["render_html"]

TEMPLATE = "report.html.jinja"


def render_html(report: Report) -> str:
    """The whole report. The template escapes everything that it prints."""
    environment = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["heading_groups"] = _heading_groups
    return environment.get_template(TEMPLATE).render(report=report, short_id=SHORT_ID)


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _heading_groups(table: Table) -> list[tuple[str, list[Column]]]:
    """Shown columns in runs of one group; a column without a group is a run of its own."""
    runs: list[tuple[str, list[Column]]] = []
    for index in table.shown:
        column = table.columns[index]
        if runs and column.group and runs[-1][0] == column.group:
            runs[-1][1].append(column)
        else:
            runs.append((column.group, [column]))
    return runs
