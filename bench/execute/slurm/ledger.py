"""The ledger of submissions to SLURM, written before SLURM is asked. Imports no torch.

    submissions/ID/  submission.json  suite.yaml  profile.json  jobs/TRAINING.json  tasks/ARRAY-N.pkl
                     sent-ARRAY.json  log/

The names of a submission's arrays are unique, so that their jobs can be found even if the submitting process was killed
before it could write down SLURM's answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import model_validator

from bench.execute.job import Retries
from bench.files import JsonDocument, load_document, write_json
from bench.store.leases import JobId, Leases

MEMORY_KILL = "exceeded memory limit"
"""Part of SLURM's message when it kills a step for its memory. Without cgroups its job states do not show it."""


class Array(JsonDocument):
    """A job array to submit.

    Attributes:
        name: name of its jobs.
        world_size: processes of each training.
        tasks: for each task of the array, the ids of its trainings.
    """

    name: str
    world_size: int
    tasks: list[list[str]]


class Submission(JsonDocument):
    """An intent to submit.

    Attributes:
        id: id of the submission.
        suite: name of the suite.
        suite_file: file of the suite.
        settings: given on the command line.
        snapshot: folder of the code that the jobs run.
        at: time of the submission, seconds since the epoch.
        pack: trainings that a task runs at once on each of its devices.
        signal_delay: seconds between SLURM's signal and the time limit.
        retries: how often a job is retried after each cause of failure.
        arrays: job arrays to submit.
        evaluations: for each training, the ids of its job's evaluations.
    """

    id: str
    suite: str
    suite_file: str
    settings: tuple[str, ...] = ()
    snapshot: str
    at: float
    pack: int
    signal_delay: int
    retries: Retries
    arrays: list[Array]
    evaluations: dict[str, list[str]]

    @model_validator(mode="after")
    def _check_evaluations(self) -> Self:
        for training in (training for array in self.arrays for task in array.tasks for training in task):
            if training not in self.evaluations:
                raise ValueError(f"training {training!r:.80} is in an array, but not among the evaluations")
        return self


class Sent(JsonDocument):
    """SLURM's answer for one array: the id of its job, or why it refused."""

    job: JobId | None
    error: str = ""


@dataclass(frozen=True)
class Ticket:
    """The place of a training in a submission.

    Attributes:
        submission: id of the submission.
        name: name of the array.
        index: number of the task in the array.
        alone: whether the task has no other training.
        evaluations: ids of the job's evaluations.
        sent: SLURM's answer; None if it was not written down.
    """

    submission: str
    name: str
    index: int
    alone: bool
    evaluations: list[str]
    sent: Sent | None

    @property
    def job(self) -> str | None:
        """Id of the array's SLURM job, if known."""
        return self.sent.job if self.sent else None


class SubmissionFolder:
    """The folder of one submission."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "submission.json"
        self.suite = path / "suite.yaml"
        self.profile = path / "profile.json"
        self.log = path / "log"

    def job(self, training: str) -> Path:
        """File of the `Job` of a training."""
        return self.path / "jobs" / f"{training}.json"

    def pickle(self, array: int, task: int) -> Path:
        """File of the function that submitit runs for a task."""
        return self.path / "tasks" / f"{array}-{task}.pkl"

    @cached_property
    def submission(self) -> Submission | None:
        """The submission; None if the folder is not complete."""
        return load_document(self.file, Submission)

    def last_words(self, job: str) -> str:
        """Last line on the standard error of a job, "" if there is none; preferably one about its memory."""
        lines = [
            line
            for file in sorted(self.log.glob(f"{job}_*_log.err"))
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.strip()
        ]
        killed = [line for line in lines if MEMORY_KILL in line]
        return (killed or lines or [""])[-1].strip()

    def sent(self, array: int) -> Sent | None:
        """SLURM's answer for an array, if it was written down."""
        return load_document(self.path / f"sent-{array}.json", Sent)

    def note_sent(self, array: int, sent: Sent) -> None:
        """Write down SLURM's answer."""
        write_json(self.path / f"sent-{array}.json", sent.model_dump())

    def tickets(self) -> Iterator[tuple[str, Ticket]]:
        """The id of each training of the submission, with its place."""
        submission = self.submission
        if submission is None:
            return
        for number, array in enumerate(submission.arrays):
            sent = self.sent(number)
            for index, trainings in enumerate(array.tasks):
                alone = len(trainings) == 1
                for training in trainings:
                    evaluations = submission.evaluations[training]
                    yield training, Ticket(submission.id, array.name, index, alone, evaluations, sent)


class Ledger:
    """All submissions of a results folder."""

    def __init__(self, results: Path) -> None:
        self.path = results / "submissions"
        self.leases = Leases(self.path / "leases")
        """Held while planning and submitting, so that two processes do not submit the same training."""

    def folder(self, submission: str) -> SubmissionFolder:
        """The folder of a submission, which need not exist."""
        return SubmissionFolder(self.path / submission)

    def folders(self) -> list[SubmissionFolder]:
        """All submissions, earliest first."""
        found = [SubmissionFolder(file.parent) for file in self.path.glob("*/submission.json")]
        return sorted(found, key=lambda folder: folder.submission.at if folder.submission else 0)

    def tickets(self) -> dict[str, Ticket]:
        """The latest place of each submitted training."""
        return {training: ticket for folder in self.folders() for training, ticket in folder.tickets()}
