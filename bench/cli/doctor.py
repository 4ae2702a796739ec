"""`bench doctor`: check this installation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from bench.cli.exits import Exit
from bench.cli.options import AsJson, DataRoot, Results
from bench.doctor.check import Verdict
from bench.files import printable

if TYPE_CHECKING:
    from bench.doctor.examination import Examination

__all__ = ["doctor"]


def doctor(
    data_root: DataRoot = Path("data"),
    results: Results = Path("results"),
    profile: Annotated[Path | None, typer.Option(help="SLURM profile to check as well.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Check versions, devices, folders, data and SLURM, and explain how to fix problems.

    Nothing is changed. Ends 0 if there are at most warnings, and 1 if there is a fault.
    """
    from bench.doctor.examination import examine
    from bench.doctor.installation import all_checks

    found = examine(all_checks(data_root=data_root, results=results, profile=profile))
    typer.echo(json.dumps(_document(found), indent=2) if as_json else printable("\n".join(_lines(found))))
    if not found.healthy:
        raise typer.Exit(Exit.FAILED)


def _lines(found: Examination) -> Iterator[str]:
    """A line per check with its fix below. No package is used for the table: the doctor checks those packages."""
    width = max(len(diagnosis.check) for diagnosis in found.diagnoses)
    for diagnosis in found.diagnoses:
        finding = diagnosis.finding
        first, *others = finding.found.splitlines() or [""]
        yield f"{finding.verdict:<7}  {diagnosis.check:<{width}}  {first}"
        below = [*others, *(f"-> {line}" for line in finding.fix.splitlines())]
        yield from (f"{'':<7}  {'':<{width}}  {line}" for line in below)
    counts = ", ".join(f"{found.counts[verdict]} {verdict}" for verdict in get_args(Verdict))
    yield f"\n{len(found.diagnoses)} checks: {counts}"


def _document(found: Examination) -> dict[str, object]:
    return {
        "healthy": found.healthy,
        "checks": [
            {
                "name": diagnosis.check,
                "verdict": diagnosis.finding.verdict,
                "found": diagnosis.finding.found,
                "fix": diagnosis.finding.fix,
            }
            for diagnosis in found.diagnoses
        ],
    }
