"""Verdicts as a short Markdown document, such as the summary page of a CI job."""

from __future__ import annotations

from tabulate import tabulate

from bench.compare.gate.comparison import Verdict
from bench.compare.gate.outcome import Outcome
from bench.report.render_markdown import escape

__all__ = ["render_summary"]

MOST_ROWS = 200
"""Rows that are printed; CI systems refuse long summaries."""

NUMERIC = frozenset({"baseline", "now", "difference", "allowed"})

MARKS: dict[Verdict, str] = {
    "unusable": "⚠️",
    "regressed": "❌",
    "changed": "❌",
    "not measured": "❔",
    "improved": "⬆️",
    "holds": "✅",
}


def render_summary(outcome: Outcome) -> str:
    """The outcome and its table, worst first; no text can become markup."""
    headings, rows = outcome.rows()
    alignment = ["right" if heading in NUMERIC else "left" for heading in headings]
    table = tabulate(
        [_row(row) for row in rows[:MOST_ROWS]],
        headings,
        tablefmt="pipe",
        disable_numparse=True,
        colalign=alignment if rows else None,
    )
    blocks = [
        f"## {MARKS[outcome.verdict]} {escape(outcome.headline)}",
        f"{escape(outcome.suite_file)} against {escape(outcome.baseline_file)}",
        table,
    ]
    if len(outcome.checks) > MOST_ROWS:
        blocks.append(f"{len(outcome.checks) - MOST_ROWS} more are not shown.")
    blocks += [escape(remark) for remark in outcome.remarks]
    return "\n\n".join(blocks) + "\n"


def _row(cells: tuple[str, ...]) -> list[str]:
    verdict, *others = cells
    return [f"**{verdict}**" if verdict not in {"holds", "improved"} else verdict, *map(escape, others)]
