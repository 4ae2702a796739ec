"""`bench run`: run the missing trainings and evaluations of a suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import (
    AllowLinks,
    CalibrationFile,
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
from bench.cli.targets import planner

if TYPE_CHECKING:
    from bench.planning.plan import Plan, PlannedTraining


Budget = Annotated[
    float | None,
    typer.Option(
        metavar="HOURS",
        min=0,
        help="Run only the first trainings whose forecasts fit into this many device-hours. The upper bounds of the"
        " forecasts are added, so the actual time is probably less.",
    ),
]


def run(
    suite: SuiteFile,
    executor: Annotated[str, typer.Option(help="Where the jobs run: local, slurm, or one of an extension.")] = "local",
    profile: Annotated[Path | None, typer.Option(help="Profile of the SLURM cluster (YAML).")] = None,
    data_root: DataRoot = Path("data"),
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
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
    store_outputs: Annotated[
        bool,
        typer.Option(
            "--store-outputs",
            help="Keep the network's raw outputs beside each new evaluation of a training in one process, for `bench"
            " vary`; a suite may say `store_outputs: true`.",
        ),
    ] = False,
    budget: Budget = None,
    calibration: CalibrationFile = None,
    logger: Loggers = None,
    log_dir: LogDir = Path("logs"),
) -> None:
    """Train and evaluate what is missing. Ends 0 when all is done, 1 when something failed, 3 for unusable input.

    With --executor slurm jobs are submitted and the command returns; `bench status` shows their progress. Failed
    trainings are then left to `bench retry`, and the jobs' resources are the profile's: --device, --threads, --workers,
    --save-every, --pack and --cuda-graphs apply to this machine only.
    """
    import bench.cli.execution  # noqa: F401  # registers local and slurm
    from bench.execute.loggers import logger_folders
    from bench.planning.executors import EXECUTORS, RunRequest
    from bench.planning.jobs import LocalOptions
    from bench.pose.errors import BenchError

    planned = planner(suite, results, only, settings, subset)
    place = EXECUTORS.named(executor)
    place.check_profile(executor, profile)
    loggers = logger_folders(logger or [], log_dir)
    choose: Callable[[Plan], list[PlannedTraining]] = _missing if place.detached else _unfinished
    if budget is not None:
        from bench.cli.forecasting import gather_evidence, within_budget

        if place.detached and calibration is None:
            raise BenchError(f"--budget with --executor {executor} needs --calibration FILE, made where the jobs run")
        evidence = gather_evidence(results, LocalOptions(device, threads, workers, pack=pack), calibration)
        choose = within_budget(planned(), choose, budget, evidence)
    request = RunRequest(
        plan=planned,
        choose=choose,
        data_root=data_root,
        results=results,
        options=LocalOptions(
            device, threads, workers, save_every, pack, loggers, pixels, allow_links, store_outputs, cuda_graphs
        ),
        profile=profile,
        wait=wait,
        dry_run=dry_run,
    )
    raise typer.Exit(place.run(request))


def _unfinished(plan: Plan) -> list[PlannedTraining]:
    return list(plan.unfinished)


def _missing(plan: Plan) -> list[PlannedTraining]:
    return [training for training in plan.unfinished if not training.under_way and not training.failed]
