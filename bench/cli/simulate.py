"""`bench simulate`: write made-up records, to try out reports and gates."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Set, Subset, SuiteFiles
from bench.cli.targets import planner


def simulate(
    suites: SuiteFiles,
    results: Annotated[Path, typer.Option(help="Folder for the simulated records, without measured ones.")],
    spread: Annotated[float, typer.Option(min=0, help="Standard deviation over seeds, in points of AP or PCKh.")] = 0.2,
    random_state: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 0,
    settings: Set = None,
    subset: Subset = None,
) -> None:
    """Write a SIMULATED record for every training and evaluation of suites that has none. Nothing is measured.

    The numbers are the published ones, or those of the most similar published row, with some noise; see
    docs/provenance.md. Every report marks them on every page, and `bench run` refuses a folder with simulated records.
    """
    from bench.simulation.simulated_records import simulate as write_records
    from bench.simulation.simulated_scores import Chance
    from bench.store.folders import Store

    store = Store(results)
    plans = [planner(file, results, None, settings, subset)() for file in suites]
    files = " ".join(shlex.quote(str(file)) for file in suites)
    command = (
        f"python -m bench simulate {files} --results {shlex.quote(str(results))} --spread {spread:g}"
        f" --random-state {random_state}" + "".join(f" --set {shlex.quote(item)}" for item in plans[0].suite.settings)
    )
    done = write_records(plans, store, Chance(random_state, spread), command)
    typer.echo(
        f"SIMULATED, nothing was measured: {len(done.trainings)} trainings and {len(done.evaluations)} evaluations"
        f" written to {results}; {done.kept} were there"
    )
