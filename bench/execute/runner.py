"""Does one job in processes of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable

import torch

from bench.execute.evaluation_job import make_evaluation
from bench.execute.heartbeat import Heartbeat, StoppedError
from bench.execute.job import NO_RETRIES, Job, Outcome, Retries
from bench.execute.log import write_to_log
from bench.execute.ranks import SINGLE_PROCESS, Rank
from bench.execute.rendezvous import meet
from bench.execute.slurm.scheduler import job_lives
from bench.execute.training_job import make_training
from bench.files import StoreError
from bench.pose.errors import BenchError
from bench.pose.memory import keep_freed_memory
from bench.pose.parallel import ProcessGroup, ProcessGroupError
from bench.pose.precision import take_precision_at_its_word
from bench.store.documents import Cause, Failure
from bench.store.folders import EvaluationFolder, Store, TrainingFolder
from bench.store.leases import BusyError, LeaseLostError
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["run_job", "run_process"]


OUT_OF_MEMORY = ("can't allocate memory", "Insufficient memory", "bad_alloc", "Cannot allocate memory")
"""How torch on CPUs, OpenCV, C++ and the system say it."""

LOADER_DIED = "DataLoader worker (pid"
"""How torch says that a process that loads crops ended by a signal."""


class UnstoredError(BenchError):
    """A failure that could not be stored, and why not."""


LEASE_PATIENCE = 20.0
"""Seconds to wait for another holder: a job whose parent was killed needs a moment to save its state."""


def run_process(job: Job, rank: Rank = SINGLE_PROCESS, retries: Retries = NO_RETRIES) -> None:
    """Do a job as the whole of this process: output goes to the training's log, the outcome is the exit status."""
    folder = Store(job.resources.results).training(job.id)
    terminal = write_to_log(folder.log)
    heartbeat = Heartbeat(folder)
    heartbeat.listen()
    try:
        sys.exit(run_job(job, heartbeat, rank, retries))
    except UnstoredError as error:
        with contextlib.suppress(OSError):
            os.write(terminal, f"{job.id}: {error}\n".encode())
        sys.exit(Outcome.FAILED)


def run_job(job: Job, heartbeat: Heartbeat, rank: Rank = SINGLE_PROCESS, retries: Retries = NO_RETRIES) -> Outcome:
    """Train what is not trained and evaluate what is not evaluated. Failures are stored rather than raised.

    Args:
        job: to do.
        heartbeat: of this process.
        rank: of this process among those that do the job together.
        retries: how often whoever started this will try again after each cause.

    Raises:
        UnstoredError: a failure could not be stored.
    """
    folder = Store(job.resources.results).training(job.id)
    torch.set_num_threads(job.resources.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    take_precision_at_its_word()
    keep_freed_memory()
    try:
        with meet(folder, rank, torch.device(job.resources.device)) as group:
            work = _Work(job, heartbeat, group, retries)
            outcome = work.lead() if group.rank == 0 else work.follow()
    except ProcessGroupError as error:
        print(error, file=sys.stderr, flush=True)
        return Outcome.STOPPED if heartbeat.stopping else Outcome.LOST
    return Outcome.CANCELLED if outcome is Outcome.STOPPED and folder.cancelled else outcome


class _Work:
    """A job under way in one of its processes."""

    def __init__(self, job: Job, heartbeat: Heartbeat, group: ProcessGroup, retries: Retries) -> None:
        self._job = job
        self._heartbeat = heartbeat
        self._group = group
        self._retries = retries
        self._store = Store(job.resources.results)
        self._folder = self._store.training(job.id)

    def lead(self) -> Outcome:
        """Take the training's lease and do the job, others following."""
        try:
            with self._folder.lease(LEASE_PATIENCE, job_lives) as lease:
                self._heartbeat.guard(lease)
                self._agree(lambda: True)
                try:
                    return self._do()
                finally:
                    self._heartbeat.end()
        except LeaseLostError as error:
            return self._give_way(error)
        except StoreError as error:  # there is no lease to be had; errors of the work do not get here
            self._agree(lambda: False)
            return self._give_way(error) if isinstance(error, BusyError) else self._end(self._folder, error)

    def follow(self) -> Outcome:
        """Do what rank 0 does, once it holds the lease."""
        return self._do() if self._agree(lambda: False) else Outcome.BUSY

    def _give_way(self, error: StoreError) -> Outcome:
        print(error, file=sys.stderr, flush=True)
        return Outcome.BUSY

    def _do(self) -> Outcome:
        outcome = self._train()
        for spec in self._job.evaluations if outcome is Outcome.DONE else ():
            evaluated = self._evaluate(spec)
            outcome = outcome if evaluated is Outcome.DONE else evaluated
            # Where one process failed the others wait for it in vain: what is left is for the next try.
            if evaluated is Outcome.STOPPED or (evaluated is Outcome.FAILED and self._group.size > 1):
                break
        return outcome

    def _train(self) -> Outcome:
        try:
            self._job.extensions.load()
            if self._agree(lambda: _begin(self._folder, self._job.training)):
                make_training(self._job, self._folder, self._heartbeat, self._group)
            return Outcome.DONE
        except Exception as error:
            return self._end(self._folder, error)

    def _evaluate(self, spec: EvalSpec) -> Outcome:
        folder = self._store.evaluation(spec.id)
        try:
            if self._agree(lambda: _begin(folder, spec)):
                make_evaluation(self._job, spec, self._store, self._heartbeat, self._group)
            return Outcome.DONE
        except Exception as error:
            return self._end(folder, error)

    def _agree(self, question: Callable[[], bool]) -> bool:
        """Rank 0's answer: what the others see of the files may be older."""
        return self._group.broadcast(question() if self._group.rank == 0 else None)

    def _end(self, folder: TrainingFolder | EvaluationFolder, error: Exception) -> Outcome:
        """What an error means for the job; a failure is stored. Errors that a user can fix need no traceback."""
        if isinstance(error, LeaseLostError | ProcessGroupError):
            raise error
        details = "" if isinstance(error, BenchError) else traceback.format_exc()
        message = str(error) or type(error).__name__
        if not isinstance(error, StoppedError):
            print(details or message, file=sys.stderr, flush=True)
        if self._heartbeat.stopping or isinstance(error, StoppedError):
            # Whoever asks a job to stop may have ended its helpers too; what fails then is no failure of the job.
            return Outcome.STOPPED
        cause = _cause(error)
        if cause == "killed":
            message = f"a process that loads crops died, often for want of memory: {message.strip()}"
        retry = self._retries.left(cause, used=0) > 0
        failure = Failure(kind=type(error).__name__, message=message, cause=cause, details=details, retry=retry)
        try:
            folder.fail(failure)
        except StoreError as reason:
            raise UnstoredError(f"{failure.kind}: {message}; that could not be stored: {reason}") from error
        return Outcome.FAILED


def _begin(folder: TrainingFolder | EvaluationFolder, spec: TrainSpec | EvalSpec) -> bool:
    """Have the spec stored, and nothing said any more of an earlier failure; whether its result is still to be made."""
    folder.save_spec(spec)
    folder.clear_failure()
    return folder.record() is None


def _cause(error: Exception) -> Cause:
    """Whether memory ran out or a helper was killed, which libraries report as plain errors of their own."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
        return "out_of_memory"
    return "killed" if isinstance(error, RuntimeError) and LOADER_DIED in str(error) else "exception"
