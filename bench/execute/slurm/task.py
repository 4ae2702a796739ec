"""One task of a job array, as it runs on a node. At a time limit it asks SLURM to requeue it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from submitit import JobEnvironment
from submitit.core.utils import DelayedSubmission

from bench.execute.job import Job, JobOutcome
from bench.execute.pool import Pool
from bench.execute.progress import PlainView
from bench.execute.ranks import GroupMember, make_slots
from bench.execute.slurm.ledger import Submission, SubmissionFolder
from bench.files import StoreError, load_document
from bench.store.documents import Failure
from bench.store.folders import Store
from bench.store.leases import slurm_job

STOP_SHARE = 0.7
"""Fraction of the time before a limit in which jobs may save their state; the rest is for requeueing the job."""

END_SECONDS = 600.0
"""Seconds that a stopped task waits for SLURM to end it: SLURM does not restart a task that ends by itself."""


@dataclass
class ArrayTask:
    """One task of an array of a submission. submitit pickles it, so it holds plain values only.

    Attributes:
        folder: folder of the submission.
        array: number of the array in the submission.
        index: number of the task in the array.
        stalls: for each training, the number of consecutive runs that ended at a time limit without progress.
    """

    folder: str
    array: int
    index: int
    stalls: dict[str, int] = field(default_factory=dict)
    _pool: Pool | None = field(default=None, init=False, repr=False)

    def __call__(self) -> None:
        """Run the trainings of this task. Ends the process with status 1 if one failed."""
        folder, submission = self._submission()
        _check_code(Path(submission.snapshot))
        environment = JobEnvironment()
        jobs = [job for job in self._jobs(folder, submission) if not _nothing_left(job, submission.at)]
        self._marks = {job.id: _progress_mark(job) for job in jobs}
        self._pool = Pool(
            jobs,
            PlainView(Console(soft_wrap=True)),
            slots=make_slots(_devices(jobs), pack=submission.pack),
            members=lambda job, attempt: [_member(environment, job, attempt)],
            retries=submission.retries,
        )
        outcomes = self._pool.run()
        if JobOutcome.STOPPED in outcomes:
            time.sleep(END_SECONDS)
        sys.exit(1 if {JobOutcome.FAILED, JobOutcome.STOPPED} & set(outcomes) else 0)

    def checkpoint(self) -> DelayedSubmission | None:
        """Called by submitit before the time limit: save everything. Returns None if nothing is left to do."""
        # SLURM may send the signal again while the job saves.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        _, submission = self._submission()
        if self._pool is None:  # nothing was started yet
            return DelayedSubmission(ArrayTask(self.folder, self.array, self.index, self.stalls))
        jobs = self._pool.unfinished
        self._pool.stop_within(STOP_SHARE * submission.signal_delay)
        stalls = {job.id: self._stalls(job) for job in jobs}
        limit = submission.retries.stalled
        for job in jobs:
            if stalls[job.id] >= limit:
                _give_up(job, limit)
        if all(_nothing_left(job, submission.at) for job in jobs):
            return None
        return DelayedSubmission(ArrayTask(self.folder, self.array, self.index, stalls))

    def _submission(self) -> tuple[SubmissionFolder, Submission]:
        folder = SubmissionFolder(Path(self.folder))
        if folder.submission is None:
            raise StoreError(f"{folder.file}: no such file; the job's submission was removed")
        return folder, folder.submission

    def _jobs(self, folder: SubmissionFolder, submission: Submission) -> list[Job]:
        found = [load_document(folder.job(id_), Job) for id_ in submission.arrays[self.array].tasks[self.index]]
        return [job for job in found if job]

    def _stalls(self, job: Job) -> int:
        owner = Store(job.resources.results).training(job.id).leases.latest()
        waits = owner is None or (owner.job, owner.restart) != slurm_job()
        if waits or _progress_mark(job) != self._marks[job.id]:
            return 0
        return self.stalls.get(job.id, 0) + 1


def _check_code(snapshot: Path) -> None:
    """Raise `StoreError` unless this process runs the submission's copy of the code."""
    found = Path(__file__).parents[3]
    if found.resolve() != snapshot.resolve():
        raise StoreError(
            f"this job runs the code in {found}, not the copy in {snapshot} that was submitted:"
            " `python` in the profile must keep PYTHONPATH and PYTHONSAFEPATH, and see the results folder"
        )


def _member(environment: JobEnvironment, job: Job, attempt: int) -> GroupMember:
    name, restart = slurm_job()
    token = f"{name}-{restart}-{attempt}"
    return GroupMember(environment.global_rank, job.training.world_size, token, local_rank=environment.local_rank)


def _devices(jobs: Sequence[Job]) -> list[str]:
    """Devices that SLURM assigned to this task."""
    kind = jobs[0].resources.device if jobs else "cpu"
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return [f"cuda:{number}" for number in range(len(visible))] or [kind] if kind == "cuda" else [kind]


def _nothing_left(job: Job, since: float) -> bool:
    """Whether a job is done, cancelled, or has failed since it was submitted."""
    store = Store(job.resources.results)
    failures = [folder.failure() for folder in store.folders(job.id, job.evaluation_ids)]
    failed = any(failure and failure.at > since and not failure.retry for failure in failures)
    return failed or store.training(job.id).cancelled or store.complete(job.id, job.evaluation_ids)


def _progress_mark(job: Job) -> tuple[float, ...]:
    """A value that changes with every saved progress of a job."""
    store = Store(job.resources.results)
    files = [folder.record_file for folder in store.folders(job.id, job.evaluation_ids)]
    return tuple(file.stat().st_mtime if file.exists() else 0 for file in (store.training(job.id).checkpoint, *files))


def _give_up(job: Job, runs: int) -> None:
    folders = Store(job.resources.results).folders(job.id, job.evaluation_ids)
    folder = next((folder for folder in folders if not folder.record_file.exists()), folders[0])
    message = f"{runs} runs in a row reached the time limit without a step of progress; raise `time` in the profile"
    folder.fail(Failure(kind="Stalled", message=message, cause="stalled"))
