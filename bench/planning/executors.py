"""The executors of `bench run` by name: where its jobs run, and which function runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.pose.errors import BenchError
from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.execute.job import Job
    from bench.planning.jobs import LocalOptions
    from bench.planning.plan import Plan, PlannedTraining


@dataclass(frozen=True)
class RunRequest:
    """What an executor is asked to do.

    Attributes:
        plan: plans the suite as things stand at the moment of the call.
        choose: picks the trainings of a plan to run.
        data_root: folder with one folder per dataset.
        results: the store's folder.
        options: command-line options for jobs on this machine.
        profile: file given as `--profile`, if any.
        wait: whether to follow the jobs to their end, for executors that could leave them.
        dry_run: only show what would be done.
    """

    plan: Callable[[], Plan]
    choose: Callable[[Plan], list[PlannedTraining]]
    data_root: Path
    results: Path
    options: LocalOptions
    profile: Path | None = None
    wait: bool = False
    dry_run: bool = False

    def jobs(self) -> list[Job]:
        """The chosen trainings as jobs; written down as JSON, `python -m bench.execute FILE` runs one."""
        from bench.planning.jobs import local_jobs

        plan = self.plan()
        return local_jobs(
            plan, self.choose(plan), self.options, data_root=self.data_root, results=self.results, slots=1
        )


@dataclass(frozen=True)
class Executor:
    """A place where jobs run.

    Attributes:
        run: does what is requested; returns the exit status: 0 when all is done or submitted, 1 when something failed,
            130 when interrupted.
        profile: whether `--profile FILE` is needed, may be given, or makes no sense.
        detached: whether jobs outlive the command. Then running and failed trainings are not started again.
    """

    run: Callable[[RunRequest], int]
    profile: Literal["needed", "optional", "none"] = "optional"
    detached: bool = False

    def check_profile(self, name: str, profile: Path | None) -> None:
        """Raise `BenchError` if a required profile is missing, or one is given that would be ignored."""
        if self.profile == "needed" and profile is None:
            raise BenchError(f"--executor {name} needs --profile FILE; slurm/profiles/ has examples")
        if self.profile == "none" and profile is not None:
            raise BenchError(f"--profile is of no use to --executor {name}; use it with --executor slurm")


EXECUTORS: Registry[Executor] = Registry("executor", {})
"""What `--executor` accepts. `bench.cli.execution` adds `local` and `slurm`; `bench.extend.executor` adds others."""
