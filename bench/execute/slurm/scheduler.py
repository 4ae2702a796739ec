"""SLURM's jobs: their states by `squeue` or, for older ones, `sacct`, and how to cancel them. Imports no torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.execute.slurm.ledger import Ledger
from bench.pose.errors import BenchError
from bench.store.folders import Store
from bench.store.leases import Owner, slurm_job

PATIENCE_SECONDS = 30.0
FINISHED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED"}
    | {"TIMEOUT"}
)
"""Final states of a job. All other states count as alive, so that an unknown state never takes a job's lease."""

WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"})

SQUEUE_FIELDS = "%F|%K|%A|%j|%T|%N|%r"
SACCT_FIELDS = "JobID,JobName,State,NodeList"


class SchedulerError(BenchError):
    """SLURM does not answer, or refuses a request."""


@dataclass(frozen=True)
class SchedulerJob:
    """One job, or one task of a job array.

    Attributes:
        id: "123", or "123_4" for a task.
        name: name of the job.
        index: number of the task; None for a job without tasks.
        state: in SLURM's words, such as "PENDING".
        nodes: nodes where it runs or ran.
        reason: why it waits or has ended, in SLURM's words.
    """

    id: str
    name: str
    index: int | None
    state: str
    nodes: str
    reason: str

    @property
    def alive(self) -> bool:
        """Whether it runs or will run."""
        return self.state not in FINISHED

    @property
    def waiting(self) -> bool:
        """Whether it has not started, or waits to start again."""
        return self.state in WAITING


def listed_jobs() -> list[SchedulerJob]:
    """All current and recent jobs of this user.

    Raises:
        SchedulerError: the controller does not answer.
    """
    lines = _ask(["squeue", "-h", "-r", "-t", "all", "-u", str(os.getuid()), "-o", SQUEUE_FIELDS]).splitlines()
    jobs = []
    for line in lines:
        array, index, job, name, state, nodes, reason = line.split("|", 6)
        is_task = index.isdigit()
        jobs.append(
            SchedulerJob(
                f"{array}_{index}" if is_task else job, name, int(index) if is_task else None, state, nodes, reason
            )
        )
    return jobs


def ended_jobs(ids: Sequence[str]) -> list[SchedulerJob]:
    """Jobs in SLURM's accounting by ids without their task; none if there is no accounting."""
    if not ids or not shutil.which("sacct"):
        return []
    try:
        answer = _ask(["sacct", "-n", "-P", "-X", "-o", SACCT_FIELDS, "-j", ",".join(ids)])
    except SchedulerError:
        return []
    found = []
    for line in answer.splitlines():
        job, name, state, nodes = line.split("|", 3)
        match = re.fullmatch(r"\d+(?:_(\d+))?", job)
        if match:  # tasks that never started are listed as a range; squeue knows them
            word, _, detail = state.partition(" ")
            found.append(SchedulerJob(job, name, int(match[1]) if match[1] else None, word, nodes, detail))
    return found


def job_lives(owner: Owner) -> bool | None:
    """Whether the SLURM job of a lease's owner may still run; None if that is unknown.

    An earlier start of the asking job itself is over: SLURM restarts a job only after it has ended.
    """
    if owner.job is None:
        return None
    mine, restart = slurm_job()
    if owner.job == mine:
        return None if owner.restart == restart else owner.restart > restart
    try:
        found = next((job for job in listed_jobs() if job.id == owner.job), None)
    except SchedulerError:
        return None
    return found.alive if found else None


def withdraw(store: Store, trainings: Sequence[str]) -> list[str]:
    """Cancel the SLURM jobs of cancelled trainings, except those that have other trainings to do.

    The trainings must be marked as cancelled in the store already: a job with several trainings stops the marked ones.

    Returns:
        Ids of the cancelled SLURM jobs.

    Raises:
        SchedulerError: SLURM does not answer or refuses.
    """
    tickets = Ledger(store.root).tickets()
    concerned = {(tickets[id_].name, tickets[id_].index) for id_ in trainings if id_ in tickets}
    if not concerned:
        return []
    busy = {
        (ticket.name, ticket.index)
        for id_, ticket in tickets.items()
        if not store.training(id_).cancelled and not store.complete(id_, ticket.evaluations)
    }
    jobs = [job for job in listed_jobs() if job.alive and (job.name, job.index or 0) in concerned - busy]
    # A running job sees the mark, saves and ends by itself; a waiting one cannot.
    if jobs:
        _ask(["scancel", *(job.id for job in jobs)])
    return [job.id for job in jobs]


def partitions() -> list[str]:
    """Names of the cluster's partitions. Raises `SchedulerError` if the controller does not answer."""
    return list(dict.fromkeys(_ask(["sinfo", "-h", "-o", "%R"]).split()))


def has_accounting() -> bool:
    """Whether accounting (`sacct`) is available."""
    try:
        _ask(["sacct", "-n", "-X", "-o", "JobID"])
    except SchedulerError:
        return False
    return True


def _ask(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    except FileNotFoundError:
        raise SchedulerError(f"{command[0]}: not found; SLURM's commands must be on the PATH") from None
    except subprocess.TimeoutExpired:
        raise SchedulerError(f"{command[0]} gave no answer in {PATIENCE_SECONDS:.0f} s") from None
    if done.returncode:
        raise SchedulerError(f"{command[0]}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout
