"""`bench plan`: what suites ask for, what is done, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson, Only, Results

__all__ = ["plan"]


def plan(
    suites: Annotated[list[Path], typer.Argument(help="Suite files (YAML).", show_default=False)],
    results: Results = Path("results"),
    only: Only = None,
    as_json: AsJson = False,
) -> None:
    """Show the trainings and evaluations of suites, where they stand, and what several suites share.

    With --json one suite gives an object, several give a list of them.
    """
    from bench.cli.listing import print_plan, print_sharing
    from bench.plan import make_plan, parse_selection
    from bench.store import Store
    from bench.suite.schema import load_suite

    loaded = [load_suite(file) for file in suites]
    plans = [make_plan(suite, Store(results), parse_selection(only or [], suite)) for suite in loaded]
    if as_json:
        documents = [planned.as_json() for planned in plans]
        typer.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
        return
    for planned in plans:
        print_plan(planned)
    if len(plans) > 1:
        print_sharing(plans)
