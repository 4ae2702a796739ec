"""`bench report`: tables, plots and photographs of one or several suites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Only, Results

__all__ = ["report"]


def report(
    suites: Annotated[list[Path] | None, typer.Argument(help="Suite files; all of suites/ if none is given.")] = None,
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("reports"),
    formats: Annotated[str, typer.Option("--format", help="Comma-separated: md, html, csv.")] = "md,html,csv",
    only: Only = None,
) -> None:
    """Write the report of each suite from its records."""
    from bench.plan import make_plan, parse_selection
    from bench.report.build import write_report
    from bench.store import Store
    from bench.suite.schema import load_suite

    store = Store(results)
    loaded = [load_suite(file) for file in suites or sorted(Path("suites").glob("*.yaml"))]
    plans = [make_plan(suite, store, parse_selection(only or [], suite)) for suite in loaded]
    for file in write_report(plans, store, out, formats=formats.split(",")):
        typer.echo(file)
