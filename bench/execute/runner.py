"""Does one job in processes of its own."""

from __future__ import annotations

import os
import sys
import traceback

import torch

from bench.claims import BusyError, ClaimLostError
from bench.execute.evaluation import make_evaluation
from bench.execute.job import NO_RETRIES, Job, Outcome, Retries
from bench.execute.pulse import Pulse, StoppedError
from bench.execute.seat import ALONE, Seat
from bench.execute.slurm.scheduler import job_lives
from bench.execute.training import make_training
from bench.pose.errors import BenchError
from bench.store import Cause, EvaluationFolder, Failure, Store, TrainingFolder

__all__ = ["run_job", "run_process"]

CLAIM_PATIENCE = 20.0
"""Seconds to wait for another holder: a job whose parent was killed needs a moment to save its state."""


def run_process(job: Job, seat: Seat = ALONE, retries: Retries = NO_RETRIES) -> None:
    """Do a job as the whole of this process: output goes to the training's log, the outcome is the exit status."""
    folder = Store(job.resources.results).training(job.id)
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.log.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    pulse = Pulse(folder)
    pulse.listen()
    sys.exit(run_job(job, pulse, retries))


def run_job(job: Job, pulse: Pulse, retries: Retries = NO_RETRIES) -> Outcome:
    """Train what is not trained and evaluate what is not evaluated. Failures are stored, not raised.

    Args:
        job: to do.
        pulse: of this process.
        retries: how often whoever started this will try again after each cause.
    """
    store = Store(job.resources.results)
    folder = store.training(job.id)
    torch.set_num_threads(job.resources.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with folder.claim(CLAIM_PATIENCE, job_lives) as claim:
            pulse.guard(claim)
            try:
                outcome = _work(job, store, folder, pulse, retries)
            finally:
                pulse.end()
    except (BusyError, ClaimLostError) as error:
        print(error, file=sys.stderr, flush=True)
        return Outcome.BUSY
    return Outcome.CANCELLED if outcome is Outcome.STOPPED and folder.cancelled else outcome


def _work(job: Job, store: Store, folder: TrainingFolder, pulse: Pulse, retries: Retries) -> Outcome:
    try:
        folder.save_spec(job.training)
        record = folder.record() or make_training(job, folder, pulse)
        folder.forgive()
    except Exception as error:
        return _end(folder, pulse, error, retries)
    outcome = Outcome.DONE
    for spec in job.evaluations:
        target = store.evaluation(spec.id)
        try:
            target.save_spec(spec)
            if target.record() is None:
                make_evaluation(job, spec, record, store, pulse)
            target.forgive()
        except Exception as error:
            outcome = _end(target, pulse, error, retries)
            if outcome is Outcome.STOPPED:
                break
    return outcome


def _end(folder: TrainingFolder | EvaluationFolder, pulse: Pulse, error: Exception, retries: Retries) -> Outcome:
    """What an error means for the job; a failure is stored. Errors that a user can mend need no traceback."""
    if isinstance(error, ClaimLostError):
        raise error
    details = "" if isinstance(error, BenchError) else traceback.format_exc()
    message = str(error) or type(error).__name__
    if not isinstance(error, StoppedError):
        print(details or message, file=sys.stderr, flush=True)
    if pulse.stopping:
        # Whoever asks a job to stop may have ended its helpers too; what fails then is no failure of the job.
        return Outcome.STOPPED
    cause = _cause(error)
    retry = retries.left(cause, used=0) > 0
    folder.fail(Failure(kind=type(error).__name__, message=message, cause=cause, details=details, retry=retry))
    return Outcome.FAILED


def _cause(error: Exception) -> Cause:
    """Whether memory ran out, which torch reports for the CPU as a plain RuntimeError."""
    by_words = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return "out_of_memory" if by_words or isinstance(error, MemoryError | torch.OutOfMemoryError) else "exception"
