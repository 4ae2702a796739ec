"""The executors `local` and `slurm`, which `run` and `retry` use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

import typer
from rich.console import Console
from tabulate import tabulate

from bench.cli.devices import require_device
from bench.cli.exits import Exit
from bench.cli.listing import print_plan, print_status, summary
from bench.execute.job import Job, JobOutcome
from bench.execute.ranks import Slot
from bench.execute.slurm.profile import Profile, load_profile
from bench.extend import executor
from bench.planning.executors import RunRequest
from bench.planning.jobs import local_jobs, local_slots
from bench.planning.plan import Plan, PlannedTraining
from bench.planning.preflight import describe, find_lacks, is_elsewhere, require_ready
from bench.planning.simulated import refuse_simulated
from bench.planning.submit import SubmittedArrays, submit_plan
from bench.store.folders import Store

FOLLOW_SECONDS = 3.0


@executor("local", profile="none")
def run_here(request: RunRequest) -> int:
    """Run the chosen trainings on this machine; returns the exit status. Trainings that SLURM has are left to it.

    Raises:
        NotReadyError: data, weights, devices or room are missing.
        StoreError: the store holds simulated results.
        BenchError: this machine lacks the device.
    """
    refuse_simulated(Store(request.results))
    if not request.dry_run:
        require_device(request.options.device)
    plan = request.plan()
    chosen = request.choose(plan)
    todo = [training for training in chosen if not training.with_slurm]
    if len(todo) < len(chosen):
        typer.echo(f"left to SLURM, which has them already: {len(chosen) - len(todo)} trainings")
    elif not todo:
        typer.echo(f"nothing to do: {summary(plan)}")
    ready = [training for training in todo if not training.under_way]
    if request.dry_run and todo:
        print_plan(plan)
    if todo:
        _check(request, plan, ready, request.options.device)
    if request.dry_run or not todo:
        return 0
    for training in todo:
        Store(request.results).training(training.spec.id).uncancel()
    slots = local_slots(request.options, todo)
    jobs = local_jobs(
        plan, todo, request.options, data_root=request.data_root, results=request.results, slots=len(slots)
    )
    outcomes = _pool(jobs, slots)
    typer.echo(summary(request.plan()))
    if JobOutcome.STOPPED in outcomes:
        return Exit.INTERRUPTED
    return 0 if set(outcomes) <= {JobOutcome.DONE} else Exit.FAILED


def _check(request: RunRequest, plan: Plan, trainings: Sequence[PlannedTraining], device: str | None) -> None:
    """Refuse trainings that lack something; a dry run only says what they lack."""
    lacks = find_lacks(
        plan,
        trainings,
        data_root=request.data_root,
        results=request.results,
        device=device,
        allow_links=request.options.allow_links,
    )
    if not request.dry_run:
        require_ready(trainings, lacks)
    elif lacks:
        typer.echo("\n".join(["missing:", *describe(lacks)]))
    if is_elsewhere(request.data_root, device):
        typer.echo(f"{request.data_root} is not on this machine, so data and weights were not looked for")


def _pool(jobs: Sequence[Job], slots: Sequence[Slot]) -> list[JobOutcome]:
    from bench.execute.pool import Pool
    from bench.execute.progress import LiveView, PlainView

    console = Console()
    with LiveView(console) if console.is_terminal else nullcontext(PlainView(console)) as view:
        return Pool(jobs, view, slots=slots, patient=True).run()


@executor("slurm", profile="needed", detached=True)
def run_on_slurm(request: RunRequest) -> int:
    """Submit the chosen trainings and, with `wait`, follow the whole plan to its end; returns the exit status.

    Raises:
        NotReadyError: something is missing, as far as this machine can see.
        StoreError: the store holds simulated results.
    """
    assert request.profile is not None, "`Executor.check_profile` was called"
    profile = load_profile(request.profile)
    refuse_simulated(Store(request.results))
    plan = request.plan()
    _check(request, plan, request.choose(plan), None)
    refused = _submit(request, profile)
    if request.dry_run or not request.wait:
        return Exit.FAILED if refused else 0
    try:
        return _follow(request, profile, refused=refused)
    except KeyboardInterrupt:
        typer.echo("no longer followed; the jobs go on")
        return Exit.INTERRUPTED


def _submit(request: RunRequest, profile: Profile) -> bool:
    """Submit the chosen trainings and print what was submitted; returns whether SLURM refused something."""
    done = submit_plan(
        request.plan,
        request.choose,
        profile,
        data_root=request.data_root,
        results=request.results,
        dry_run=request.dry_run,
        allow_links=request.options.allow_links,
        store_outputs=request.options.store_outputs,
        loggers=request.options.loggers,
    )
    _print_arrays(done, profile)
    if done.left:
        typer.echo(
            f"no room in the queue yet (queue_limit {profile.queue_limit}): {len(done.left)} trainings; run again"
        )
    for error in done.errors:
        typer.echo(f"SLURM refused: {error}", err=True)
    return bool(done.errors)


def _print_arrays(done: SubmittedArrays, profile: Profile) -> None:
    if not done.arrays:
        typer.echo("nothing to submit")
        return
    rows = []
    for number, array in enumerate(done.arrays):
        shape = profile.shape(array.world_size)
        answer = (done.sent[number].job or "refused") if done.sent else "not submitted"
        cells = sum(map(len, array.tasks))
        processes = f"{shape.nodes} x {shape.tasks_per_node}"
        rows.append((array.name, answer, len(array.tasks), cells, processes, shape.gpus_per_node))
    headers = ("array", "job", "tasks", "trainings", "nodes x processes", "GPUs per node")
    typer.echo(tabulate(rows, headers=headers, disable_numparse=True))
    throttle = "" if profile.throttle is None else f", {profile.throttle} of an array at once"
    typer.echo(f"{profile.minutes} min per job{throttle}")


def _follow(request: RunRequest, profile: Profile, *, refused: bool) -> int:
    """Show the plan's progress until no training is under way, submitting more whenever the queue has room."""
    console, last = Console(), ""
    while True:
        plan = request.plan()
        now = summary(plan)
        if console.is_terminal:
            console.clear()
            print_status(plan, Store(request.results))
        elif now != last:
            typer.echo(now)
        last = now
        if not any(training.under_way for training in plan.trainings):
            if refused or not request.choose(plan):
                break
            refused = _submit(request, profile)
        time.sleep(FOLLOW_SECONDS)
    return 0 if not plan.unfinished else Exit.FAILED
