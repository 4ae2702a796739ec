"""`bench report`: tables, claims, plots and images of suites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import CalibrationFile, Only, Results, Set, Subset
from bench.cli.targets import planner

Budget = Annotated[
    float | None,
    typer.Option(
        metavar="HOURS",
        min=0,
        help="Mark missing cells whose trainings do not fit into this many device-hours, counted as in `bench run"
        " --budget`, as over budget.",
    ),
]


def report(
    suites: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Suite files, or names of installed suites; default: all in suites/, or else all installed."
        ),
    ] = None,
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("reports"),
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: md, html, pdf, csv, tex.")
    ] = "md,html,pdf,csv,tex",
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    budget: Budget = None,
    calibration: CalibrationFile = None,
    style: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.mplstyle", help="Style file of matplotlib for the plots, on top of the built-in style."
        ),
    ] = None,
) -> None:
    """Write the report of each suite from its records."""
    from bench.report.writer import write_report
    from bench.store.folders import Store

    store = Store(results)
    plans = [planner(suite, results, only, settings, subset)() for suite in suites or _all_suites()]
    left_out: dict[str, str] = {}
    if budget is not None:
        from bench.cli.forecasting import gather_evidence, over_budget
        from bench.planning.jobs import LocalOptions

        evidence = gather_evidence(results, LocalOptions(), calibration)
        for plan in plans:
            left_out |= over_budget(plan, budget, evidence)
    names = [name.strip() for name in formats.split(",")]
    for file in write_report(plans, store, out, formats=names, left_out=left_out, style=style):
        typer.echo(file)


def _all_suites() -> list[Path]:
    from bench.suite.shipped import shipped_suites

    return sorted(Path("suites").glob("*.yaml")) or [*shipped_suites().values()]
