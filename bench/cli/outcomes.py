"""What `doctor` and `conform` print of checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import typer

from bench.checks import Check, CheckOutcome, document, outcome_line, summary
from bench.cli.exits import Exit
from bench.files import printable


def print_outcomes(checks: Sequence[Check], outcomes: Iterable[CheckOutcome], *, as_json: bool, **about: str) -> None:
    """Print each outcome as it comes, or all as JSON with what they are about. Ends with 1 if a check failed."""
    width = max(len(check.name) for check in checks)
    made = []
    for outcome in outcomes:
        made.append(outcome)
        if not as_json:
            typer.echo(printable(outcome_line(outcome, width)))
    found = about | document(made)
    typer.echo(json.dumps(found, indent=2) if as_json else f"\n{summary(made)}")
    if not found["passed"]:
        raise typer.Exit(Exit.FAILED)
