"""Submits a plan to SLURM, one submitting process at a time. Imports no torch."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.execute.job import Job, Resources
from bench.execute.slurm.ledger import Array, Ledger, Sent
from bench.execute.slurm.profile import Profile
from bench.execute.slurm.submission import arrange, submit
from bench.planning.jobs import make_job
from bench.planning.plan import Plan, PlannedTraining

PATIENCE = 120.0
"""Seconds to wait for another submitting process."""


@dataclass(frozen=True)
class SubmittedArrays:
    """What was submitted to SLURM.

    Attributes:
        arrays: job arrays.
        sent: SLURM's answer for each array; empty in a dry run.
        left: jobs without room in the queue.
    """

    arrays: list[Array]
    sent: list[Sent]
    left: list[Job]

    @property
    def errors(self) -> list[str]:
        """Why SLURM refused arrays, each reason once."""
        return list(dict.fromkeys(sent.error for sent in self.sent if sent.error))


def submit_plan(
    make_plan: Callable[[], Plan],
    choose: Callable[[Plan], Sequence[PlannedTraining]],
    profile: Profile,
    *,
    data_root: Path,
    results: Path,
    dry_run: bool = False,
    allow_links: bool = False,
    store_outputs: bool = False,
    loggers: Mapping[str, Path] | None = None,
) -> SubmittedArrays:
    """Plan, choose and submit under the ledger's lease.

    Args:
        make_plan: plans the suite.
        choose: picks the trainings of the plan to submit.
        profile: profile of the cluster.
        data_root: folder with one folder per dataset.
        results: the store's folder.
        dry_run: submit and write nothing.
        allow_links: whether images may be links out of their folder.
        store_outputs: whether evaluations keep the network's raw outputs.
        loggers: folder of each logger by its name.

    Raises:
        BusyError: another process has been submitting for minutes.
        BenchError: a training does not fit the profile, or the store cannot be written.
    """
    with contextlib.nullcontext() if dry_run else Ledger(results).leases.take(PATIENCE):
        plan = make_plan()
        resources = Resources(
            data_root=data_root.absolute(),
            results=results.absolute(),
            device=profile.resolved_device,
            threads=profile.threads,
            workers=profile.resolved_workers,
            cuda_graphs=profile.cuda_graphs,
            allow_links=allow_links,
            store_outputs=store_outputs,
            save_every=profile.save_every,
            loggers=dict(loggers or {}),
        )
        jobs = [make_job(plan, training, resources) for training in choose(plan)]
        id_ = secrets.token_hex(4)
        arrays, left = arrange(jobs, profile, f"bench-{plan.suite.name}-{id_}", queued=len(_live_jobs(plan)))
        if dry_run or not arrays:
            return SubmittedArrays(arrays, [], left)
        return SubmittedArrays(arrays, submit(jobs, arrays, plan.suite, profile, results, id_=id_), left)


def _live_jobs(plan: Plan) -> set[str]:
    parts = [part for training in plan.trainings for part in training.parts]
    return {part.status.job for part in parts if part.status.under_way and part.status.job}
