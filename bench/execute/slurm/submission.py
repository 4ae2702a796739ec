"""Submits jobs to SLURM as job arrays of submitit. Imports no torch."""

from __future__ import annotations

import math
import shlex
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import submitit
from submitit.core.utils import DelayedSubmission, FailedJobError, FailedSubmissionError

from bench.execute.job import Job
from bench.execute.slurm.ledger import Array, Ledger, Sent, Submission, SubmissionFolder
from bench.execute.slurm.profile import Profile
from bench.execute.slurm.snapshot import take_snapshot
from bench.execute.slurm.task import ArrayTask
from bench.files import write_json
from bench.store.folders import Store
from bench.suite.schema import Suite

UNLIMITED = 10**6
"""Timeouts that submitit allows a job: a timeout is no failure, and `ArrayTask` detects jobs without progress."""

T = TypeVar("T")

MAX_ARRAY = 1000
"""Tasks per array: one less than SLURM's own default limit."""


def arrange(jobs: Sequence[Job], profile: Profile, name: str, *, queued: int = 0) -> tuple[list[Array], list[Job]]:
    """Arrays of jobs that need the same resources, and the jobs without room in the queue.

    A task runs `pack` trainings at once. If the profile limits the number of queued jobs, tasks run several rounds of
    trainings, one after the other.

    Args:
        jobs: jobs to submit.
        profile: profile of the cluster.
        name: prefix of the arrays' names.
        queued: number of the suite's jobs that are queued already.

    Raises:
        BenchError: a training does not fit the profile.
    """
    room = len(jobs) if profile.queue_limit is None else max(profile.queue_limit - queued, 0)
    if not room:
        return [], list(jobs)
    sizes = sorted({job.training.world_size for job in jobs})
    for size in sizes:
        profile.shape(size)
    sizes = sizes[:room]
    # Each size may need one more task than its share, because its last task may not be full.
    rounds = math.ceil(math.ceil(len(jobs) / profile.pack) / max(room - len(sizes) + 1, 1))
    if profile.queue_limit is None:
        rounds = 1
    arrays: list[Array] = []
    for size in sizes:
        ids = [job.id for job in jobs if job.training.world_size == size]
        for tasks in _chunks(_chunks(ids, profile.pack * rounds), MAX_ARRAY):
            arrays.append(Array(name=f"{name}-{len(arrays)}", world_size=size, tasks=tasks))
    return arrays, [job for job in jobs if job.training.world_size not in sizes]


def submit(
    jobs: Sequence[Job], arrays: Sequence[Array], suite: Suite, profile: Profile, results: Path, *, id_: str
) -> list[Sent]:
    """Write the submission down, then submit each array.

    The caller must hold the ledger's lease. Earlier failures and cancellations of the jobs are cleared.

    Returns:
        SLURM's answer for each array.
    """
    folder = Ledger(results).folder(id_)
    submission = Submission(
        id=id_,
        suite=suite.name,
        suite_file=str(suite.file),
        settings=suite.settings,
        snapshot=str(take_snapshot(results.absolute() / "snapshots", suite.extensions)),
        at=time.time(),
        pack=profile.pack,
        signal_delay=profile.signal_delay,
        retries=profile.retries,
        arrays=list(arrays),
        evaluations={job.id: job.evaluation_ids for job in jobs},
    )
    store = Store(results)
    for job in jobs:
        write_json(folder.job(job.id), job.model_dump(mode="json"), durable=False)
        _clear(job, store)
    folder.log.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(suite.file, folder.suite)
    write_json(folder.profile, profile.model_dump(mode="json"))
    _pickle_tasks(folder, submission)
    write_json(folder.file, submission.model_dump(mode="json"))
    return [_send(folder, submission, number, profile) for number in range(len(arrays))]


def _chunks(items: Sequence[T], size: int) -> list[list[T]]:
    return [list(items[begin : begin + size]) for begin in range(0, len(items), size)]


def _clear(job: Job, store: Store) -> None:
    """Clear earlier failures and the cancellation of a training."""
    store.training(job.id).uncancel()
    for folder in store.folders(job.id, job.evaluation_ids):
        folder.clear_failure()


def _tasks(folder: SubmissionFolder, array: int, tasks: int) -> list[ArrayTask]:
    return [ArrayTask(str(folder.path.absolute()), array, index) for index in range(tasks)]


def _pickle_tasks(folder: SubmissionFolder, submission: Submission) -> None:
    """Store what submitit will run, so that a job finds it even if the submitting process was killed."""
    for number, array in enumerate(submission.arrays):
        for task in _tasks(folder, number, len(array.tasks)):
            file = folder.pickle(number, task.index)
            file.parent.mkdir(exist_ok=True)
            DelayedSubmission(task).dump(file)


def _send(folder: SubmissionFolder, submission: Submission, number: int, profile: Profile) -> Sent:
    """Submit one array and write down SLURM's answer."""
    array = submission.arrays[number]
    executor = submitit.SlurmExecutor(folder.log.absolute(), max_num_timeout=UNLIMITED, python=profile.python)
    parameters = profile.parameters(profile.shape(array.world_size))
    setup = [*parameters.pop("setup", []), *_setup(folder, submission, number)]
    try:
        executor.update_parameters(job_name=array.name, setup=setup, **parameters)
        with executor.batch():
            jobs = [executor.submit(task) for task in _tasks(folder, number, len(array.tasks))]
        sent = Sent(job=jobs[0].job_id.partition("_")[0])
    except (FailedJobError, FailedSubmissionError, OSError) as error:
        sent = Sent(job=None, error=_words(error))
    folder.note_sent(number, sent)
    return sent


def _setup(folder: SubmissionFolder, submission: Submission, number: int) -> list[str]:
    """Shell lines of every job: use the snapshot's code, and put the task where submitit looks for it."""
    log = shlex.quote(str(folder.log.absolute()))
    tasks = shlex.quote(str((folder.path / "tasks").absolute()))
    return [
        f"export PYTHONPATH={shlex.quote(submission.snapshot)}${{PYTHONPATH:+:$PYTHONPATH}}",
        "export PYTHONSAFEPATH=1",  # otherwise the job's working folder comes before the snapshot
        f"submitted={log}/${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}_submitted.pkl",
        f'[ -e "$submitted" ] || cp {tasks}/{number}-${{SLURM_ARRAY_TASK_ID:-0}}.pkl "$submitted"',
    ]


def _words(error: Exception) -> str:
    """SLURM's error message without submitit's report of the call."""
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    return "; ".join(lines) or str(error)
