"""`bench plan`: the trainings and evaluations of suites, their states and costs."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from bench.cli.options import AsJson, CalibrationFile, Device, Only, Results, Set, Subset, SuiteFiles, Threads, Workers
from bench.cli.targets import planner


def plan(
    suites: SuiteFiles,
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = 0,
    workers: Workers = None,
    calibration: CalibrationFile = None,
) -> None:
    """Show the trainings and evaluations of suites, their states, and what several suites share.

    Hours of unfinished trainings are forecast with 90 % intervals, from records of the same work and from `bench
    calibrate`, on the hardware given by --device, --threads and --workers, or by --calibration.

    With --json one suite gives an object, several suites give a list.
    """
    from bench.cli.forecasting import describe_precision, describe_total, forecast_json, forecast_plans
    from bench.cli.listing import print_plan, print_sharing, print_simulation_note
    from bench.planning.jobs import LocalOptions
    from bench.planning.simulated import simulated_ids
    from bench.store.folders import Store

    plans = [planner(suite, results, only, settings, subset)() for suite in suites]
    options = LocalOptions(device, threads, workers)
    forecasts, unit = forecast_plans(plans, results, options, calibration)
    if as_json:
        documents = [
            forecast_json(planned, forecasts) | {"simulated": simulated_ids(planned, Store(results))}
            for planned in plans
        ]
        typer.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
        return
    for planned in plans:
        print_plan(planned, forecasts)
        print_simulation_note(planned, Store(results))
        for line in describe_total(forecasts, planned.trainings, unit):
            typer.echo(line)
    if len(plans) > 1:
        print_sharing(plans)
        for line in describe_total(forecasts, [item for planned in plans for item in planned.trainings], unit):
            typer.echo(line)
    if calibration is None:
        for line in describe_precision([item for planned in plans for item in planned.unfinished], options):
            typer.echo(line)
