"""`bench report`: tables, claims, plots and images of suites."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import CalibrationFile, Only, Results

if TYPE_CHECKING:
    from bench.planning.forecast.evidence import Evidence
    from bench.planning.plan import Plan

__all__ = ["over_budget", "report"]

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
    suites: Annotated[list[Path] | None, typer.Argument(help="Suite files; default: all in suites/.")] = None,
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("reports"),
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: md, html, pdf, csv, tex.")
    ] = "md,html,pdf,csv,tex",
    only: Only = None,
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
    from bench.planning.plan import make_plan, parse_selection
    from bench.report.writer import write_report
    from bench.store.folders import Store
    from bench.suite.schema import load_suite

    store = Store(results)
    loaded = [load_suite(file) for file in suites or sorted(Path("suites").glob("*.yaml"))]
    plans = [make_plan(suite, store, parse_selection(only or [], suite)) for suite in loaded]
    left_out: dict[str, str] = {}
    if budget is not None:
        from bench.cli.forecasting import gather_evidence
        from bench.planning.jobs import LocalOptions

        evidence = gather_evidence(results, LocalOptions(), calibration)
        for plan in plans:
            left_out |= over_budget(plan, budget, evidence)
    names = [name.strip() for name in formats.split(",")]
    for file in write_report(plans, store, out, formats=names, left_out=left_out, style=style):
        typer.echo(file)


def over_budget(plan: Plan, budget: float, evidence: Evidence) -> Mapping[str, str]:
    """Why waiting trainings do not fit into a budget of device-hours, by their ids.

    Raises:
        BudgetError: the time of a training is unknown.
    """
    from bench.cli.listing import hours
    from bench.planning.forecast.forecast import Forecast, affordable, forecast

    waiting = [training for training in plan.unfinished if not training.under_way]
    forecasts = [forecast(training, evidence) for training in waiting]
    first = affordable(waiting, forecasts, budget)
    unit = evidence.kind.unit
    return {
        training.spec.id: f"over budget: {hours(item.hours, item.bounds)} {unit}, more than is left of {budget:g}"
        for training, item in zip(waiting[first:], forecasts[first:], strict=True)
        if isinstance(item, Forecast)
    }
