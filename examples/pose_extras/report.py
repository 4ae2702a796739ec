"""The report format `wiki`: tables as MediaWiki has them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from bench.extend import report_format

if TYPE_CHECKING:
    from bench.report.document import Report


@report_format("wiki", pictures=False)
def wiki(report: Report) -> Iterator[tuple[str, bytes]]:
    """One page with all tables. Names may be anybody's: what could be markup is not."""
    lines = [f"= {_plain(report.title)} ="]
    for table in report.tables:
        shown = [number for number, column in enumerate(table.columns) if column.shown]
        heads = [table.columns[number].heading for number in shown]
        lines += ["", f"== {_plain(table.title)} ==", '{| class="wikitable"', "! " + " !! ".join(map(_plain, heads))]
        for row in table.rows:
            lines += ["|-", "| " + " || ".join(_plain(row.cells[number].text) for number in shown)]
        lines.append("|}")
    yield "report.wiki", "\n".join([*lines, ""]).encode("utf-8", "replace")


def _plain(text: str) -> str:
    return f"<nowiki>{escape(text)}</nowiki>" if text else ""
