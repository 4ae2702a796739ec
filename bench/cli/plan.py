"""`bench plan`: what a suite asks for, what is done, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from bench.cli.options import AsJson, Only, Results, SuiteFile

__all__ = ["plan"]


def plan(suite: SuiteFile, results: Results = Path("results"), only: Only = None, as_json: AsJson = False) -> None:
    """Show a suite's trainings and evaluations, and where they stand."""
    from bench.cli.listing import print_plan
    from bench.plan import make_plan, parse_selection
    from bench.store import Store
    from bench.suite.schema import load_suite

    loaded = load_suite(suite)
    planned = make_plan(loaded, Store(results), parse_selection(only or [], loaded))
    if as_json:
        typer.echo(json.dumps(planned.as_json(), indent=2))
    else:
        print_plan(planned)
