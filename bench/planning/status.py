"""Where trainings stand, by their files, their leases and the scheduler together. Reads only; imports no torch.

The scheduler is asked before any file is read: what the files say is then newer, and wins.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.execute.slurm.ledger import Ledger, Ticket
from bench.execute.slurm.scheduler import SchedulerError, SchedulerJob, ended_jobs, listed_jobs
from bench.store.documents import Failure, State
from bench.store.folders import Store, StoreListing, TrainingFolder

__all__ = ["Observer", "Status"]

UNDER_WAY: frozenset[State] = frozenset({"running", "queued", "unknown"})

CUT_SHORT = frozenset({"BOOT_FAIL", "COMPLETED", "DEADLINE", "NODE_FAIL", "PREEMPTED", "REVOKED", "TIMEOUT"})
"""Ends of a SLURM job that are nobody's failure; one that completes left undone what somebody else was doing."""


@dataclass(frozen=True)
class Status:
    """Where something stands.

    Attributes:
        state: in one word.
        reason: why it waits, failed or was cut short; empty where there is nothing to say.
        job: SLURM job that it is in or was in last.
    """

    state: State
    reason: str = ""
    job: str | None = None

    @property
    def under_way(self) -> bool:
        """Whether somebody works on it or will."""
        return self.state in UNDER_WAY


class Observer:
    """One look at a store and, if anything in it was handed to SLURM, at the scheduler."""

    def __init__(self, store: Store) -> None:
        self._ledger = Ledger(store.root)
        self._tickets = self._ledger.tickets()
        pending = [ticket for id_, ticket in self._tickets.items() if not store.complete(id_, ticket.evaluations)]
        self._silence = ""
        self._jobs = self._ask(pending) if pending else {}
        self._present = StoreListing(store)

    def training(self, training_id: str) -> Status:
        """Where a training stands, its evaluations left aside."""
        folder = self._present.training(training_id)
        if folder and folder.record_file.exists():
            return Status("done")
        return self.work(training_id, folder.failure() if folder else None)

    def evaluation(self, training_id: str, evaluation_id: str) -> Status:
        """Where an evaluation of a training stands."""
        folder = self._present.evaluation(evaluation_id)
        if folder and folder.record_file.exists():
            return Status("done")
        failure = folder.failure() if folder else None
        status = self.work(training_id, failure)
        # How far its training got says nothing of an evaluation: it is there or it is not.
        return Status("missing", status.reason, status.job) if status.state == "interrupted" else status

    def work(self, training_id: str, failure: Failure | None) -> Status:
        """Where the work stands that is left of a training, of which the last try failed or did not."""
        folder = self._present.training(training_id)
        if folder and folder.leases.held():
            owner = folder.leases.latest()
            return Status("running", job=owner.job if owner else None)
        ticket = self._tickets.get(training_id)
        job = self._jobs.get((ticket.name, ticket.index)) if ticket else None
        if failure is not None and not (failure.retry and job is not None and job.alive):
            return Status("failed", f"{failure.kind}: {failure.message}", job.id if job else None)
        if folder and folder.cancelled:
            return Status("cancelled", job=job.id if job else None)
        return self._submitted(folder, ticket, job) if ticket else Status(_left(folder))

    def _submitted(self, folder: TrainingFolder | None, ticket: Ticket, job: SchedulerJob | None) -> Status:
        """Where a training stands that was handed to SLURM and that nobody holds."""
        if ticket.sent is not None and ticket.sent.error:
            return Status(_left(folder), f"SLURM refused it: {ticket.sent.error}")
        if job is not None:
            if job.alive:
                return _in_job(ticket, job)
            return _after_job(folder, job, self._ledger.folder(ticket.submission).last_words(job.id))
        if self._silence:
            return Status("unknown", f"the scheduler does not answer: {self._silence}", ticket.job)
        if ticket.sent is None:
            return Status(_left(folder), "its submission was cut off before SLURM had it")
        return Status(_left(folder), "its job is over, and SLURM no longer knows how it ended", ticket.job)

    def _ask(self, tickets: list[Ticket]) -> dict[tuple[str, int], SchedulerJob]:
        """SLURM's jobs by name and task; what the controller has forgotten comes from accounting."""
        try:
            listed = listed_jobs()
        except SchedulerError as error:
            self._silence = str(error)
            return {}
        names = {ticket.name for ticket in tickets}
        found = {(job.name, job.index or 0): job for job in listed if job.name in names}
        forgotten = {t.sent.job for t in tickets if (t.name, t.index) not in found and t.sent and t.sent.job}
        remembered = ended_jobs(sorted(forgotten))
        return {(job.name, job.index or 0): job for job in remembered if job.name in names} | found


def _in_job(ticket: Ticket, job: SchedulerJob) -> Status:
    if job.waiting:
        return Status("queued", _words(job.reason), job.id)
    if ticket.alone:
        return Status("running", "", job.id)
    return Status("queued", "its job runs; other trainings come first", job.id)


def _after_job(folder: TrainingFolder | None, job: SchedulerJob, last_words: str) -> Status:
    """Where a training stands whose job ended before it was done, and that left no word of its own."""
    if job.state == "CANCELLED":
        return Status("cancelled", f"job {job.id} was cancelled {_words(job.reason)}".strip(), job.id)
    if job.state in CUT_SHORT:
        return Status(_left(folder), f"job {job.id} ended: {job.state}", job.id)
    if job.state == "OUT_OF_MEMORY":
        return Status("failed", f"job {job.id} needed more memory than its profile asks for", job.id)
    said = f"; the last it wrote: {last_words}" if last_words else ""
    return Status("failed", f"job {job.id} ended: {job.state} on {job.nodes}{said}", job.id)


def _words(reason: str) -> str:
    """SLURM's reason, or nothing where it gives none."""
    if "held" in reason.lower():
        return f"{reason}; `scontrol release` lets it go"
    return "" if reason == "None" else reason


def _left(folder: TrainingFolder | None) -> State:
    """What there is of a training on which nobody works."""
    return "interrupted" if folder and folder.checkpoint.exists() else "missing"
