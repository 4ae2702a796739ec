"""States of trainings, from their files, leases and the scheduler. Reads only; imports no torch.

The scheduler is asked before any file is read, so that the files are newer and take precedence.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.execute.slurm.ledger import Ledger, Ticket
from bench.execute.slurm.scheduler import SchedulerError, SchedulerJob, ended_jobs, listed_jobs
from bench.store.documents import Failure, State
from bench.store.folders import Store, TrainingFolder

UNDER_WAY: frozenset[State] = frozenset({"running", "queued", "unknown"})

CUT_SHORT = frozenset({"BOOT_FAIL", "COMPLETED", "DEADLINE", "NODE_FAIL", "PREEMPTED", "REVOKED", "TIMEOUT"})
"""Final states of a SLURM job that are no failure. A completed job skips trainings that another process runs."""


@dataclass(frozen=True)
class Status:
    """State of a training or an evaluation.

    Attributes:
        state: the state in one word.
        reason: why it waits, failed or was cut short; may be empty.
        job: its current or last SLURM job.
    """

    state: State
    reason: str = ""
    job: str | None = None

    @property
    def under_way(self) -> bool:
        """Whether it is running, queued, or may be."""
        return self.state in UNDER_WAY


class Observer:
    """One look at a store and, if trainings were submitted to SLURM, at the scheduler."""

    def __init__(self, store: Store) -> None:
        self._ledger = Ledger(store.root)
        self._tickets = self._ledger.tickets()
        pending = [ticket for id_, ticket in self._tickets.items() if not store.complete(id_, ticket.evaluations)]
        self._silence = ""
        self._jobs = self._ask(pending) if pending else {}
        self._store, self._ids = store, store.ids()

    def training(self, training_id: str) -> Status:
        """State of a training without its evaluations."""
        folder = self._training(training_id)
        if folder and folder.record_file.exists():
            return Status("done")
        return self.work(training_id, folder.failure() if folder else None)

    def evaluation(self, training_id: str, evaluation_id: str) -> Status:
        """State of an evaluation."""
        folder = self._store.evaluation(evaluation_id) if evaluation_id in self._ids else None
        if folder and folder.record_file.exists():
            return Status("done")
        failure = folder.failure() if folder else None
        status = self.work(training_id, failure)
        # An interrupted training does not make its evaluation an interrupted one.
        return Status("missing", status.reason, status.job) if status.state == "interrupted" else status

    def work(self, training_id: str, failure: Failure | None) -> Status:
        """State of an unfinished training, or of its evaluation, given the stored failure of the last try."""
        folder = self._training(training_id)
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
        """State of a training that was submitted to SLURM and that no process holds."""
        if ticket.sent is not None and ticket.sent.error:
            return Status(_left(folder), f"SLURM refused it: {ticket.sent.error}")
        if job is not None:
            if job.alive:
                return _in_job(ticket, job)
            return _after_job(folder, job, self._ledger.folder(ticket.submission).last_words(job.id))
        if self._silence:
            return Status("unknown", f"the scheduler does not answer: {self._silence}", ticket.job)
        if ticket.sent is None:
            return Status(_left(folder), "its submission was interrupted before SLURM had it")
        return Status(_left(folder), "its job is over, and SLURM no longer knows how it ended", ticket.job)

    def _training(self, training_id: str) -> TrainingFolder | None:
        """The folder of a training, if there was one at the time of the look."""
        return self._store.training(training_id) if training_id in self._ids else None

    def _ask(self, tickets: list[Ticket]) -> dict[tuple[str, int], SchedulerJob]:
        """SLURM's jobs by name and task; old ones come from accounting."""
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
    return Status("queued", "its job is running other trainings first", job.id)


def _after_job(folder: TrainingFolder | None, job: SchedulerJob, last_words: str) -> Status:
    """State of a training whose job ended before it was done, and that stored no failure."""
    if job.state == "CANCELLED":
        return Status("cancelled", f"job {job.id} was cancelled {_words(job.reason)}".strip(), job.id)
    if job.state in CUT_SHORT:
        return Status(_left(folder), f"job {job.id} ended: {job.state}", job.id)
    if job.state == "OUT_OF_MEMORY":
        return Status("failed", f"job {job.id} needed more memory than its profile asks for", job.id)
    said = f"; its last output: {last_words}" if last_words else ""
    return Status("failed", f"job {job.id} ended: {job.state} on {job.nodes}{said}", job.id)


def _words(reason: str) -> str:
    """SLURM's reason, or an empty text if it gives none."""
    if "held" in reason.lower():
        return f"{reason}; run `scontrol release`"
    return "" if reason == "None" else reason


def _left(folder: TrainingFolder | None) -> State:
    """State of an unfinished training that no process is running."""
    return "interrupted" if folder and folder.checkpoint.exists() else "missing"
