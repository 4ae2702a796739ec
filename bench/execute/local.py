"""Runs jobs on this machine, one after the other, each in a process of its own. Imports no torch."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess

from bench.execute.job import Job, Outcome
from bench.execute.progress import View
from bench.store import Failure, Store

__all__ = ["PRELOAD", "run_jobs"]

POLL_SECONDS = 0.3

PRELOAD = "bench.execute.preload"
"""Module that the fork server imports before the first job."""


def run_jobs(jobs: Sequence[Job], view: View) -> list[Outcome]:
    """Do all jobs; a job that fails or dies takes no other with it.

    On Ctrl-C the running job saves its state and the rest is left for the next time.

    Returns:
        What became of each job that was started, in order.
    """
    context = multiprocessing.get_context("forkserver")
    # The server imports torch once; each job's process is forked from it in no time.
    context.set_forkserver_preload([PRELOAD])
    outcomes: list[Outcome] = []
    for number, job in enumerate(jobs, start=1):
        view.start(job, number, len(jobs))
        process = context.Process(target=_enter, args=(job,), name=job.training.id)
        process.start()
        outcome = _follow(process, job, view)
        outcomes.append(outcome)
        view.finish(job, outcome, _reason(job))
        if outcome is Outcome.STOPPED:
            break
    return outcomes


def _enter(job: Job) -> None:
    from bench.execute.runner import run_process

    run_process(job)


def _follow(process: ForkServerProcess, job: Job, view: View) -> Outcome:
    """Show the job's heartbeats until its process ends."""
    folder = Store(job.resources.results).training(job.training.id)
    while True:
        try:
            process.join(POLL_SECONDS)
            if process.exitcode is not None:
                return _outcome(process.exitcode, job)
            heartbeat = folder.heartbeat()
            if heartbeat is not None and heartbeat.pid == process.pid:
                view.beat(job, heartbeat)
        except KeyboardInterrupt:
            # The terminal sends the signal to the job too, unless it runs in a process group of its own.
            process.terminate()


def _outcome(exitcode: int, job: Job) -> Outcome:
    if exitcode in set(Outcome):
        return Outcome(exitcode)
    cause = signal.Signals(-exitcode).name if exitcode < 0 else f"exit status {exitcode}"
    hint = " (often: out of memory)" if exitcode == -signal.SIGKILL else ""
    folder = Store(job.resources.results).training(job.training.id)
    folder.fail(Failure(kind="ProcessDied", message=f"the process ended by {cause}{hint}; see {folder.log}"))
    return Outcome.FAILED


def _reason(job: Job) -> str:
    """Why the job's training or an evaluation of it failed, if one did."""
    store = Store(job.resources.results)
    folders = [store.training(job.training.id), *(store.evaluation(spec.id) for spec in job.evaluations)]
    failures = (folder.failure() for folder in folders)
    return "; ".join(f"{failure.kind}: {failure.message}" for failure in failures if failure)
