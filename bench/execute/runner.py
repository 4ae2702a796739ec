"""Runs one job in processes of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial

import torch

from bench.execute.evaluation_job import make_evaluation
from bench.execute.heartbeat import Heartbeat, StoppedError
from bench.execute.job import NO_RETRIES, Job, JobOutcome, Retries
from bench.execute.job_loggers import JobLoggers
from bench.execute.log import write_to_log
from bench.execute.logger import Outcome
from bench.execute.ranks import ONLY_MEMBER, GroupMember
from bench.execute.rendezvous import rendezvous
from bench.execute.slurm.scheduler import job_lives
from bench.execute.training_job import make_training
from bench.files import StoreError
from bench.pose.errors import BenchError
from bench.pose.machine import keep_freed_memory
from bench.pose.parallel import ProcessGroup, ProcessGroupError
from bench.pose.precision import make_deterministic
from bench.store.documents import Cause, Failure
from bench.store.folders import EvaluationFolder, Store, TrainingFolder
from bench.store.leases import BusyError, LeaseLostError
from bench.suite.specs import EvalSpec, TrainSpec

OUT_OF_MEMORY = ("can't allocate memory", "Insufficient memory", "bad_alloc", "Cannot allocate memory")
"""Parts of messages about memory by torch on CPUs, OpenCV, C++ and the system."""

LOADER_DIED = "DataLoader worker (pid"
"""Part of torch's message that a process that loads crops was killed."""


class UnstoredError(BenchError):
    """A failure could not be stored."""


OUTCOMES: Mapping[JobOutcome, Outcome] = {
    JobOutcome.DONE: "done", JobOutcome.FAILED: "failed", JobOutcome.STOPPED: "stopped",
}  # fmt: skip
"""How loggers are told of an outcome."""

LEASE_PATIENCE = 20.0
"""Seconds to wait for another holder: a job whose parent was killed needs time to save its state."""


def run_process(job: Job, member: GroupMember = ONLY_MEMBER, retries: Retries = NO_RETRIES) -> None:
    """Run a job and end this process: output goes to the training's log, the exit status is the `JobOutcome`."""
    folder = Store(job.resources.results).training(job.id)
    terminal = write_to_log(folder.log)
    heartbeat = Heartbeat(folder)
    heartbeat.listen()
    try:
        sys.exit(run_job(job, heartbeat, member, retries))
    except UnstoredError as error:
        with contextlib.suppress(OSError):
            os.write(terminal, f"{job.id}: {error}\n".encode())
        sys.exit(JobOutcome.FAILED)


def run_job(
    job: Job, heartbeat: Heartbeat, member: GroupMember = ONLY_MEMBER, retries: Retries = NO_RETRIES
) -> JobOutcome:
    """Train and evaluate what is missing. Failures are stored, not raised.

    Args:
        job: the job.
        heartbeat: heartbeat of this process.
        member: this process among those that run the job together.
        retries: retries left to the caller after each cause of failure.

    Raises:
        UnstoredError: a failure could not be stored.
    """
    folder = Store(job.resources.results).training(job.id)
    torch.set_num_threads(job.resources.threads)
    make_deterministic()
    keep_freed_memory()
    try:
        with rendezvous(folder, member, torch.device(job.resources.device)) as group:
            running = _RunningJob(job, heartbeat, group, retries)
            outcome = running.lead() if group.rank == 0 else running.follow()
    except ProcessGroupError as error:
        print(error, file=sys.stderr, flush=True)
        return JobOutcome.STOPPED if heartbeat.stopping else JobOutcome.LOST
    return JobOutcome.CANCELLED if outcome is JobOutcome.STOPPED and folder.cancelled else outcome


