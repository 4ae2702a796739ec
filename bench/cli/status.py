"""`bench status`: the states of a suite's trainings and evaluations."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson, Only, Results, Set, Subset, SuiteFile
from bench.cli.targets import planner

WATCH_SECONDS = 2.0


def status(
    suite: SuiteFile,
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option(help="Print every two seconds until everything is done.")] = False,
) -> None:
    """Show the state of every training. Reads only files and SLURM's queue."""
    from bench.cli.listing import print_status
    from bench.planning.simulated import simulated_ids
    from bench.store.folders import Store

    store, plan = Store(results), planner(suite, results, only, settings, subset)
    while True:
        planned = plan()
        if watch:
            from rich.console import Console

            Console().clear()
        if as_json:
            typer.echo(json.dumps(planned.as_json() | {"simulated": simulated_ids(planned, store)}, indent=2))
        else:
            print_status(planned, store)
        if not watch or not planned.unfinished:
            return
        time.sleep(WATCH_SECONDS)
