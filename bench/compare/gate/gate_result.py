"""What a gate found, as every format prints it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from bench.analysis.results import Results
from bench.compare.gate.cell_checks import STATUS, GateVerdict, MetricCheck, worst
from bench.store.provenance import CodeIdentity, code_identity

HEADINGS = ("verdict", "cell", "metric", "baseline", "now", "difference", "allowed", "")


@dataclass(frozen=True)
class GateResult:
    """The verdicts on a suite.

    Attributes:
        suite: its name.
        suite_file: that was checked.
        baseline_file: that it was checked against.
        checks: worst first.
        remarks: what else a reader should know.
    """

    suite: str
    suite_file: str
    baseline_file: str
    checks: Sequence[MetricCheck]
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> GateVerdict:
        """The worst of all."""
        return worst(self.checks)

    @property
    def status(self) -> int:
        """Exit status."""
        return STATUS[self.verdict]

    @property
    def headline(self) -> str:
        """The result in one line."""
        counts = Counter(check.verdict for check in self.checks)
        listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in STATUS if counts[verdict])
        return f"{self.suite}: {self.verdict} ({listed or 'nothing to compare'})"

    def rows(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headings and rows of the table; without the column of details where nobody has any."""
        rows = [cells_of(check) for check in self.checks]
        width = len(HEADINGS) if any(row[-1] for row in rows) else len(HEADINGS) - 1
        return HEADINGS[:width], [row[:width] for row in rows]

    def as_text(self) -> str:
        """The table for a terminal."""
        headings, rows = self.rows()
        table = tabulate(rows, headings, disable_numparse=True)
        return "\n".join([table, "", *self.remarks, f"{self.suite_file} against {self.baseline_file}", self.headline])

    def as_json(self) -> dict[str, Any]:
        """The documented form of `check --json`."""
        return {
            "suite": self.suite,
            "baseline": self.baseline_file,
            "verdict": self.verdict,
            "status": self.status,
            "remarks": list(self.remarks),
            "checks": [_check_json(check) for check in self.checks],
        }


def cells_of(check: MetricCheck) -> tuple[str, ...]:
    """A row of the table, under `HEADINGS`; values in the units of records."""
    number = "" if check.now is None else f"{check.now:.4f}"
    before = "" if check.before is None else f"{check.before:.4f}"
    difference = "" if check.difference is None else f"{check.difference:+.4f}"
    return check.verdict, check.cell, check.metric, before, number, difference, _allowed(check), check.detail


def _allowed(check: MetricCheck) -> str:
    if check.limit is None:
        return ""
    sign = "±" if check.limit.direction == "any" else "-"
    return f"{sign}{check.limit.amount:g}" + (" over seeds" if check.limit.kind == "test" else "")


def _check_json(check: MetricCheck) -> dict[str, Any]:
    limit = check.limit
    return {
        "verdict": check.verdict,
        "cell": check.cell,
        "ids": list(check.ids),
        "metric": check.metric,
        "baseline": check.before,
        "now": check.now,
        "difference": check.difference,
        "limit": None if limit is None else {"kind": limit.kind, "amount": limit.amount, "direction": limit.direction},
        "detail": check.detail,
    }


def other_code(results: Results) -> tuple[str, ...]:
    """A remark where records were made by other code than is checked out: they say nothing of this code."""
    here = code_identity()
    columns = results.frame[["commit", "dirty", "package"]].astype(object)
    records = [CodeIdentity.model_validate(row) for row in columns.where(columns.notna(), None).to_dict("records")]
    others = sorted({record.short_code for record in records if record.differs(here)})
    if not others:
        return ()
    made = f"records were made by the code of {', '.join(others)}, this is {here.short_code}"
    return (f"{made}: to check this code, run the suite into an empty --results folder",)
