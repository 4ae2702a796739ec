"""`bench run`: train and evaluate what is missing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import DataRoot, Device, Only, Results, SuiteFile, Workers

if TYPE_CHECKING:
    from bench.execute.job import Job, Outcome
    from bench.plan import Plan, PlannedTraining

__all__ = ["run"]

EXECUTORS = ("local",)
SOMETHING_FAILED = 1
INTERRUPTED = 130


def run(
    suite: SuiteFile,
    executor: Annotated[str, typer.Option(help=f"Where the jobs run: {', '.join(EXECUTORS)}.")] = "local",
    data_root: DataRoot = Path("data"),
    results: Results = Path("results"),
    only: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run, and run nothing.")] = False,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads of torch; 0: one per core.")] = 0,
    workers: Workers = 0,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds between checkpoints.")] = 60.0,
) -> None:
    """Train and evaluate what is missing. Ends 0 when all is done, 1 when something failed, 3 for unusable input."""
    from bench.cli.listing import print_plan, summary
    from bench.plan import make_plan, parse_selection
    from bench.pose.errors import UnknownNameError
    from bench.store import Store
    from bench.suite.schema import load_suite

    if executor not in EXECUTORS:
        raise UnknownNameError("executor", executor, EXECUTORS)
    loaded = load_suite(suite)
    planned = make_plan(loaded, Store(results), parse_selection(only or [], loaded))
    if not planned.unfinished:
        typer.echo(f"nothing to do: {summary(planned)}")
        return
    if dry_run:
        print_plan(planned)
        return
    outcomes = _execute(
        [
            _job(planned, training, data_root, results, device=_device(device), limits=(threads, workers, save_every))
            for training in planned.unfinished
        ]
    )
    planned = make_plan(loaded, Store(results), parse_selection(only or [], loaded))
    typer.echo(summary(planned))
    raise typer.Exit(_exit_status(outcomes))


def _job(
    planned: Plan,
    training: PlannedTraining,
    data_root: Path,
    results: Path,
    *,
    device: str,
    limits: tuple[int, int, float],
) -> Job:
    from bench.execute.job import Job, Resources

    threads, workers, save_every = limits
    cell = [f"--only {name}={getattr(training.spec, name)}" for name in planned.suite.axes]
    return Job(
        training=training.spec,
        evaluations=tuple(evaluation.spec for evaluation in training.evaluations),
        resources=Resources(
            data_root=data_root.absolute(),
            results=results.absolute(),
            device=device,
            threads=threads or len(os.sched_getaffinity(0)),
            workers=workers,
            save_every=save_every,
        ),
        command=f"python -m bench run {shlex.quote(str(planned.suite.file))} {' '.join(cell)}",
    )


def _device(name: str) -> str:
    """The device to use; asking for GPUs through the driver's files spares this process the import of torch."""
    if name != "auto":
        return name
    return "cuda" if any(Path("/dev").glob("nvidia[0-9]*")) else "cpu"


def _execute(jobs: Sequence[Job]) -> list[Outcome]:
    from rich.console import Console

    from bench.execute.local import run_jobs
    from bench.execute.progress import LiveView, PlainView

    console = Console()
    if not console.is_terminal:
        return run_jobs(jobs, PlainView(console))
    with LiveView(console) as view:
        return run_jobs(jobs, view)


def _exit_status(outcomes: Sequence[Outcome]) -> int:
    from bench.execute.job import Outcome

    if Outcome.STOPPED in outcomes:
        return INTERRUPTED
    return 0 if set(outcomes) <= {Outcome.DONE} else SOMETHING_FAILED
