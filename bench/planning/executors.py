"""The executors of `bench run` by name: where its jobs run, and who follows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.pose.errors import BenchError
from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.cli.execution import Task
    from bench.execute.job import Job
    from bench.planning.jobs import LocalOptions

__all__ = ["EXECUTORS", "Executor", "Request"]


@dataclass(frozen=True)
class Request:
    """What an executor is asked to do.

    Attributes:
        task: the trainings to do, where data and results are, and whether this is a dry run.
        options: of the command line for jobs on this machine.
        profile: file of `--profile`; None if none was given.
        wait: whether to follow the jobs to their end, for executors that could leave them.
    """

    task: Task
    options: LocalOptions
    profile: Path | None
    wait: bool

    def jobs(self) -> list[Job]:
        """The chosen trainings as jobs; `python -m bench.execute FILE` runs one that was written down as JSON."""
        from bench.planning.jobs import local_jobs

        plan = self.task.plan()
        chosen = self.task.choose(plan)
        return local_jobs(plan, chosen, self.options, data_root=self.task.data_root, results=self.task.results, slots=1)


@dataclass(frozen=True)
class Executor:
    """A place where jobs run.

    Attributes:
        run: does what it is asked; returns the exit status: 0 when all is done or handed over, 1 when something failed,
            130 when interrupted.
        profile: whether `--profile FILE` is needed, may be given, or makes no sense.
        detached: whether jobs outlive the command: what runs or has failed is not begun again then.
    """

    run: Callable[[Request], int]
    profile: Literal["needed", "optional", "none"] = "optional"
    detached: bool = False

    def check_profile(self, name: str, profile: Path | None) -> None:
        """Raise `BenchError` if a profile is missing or of no use."""
        if self.profile == "needed" and profile is None:
            raise BenchError(f"--executor {name} needs --profile FILE; slurm/profiles/ has examples")
        if self.profile == "none" and profile is not None:
            raise BenchError(f"--profile is of no use to --executor {name}; it goes with --executor slurm")


def _local(request: Request) -> int:
    from bench.cli.execution import run_here

    return run_here(request.task, request.options)


def _slurm(request: Request) -> int:
    from bench.cli.execution import run_on_slurm
    from bench.execute.slurm.profile import load_profile

    assert request.profile is not None, "it was checked"
    return run_on_slurm(request.task, load_profile(request.profile), wait=request.wait)


EXECUTORS: Registry[Executor] = Registry(
    "executor",
    {
        "local": Executor(_local, profile="none"),
        "slurm": Executor(_slurm, profile="needed", detached=True),
    },
)
"""What `--executor` accepts; `bench.extend.executor` adds to it."""
