"""Does one job in a process of its own."""

from __future__ import annotations

import os
import sys
import traceback

import torch

from bench.execute.evaluation import make_evaluation
from bench.execute.job import Job, Outcome
from bench.execute.pulse import Pulse, StoppedError
from bench.execute.training import make_training
from bench.pose.errors import BenchError
from bench.store import BusyError, EvaluationFolder, Failure, Store, TrainingFolder

__all__ = ["run_job", "run_process"]

LOCK_PATIENCE = 20.0
"""Seconds to wait for another holder: a job whose parent was killed needs a moment to save its state."""


def run_process(job: Job) -> None:
    """Do a job as the whole of this process: output goes to the training's log, the outcome is the exit status."""
    folder = Store(job.resources.results).training(job.training.id)
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.log.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    pulse = Pulse(folder)
    pulse.listen()
    sys.exit(run_job(job, pulse))


def run_job(job: Job, pulse: Pulse) -> Outcome:
    """Train what is not trained and evaluate what is not evaluated. Failures are stored, not raised."""
    store = Store(job.resources.results)
    folder = store.training(job.training.id)
    torch.set_num_threads(job.resources.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with folder.lock(timeout=LOCK_PATIENCE):
            try:
                return _work(job, store, folder, pulse)
            finally:
                pulse.end()
    except BusyError:
        return Outcome.BUSY


def _work(job: Job, store: Store, folder: TrainingFolder, pulse: Pulse) -> Outcome:
    try:
        folder.save_spec(job.training)
        record = folder.record() or make_training(job, folder, pulse)
        folder.forgive()
    except StoppedError:
        return Outcome.STOPPED
    except Exception as error:
        return _fail(folder, error)
    outcome = Outcome.DONE
    for spec in job.evaluations:
        target = store.evaluation(spec.id)
        try:
            target.save_spec(spec)
            if target.record() is None:
                make_evaluation(job, spec, record, store, pulse)
            target.forgive()
        except StoppedError:
            return Outcome.STOPPED
        except Exception as error:
            outcome = _fail(target, error)
    return outcome


def _fail(folder: TrainingFolder | EvaluationFolder, error: Exception) -> Outcome:
    """Store why; errors that a user can mend need no traceback."""
    details = "" if isinstance(error, BenchError) else traceback.format_exc()
    message = str(error) or type(error).__name__
    folder.fail(Failure(kind=type(error).__name__, message=message, details=details))
    print(details or message, file=sys.stderr, flush=True)
    return Outcome.FAILED
