"""What was handed to SLURM, written down before it is handed over. Imports no torch.

    submissions/ID/  submission.json  suite.yaml  profile.json  jobs/TRAINING.json  tasks/ARRAY-N.pkl
                     sent-ARRAY.json  log/

A submission's arrays have names that occur nowhere else, so that what became of them can be found out even where the
process that submitted them was killed before it could write down what SLURM answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from bench.execute.job import Retries
from bench.files import load_document, write_json
from bench.store.leases import JobId, Leases

__all__ = ["Array", "Ledger", "Sent", "Submission", "SubmissionFolder", "Ticket"]


MEMORY_KILL = "exceeded memory limit"
"""In what SLURM writes when it kills a step for its memory. Without cgroups its states do not tell that from a kill."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Array(_Document):
    """A job array to submit.

    Attributes:
        name: of its jobs.
        world_size: processes of each training.
        tasks: for each task of the array, the trainings that it does.
    """

    name: str
    world_size: int
    tasks: list[list[str]]


class Submission(_Document):
    """An intent to submit.

    Attributes:
        id: of the submission.
        suite: name of the suite.
        suite_file: where it was read from.
        snapshot: folder of the code that the jobs run.
        at: seconds since the epoch.
        pack: trainings that a task does side by side on each of its devices.
        signal_delay: seconds between SLURM's signal that a time limit comes and the limit.
        retries: how often a job is tried again after each cause.
        arrays: to submit.
        evaluations: for each training, the ids of the evaluations that its job makes.
    """

    id: str
    suite: str
    suite_file: str
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


class Sent(_Document):
    """What SLURM answered for one array: the id of its job, or why it refused."""

    job: JobId | None
    error: str = ""


class Ticket(_Document):
    """Where in which submission a training is.

    Attributes:
        submission: id of it.
        at: when it was written, seconds since the epoch.
        name: of the array.
        index: of the task.
        alone: whether the task does no other training.
        evaluations: ids of those that the job makes.
        sent: what SLURM answered; None if nobody wrote that down.
    """

    submission: str
    at: float
    name: str
    index: int
    alone: bool
    evaluations: list[str]
    sent: Sent | None

    @property
    def job(self) -> str | None:
        """Id of the array's job, if it is known."""
        return self.sent.job if self.sent else None


class SubmissionFolder:
    """Folder of one submission."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "submission.json"
        self.suite = path / "suite.yaml"
        self.profile = path / "profile.json"
        self.log = path / "log"

    def job(self, training: str) -> Path:
        """Everything that the job of a training needs to know."""
        return self.path / "jobs" / f"{training}.json"

    def pickle(self, array: int, task: int) -> Path:
        """What submitit runs for a task."""
        return self.path / "tasks" / f"{array}-{task}.pkl"

    @cached_property
    def submission(self) -> Submission | None:
        """The intent; None if the folder is not complete."""
        return load_document(self.file, Submission)

    def last_words(self, job: str) -> str:
        """The last line that a job wrote to its standard error; "" if there is none."""
        lines = [
            line
            for file in sorted(self.log.glob(f"{job}_*_log.err"))
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.strip()
        ]
        killed = [line for line in lines if MEMORY_KILL in line]
        return (killed or lines or [""])[-1].strip()

    def sent(self, array: int) -> Sent | None:
        """What SLURM answered for an array, if it was asked and the answer was written down."""
        return load_document(self.path / f"sent-{array}.json", Sent)

    def note_sent(self, array: int, sent: Sent) -> None:
        """Write down what SLURM answered."""
        write_json(self.path / f"sent-{array}.json", sent.model_dump())

    def tickets(self) -> Iterator[tuple[str, Ticket]]:
        """Each training of the submission with its place in it."""
        submission = self.submission
        if submission is None:
            return
        for number, array in enumerate(submission.arrays):
            sent = self.sent(number)
            for index, trainings in enumerate(array.tasks):
                for training in trainings:
                    yield (
                        training,
                        Ticket(
                            submission=submission.id,
                            at=submission.at,
                            name=array.name,
                            index=index,
                            alone=len(trainings) == 1,
                            evaluations=submission.evaluations[training],
                            sent=sent,
                        ),
                    )


class Ledger:
    """All submissions of a results folder."""

    def __init__(self, results: Path) -> None:
        self.path = results / "submissions"
        self.leases = Leases(self.path / "leases")
        """Whoever plans and submits holds them, so that two at the same moment do not submit the same twice."""

    def folder(self, submission: str) -> SubmissionFolder:
        """Folder of a submission, which need not exist."""
        return SubmissionFolder(self.path / submission)

    def folders(self) -> list[SubmissionFolder]:
        """All submissions, earliest first."""
        found = [SubmissionFolder(file.parent) for file in self.path.glob("*/submission.json")]
        return sorted(found, key=lambda folder: folder.submission.at if folder.submission else 0)

    def tickets(self) -> dict[str, Ticket]:
        """The latest place of each training that was ever submitted."""
        return {training: ticket for folder in self.folders() for training, ticket in folder.tickets()}
