"""Processes that do a job and die on the way. A module of its own: job processes import it by name."""

from __future__ import annotations

import os
import signal
import sys

from bench.execute.job import Job
from bench.execute.runner import run_process

FILE_EVENTS = frozenset({"open", "os.rename", "os.remove"})


def run_whole(job: Job) -> None:
    """Do the job."""
    run_process(job)


def run_until_file_event(job: Job, deadly: int) -> None:
    """Do the job, but die by SIGKILL just before the given file operation within the results folder."""
    results, count = str(job.resources.results), 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in FILE_EVENTS and str(arguments[0]).startswith(results):
            count += 1
            if count == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    run_process(job)