class _RunningJob:
    """A running job in one of its processes."""

    def __init__(self, job: Job, heartbeat: Heartbeat, group: ProcessGroup, retries: Retries) -> None:
        self._job = job
        self._heartbeat = heartbeat
        self._group = group
        self._retries = retries
        self._store = Store(job.resources.results)
        self._folder = self._store.training(job.id)
        self._loggers = JobLoggers(job, self._folder, active=group.rank == 0)

    def lead(self) -> JobOutcome:
        """Take the training's lease and run the job (rank 0)."""
        try:
            with self._folder.lease(LEASE_PATIENCE, job_lives) as lease:
                self._heartbeat.guard(lease)
                self._agree(lambda: True)
                outcome = JobOutcome.LOST
                try:
                    outcome = self._run()
                finally:
                    self._loggers.end(OUTCOMES.get(outcome, "killed"), lambda: self._heartbeat.stopping)
                    self._heartbeat.end()
                return outcome
        except LeaseLostError as error:
            return self._yield_to_holder(error)
        except StoreError as error:  # no lease; errors of the work do not get here
            self._agree(lambda: False)
            return self._yield_to_holder(error) if isinstance(error, BusyError) else self._end(self._folder, error)

    def follow(self) -> JobOutcome:
        """Run the job once rank 0 holds the lease (other ranks)."""
        return self._run() if self._agree(lambda: False) else JobOutcome.BUSY

    def _yield_to_holder(self, error: StoreError) -> JobOutcome:
        print(error, file=sys.stderr, flush=True)
        return JobOutcome.BUSY

    def _run(self) -> JobOutcome:
        job = self._job
        train = partial(make_training, job, self._folder, self._heartbeat, self._group, self._loggers.follow)
        outcome = self._make(self._folder, job.training, train)
        if outcome is JobOutcome.DONE:
            self._loggers.trained()
        for spec in job.evaluations if outcome is JobOutcome.DONE else ():
            folder = self._store.evaluation(spec.id)
            evaluated = self._make(
                folder, spec, partial(make_evaluation, job, spec, self._store, self._heartbeat, self._group)
            )
            if evaluated is JobOutcome.DONE:
                self._loggers.evaluated(folder)
            outcome = outcome if evaluated is JobOutcome.DONE else evaluated
            # If one process failed, the others would wait for it forever: leave the rest to the next try.
            if evaluated is JobOutcome.STOPPED or (evaluated is JobOutcome.FAILED and self._group.size > 1):
                break
        return outcome

    def _make(
        self, folder: TrainingFolder | EvaluationFolder, spec: TrainSpec | EvalSpec, make: Callable[[], object]
    ) -> JobOutcome:
        """Make a result if it is missing."""
        try:
            self._job.extensions.load()
            if self._agree(lambda: _begin(folder, spec)):
                make()
            return JobOutcome.DONE
        except Exception as error:
            return self._end(folder, error)

    def _agree(self, question: Callable[[], bool]) -> bool:
        """Rank 0's answer: other ranks may see older files."""
        return self._group.broadcast(question() if self._group.rank == 0 else None)

    def _end(self, folder: TrainingFolder | EvaluationFolder, error: Exception) -> JobOutcome:
        """Outcome of a job after an error; a failure is stored. Errors that the user can fix get no traceback."""
        if isinstance(error, LeaseLostError | ProcessGroupError):
            raise error
        error = _interrupted(error)
        details = "" if isinstance(error, BenchError) else traceback.format_exc()
        message = str(error) or type(error).__name__
        if not isinstance(error, StoppedError):
            print(details or message, file=sys.stderr, flush=True)
        if self._heartbeat.stopping or isinstance(error, StoppedError):
            # The request to stop may have ended the job's helper processes too: errors are expected then.
            return JobOutcome.STOPPED
        cause = _cause(error)
        if cause == "killed":
            message = f"a process that loads crops died (often: out of memory): {message.strip()}"
        retry = self._retries.left(cause, used=0) > 0
        failure = Failure(kind=type(error).__name__, message=message, cause=cause, details=details, retry=retry)
        try:
            folder.fail(failure)
        except StoreError as reason:
            raise UnstoredError(f"{failure.kind}: {message}; that could not be stored: {reason}") from error
        return JobOutcome.FAILED


def _begin(folder: TrainingFolder | EvaluationFolder, spec: TrainSpec | EvalSpec) -> bool:
    """Store the spec and clear an earlier failure; returns whether the result is still missing."""
    folder.save_spec(spec)
    folder.clear_failure()
    return folder.record() is None


def _cause(error: Exception) -> Cause:
    """Cause of a failure. Libraries report a lack of memory and killed helpers as plain errors."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
        return "out_of_memory"
    return "killed" if isinstance(error, RuntimeError) and LOADER_DIED in str(error) else "exception"


def _interrupted(error: Exception) -> Exception:
    """The error that says that a loader process died.

    A signal handler raises it wherever the training is, as in the midst of a file, whose closing may fail in turn.
    """
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, RuntimeError) and LOADER_DIED in str(reason):
            return reason
        reason = reason.__context__
    return error
