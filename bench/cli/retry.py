"""`bench retry`: run failed trainings and evaluations again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import (
    AllowLinks,
    CudaGraphs,
    DataRoot,
    Device,
    LogDir,
    Loggers,
    Only,
    Pack,
    Pixels,
    Results,
    SaveEvery,
    Set,
    Subset,
    SuiteFile,
    Threads,
    Workers,
)
from bench.cli.targets import Ids, States, matching, parse_states, planner

if TYPE_CHECKING:
    from bench.planning.plan import Plan, PlannedTraining


def retry(
    suite: SuiteFile,
    ids: Ids = None,
    states: States = None,
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    profile: Annotated[Path | None, typer.Option(help="Run on SLURM with this profile; else on this machine.")] = None,
    data_root: DataRoot = Path("data"),
    results: Results = Path("results"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run, and run nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="SLURM: follow the jobs until none is left.")] = False,
    device: Device = "auto",
    threads: Threads = 0,
    workers: Workers = None,
    pixels: Pixels = "auto",
    allow_links: AllowLinks = False,
    save_every: SaveEvery = 60.0,
    pack: Pack = 1,
    cuda_graphs: CudaGraphs = False,
    logger: Loggers = None,
    log_dir: LogDir = Path("logs"),
) -> None:
    """Run failed trainings and evaluations again, or those in other states that no process is running.

    They continue from their last checkpoint. Ends as `bench run` does. With --profile, resources are the profile's.
    """
    from bench.cli.execution import run_here, run_on_slurm
    from bench.execute.loggers import logger_folders
    from bench.planning.executors import RunRequest
    from bench.planning.jobs import LocalOptions

    wanted = parse_states(states or ["failed"])

    def choose(plan: Plan) -> list[PlannedTraining]:
        fitting = matching(plan, ids or [], wanted)
        return [training for training in fitting if not training.under_way and not training.finished]

    planned = planner(suite, results, only, settings, subset)
    loggers = logger_folders(logger or [], log_dir)  # after the suite, which names extensions
    request = RunRequest(
        plan=planned,
        choose=choose,
        data_root=data_root,
        results=results,
        options=LocalOptions(
            device, threads, workers, save_every, pack, loggers, pixels, allow_links, cuda_graphs=cuda_graphs
        ),
        profile=profile,
        wait=wait,
        dry_run=dry_run,
    )
    raise typer.Exit(run_here(request) if profile is None else run_on_slurm(request))
