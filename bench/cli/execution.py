"""What `run` and `retry` share: doing chosen trainings of a plan here or on SLURM, and following them there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from tabulate import tabulate

from bench.cli.exits import Exit
from bench.cli.listing import print_plan, print_status, summary
from bench.execute.job import Job, Outcome
from bench.execute.ranks import Slot
from bench.execute.slurm.profile import Profile
from bench.planning.jobs import LocalOptions, local_jobs, local_slots
from bench.planning.plan import Plan, PlannedTraining
from bench.planning.simulated import refuse_simulated
from bench.planning.submit import Handover, hand_over
from bench.store.folders import Store

__all__ = ["Task", "run_here", "run_on_slurm"]

FOLLOW_SECONDS = 3.0


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Attributes:
        plan: makes the plan as things stand.
        choose: the trainings of a plan to do.
        data_root: folder with one folder per dataset.
        results: the store's folder.
        dry_run: show what would be done, and do nothing.
    """

    plan: Callable[[], Plan]
    choose: Callable[[Plan], list[PlannedTraining]]
    data_root: Path
    results: Path
    dry_run: bool


def run_here(task: Task, options: LocalOptions) -> int:
    """Do the chosen trainings on this machine; returns the exit status. What SLURM has already is left to it.

    Raises:
        StoreError: the store holds simulated results.
    """
    refuse_simulated(Store(task.results))
    plan = task.plan()
    chosen = task.choose(plan)
    todo = [training for training in chosen if not training.with_slurm]
    if len(todo) < len(chosen):
        typer.echo(f"left to SLURM, which has them already: {len(chosen) - len(todo)} trainings")
    elif not todo:
        typer.echo(f"nothing to do: {summary(plan)}")
    if task.dry_run and todo:
        print_plan(plan)
    if task.dry_run or not todo:
        return 0
    for training in todo:
        Store(task.results).training(training.spec.id).uncancel()
    slots = local_slots(options, todo)
    jobs = local_jobs(plan, todo, options, data_root=task.data_root, results=task.results, slots=len(slots))
    outcomes = _pool(jobs, slots)
    typer.echo(summary(task.plan()))
    if Outcome.STOPPED in outcomes:
        return Exit.INTERRUPTED
    return 0 if set(outcomes) <= {Outcome.DONE} else Exit.FAILED


def _pool(jobs: Sequence[Job], slots: Sequence[Slot]) -> list[Outcome]:
    from bench.execute.pool import Pool
    from bench.execute.progress import LiveView, PlainView

    console = Console()
    if not console.is_terminal:
        return Pool(jobs, PlainView(console), slots=slots, patient=True).run()
    with LiveView(console) as view:
        return Pool(jobs, view, slots=slots, patient=True).run()


def run_on_slurm(task: Task, profile: Profile, *, wait: bool) -> int:
    """Submit the chosen trainings, and follow all of the plan's to the end if asked to; returns the exit status.

    Raises:
        StoreError: the store holds simulated results.
    """
    refuse_simulated(Store(task.results))
    refused = _hand_over(task, profile)
    if task.dry_run or not wait:
        return Exit.FAILED if refused else 0
    try:
        return _follow(task, profile, refused=refused)
    except KeyboardInterrupt:
        typer.echo("no longer followed; the jobs go on")
        return Exit.INTERRUPTED


def _hand_over(task: Task, profile: Profile) -> bool:
    """Submit what is to be submitted and say what was; whether SLURM refused something."""
    done = hand_over(
        task.plan, task.choose, profile, data_root=task.data_root, results=task.results, dry_run=task.dry_run
    )
    _print_arrays(done, profile)
    if done.left:
        typer.echo(
            f"no room in the queue yet (queue_limit {profile.queue_limit}): {len(done.left)} trainings; run again"
        )
    for error in done.errors:
        typer.echo(f"SLURM refused: {error}", err=True)
    return bool(done.errors)


def _print_arrays(done: Handover, profile: Profile) -> None:
    if not done.arrays:
        typer.echo("nothing to submit")
        return
    rows = []
    for number, array in enumerate(done.arrays):
        layout = profile.layout(array.world_size)
        answer = (done.sent[number].job or "refused") if done.sent else "not submitted"
        cells = sum(map(len, array.tasks))
        shape = f"{layout.nodes} x {layout.tasks_per_node}"
        rows.append((array.name, answer, len(array.tasks), cells, shape, layout.gpus_per_node))
    headers = ("array", "job", "tasks", "trainings", "nodes x processes", "GPUs per node")
    typer.echo(tabulate(rows, headers=headers, disable_numparse=True))
    throttle = "" if profile.throttle is None else f", {profile.throttle} of an array at once"
    typer.echo(f"{profile.minutes} min per job{throttle}")


def _follow(task: Task, profile: Profile, *, refused: bool) -> int:
    """Show how the plan fares until nothing of it is under way, submitting more whenever the queue has room."""
    console, last = Console(), ""
    while True:
        plan = task.plan()
        now = summary(plan)
        if console.is_terminal:
            console.clear()
            print_status(plan, Store(task.results))
        elif now != last:
            typer.echo(now)
        last = now
        if not any(training.under_way for training in plan.trainings):
            if refused or not task.choose(plan):
                break
            refused = _hand_over(task, profile)
        time.sleep(FOLLOW_SECONDS)
    return 0 if not plan.unfinished else Exit.FAILED
