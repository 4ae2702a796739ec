"""Verdicts as a short Markdown document, such as the summary page of a CI job."""

from __future__ import annotations

from tabulate import tabulate

from bench.compare.gate.cell_checks import GateVerdict
from bench.compare.gate.gate_result import GateResult
from bench.report.render_markdown import escape

MOST_ROWS = 200
"""Rows that are printed; CI systems refuse long summaries."""

NUMERIC = frozenset({"baseline", "now", "difference", "allowed"})

MARKS: dict[GateVerdict, str] = {
    "unusable": "⚠️",
    "regressed": "❌",
    "changed": "❌",
    "not measured": "❔",
    "improved": "⬆️",
    "holds": "✅",
}


def render_summary(result: GateResult) -> str:
    """The result and its table, worst first; no text can become markup."""
    headings, rows = result.rows()
    alignment = ["right" if heading in NUMERIC else "left" for heading in headings]
    table = tabulate(
        [_row(row) for row in rows[:MOST_ROWS]],
        headings,
        tablefmt="pipe",
        disable_numparse=True,
        colalign=alignment if rows else None,
    )
    blocks = [
        f"## {MARKS[result.verdict]} {escape(result.headline)}",
        f"{escape(result.suite_file)} against {escape(result.baseline_file)}",
        table,
    ]
    if len(result.checks) > MOST_ROWS:
        blocks.append(f"{len(result.checks) - MOST_ROWS} more are not shown.")
    blocks += [escape(remark) for remark in result.remarks]
    return "\n\n".join(blocks) + "\n"


def _row(cells: tuple[str, ...]) -> list[str]:
    verdict, *others = cells
    return [f"**{verdict}**" if verdict not in {"holds", "improved"} else verdict, *map(escape, others)]
