"""Where a training stands, for all that files, leases, the ledger and the scheduler may say together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.execute.job import Retries
from bench.execute.slurm.ledger import Array, Ledger, Sent, Submission
from bench.execute.slurm.scheduler import SchedulerError, SchedulerJob
from bench.files import write_json
from bench.planning import status as status_module
from bench.planning.status import Observer, Status
from bench.store.documents import Failure
from bench.store.folders import Store

CELL, EVALUATION = "cell", "evaluation"


class Scene:
    """A store with one training, and a scheduler that says what it is told to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Store(folder)
        self.folder = self.store.training(CELL)
        self.listed: list[SchedulerJob] = []
        self.remembered: list[SchedulerJob] = []
        self.silent = False
        self.questions = 0
        monkeypatch.setattr(status_module, "listed_jobs", self._list)
        monkeypatch.setattr(status_module, "ended_jobs", lambda ids: self.remembered)

    def _list(self) -> list[SchedulerJob]:
        self.questions += 1
        if self.silent:
            raise SchedulerError("squeue gave no answer")
        return self.listed

    def submit(self, sent: Sent | None = Sent(job="7"), *, with_it: int = 0) -> None:  # noqa: B008 (frozen)
        """Write a submission of the training, with so many others in its task."""
        others = [f"other{number}" for number in range(with_it)]
        submission = Submission(
            id="s",
            suite="suite",
            suite_file="suite.yaml",
            snapshot="snapshot",
            at=100.0,
            pack=1,
            signal_delay=30,
            retries=Retries(),
            arrays=[Array(name="bench-s-0", world_size=1, tasks=[["first"], [CELL, *others]])],
            evaluations={id_: [EVALUATION] for id_ in ("first", CELL, *others)},
        )
        folder = Ledger(self.store.root).folder("s")
        folder.log.mkdir(parents=True)
        (folder.log / "7_1_0_log.err").write_text("module: command not found\n\n", encoding="utf-8")
        write_json(folder.file, submission.model_dump(mode="json"))
        if sent:
            folder.note_sent(0, sent)

    def say(self, state: str, reason: str = "None") -> None:
        """What the scheduler says of the training's job."""
        self.listed = [SchedulerJob("7_1", "bench-s-0", 1, state, "node1", reason)]

    @property
    def status(self) -> Status:
        return Observer(self.store).training(CELL)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path / "results", monkeypatch)


def test_without_a_scheduler(scene: Scene) -> None:
    assert scene.status.state == "missing"
    write_json(scene.folder.checkpoint, {})
    assert scene.status.state == "interrupted"
    scene.folder.cancel()
    assert scene.status.state == "cancelled"
    scene.folder.fail(Failure(kind="DataError", message="no such file"))
    assert scene.status == Status("failed", "DataError: no such file")
    with scene.folder.lease():
        assert scene.status.state == "running"
    scene.folder.clear_failure()
    write_json(scene.folder.record_file, {})
    assert scene.status.state == "done"
    assert scene.questions == 0, "the scheduler is not asked about what it never had"


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        ("PENDING", "queued", "Priority"),
        ("CONFIGURING", "queued", "Priority"),
        ("REQUEUED", "queued", "Priority"),
        ("RUNNING", "running", ""),
        ("COMPLETING", "running", ""),
        ("SUSPENDED", "running", ""),
        ("A_STATE_OF_TOMORROW", "running", ""),
        ("CANCELLED", "cancelled", "job 7_1 was cancelled Priority"),
        ("TIMEOUT", "missing", "job 7_1 ended: TIMEOUT"),
        ("NODE_FAIL", "missing", "job 7_1 ended: NODE_FAIL"),
        ("PREEMPTED", "missing", "job 7_1 ended: PREEMPTED"),
        ("OUT_OF_MEMORY", "failed", "job 7_1 needed more memory"),
        ("FAILED", "failed", "job 7_1 ended: FAILED on node1; its last output: module: command not found"),
        ("COMPLETED", "missing", "job 7_1 ended: COMPLETED"),
    ],
)
@pytest.mark.parametrize("source", ["listed", "remembered"])
def test_by_the_scheduler(scene: Scene, said: str, state: str, reason: str, source: str) -> None:
    scene.submit()
    setattr(scene, source, [SchedulerJob("7_1", "bench-s-0", 1, said, "node1", "Priority")])
    status = scene.status
    assert (status.state, status.job) == (state, "7_1")
    assert status.reason.startswith(reason)


def test_a_held_job_says_how_to_let_it_go(scene: Scene) -> None:
    scene.submit()
    scene.say("PENDING", "launch failed requeued held")
    assert scene.status.reason == "launch failed requeued held; run `scontrol release`"


def test_a_job_that_slurm_killed_for_its_memory_says_so(scene: Scene) -> None:
    scene.submit()
    scene.say("FAILED")
    words = "slurmstepd: error: StepId=7.0 exceeded memory limit (2 > 1), being killed\nsrun: done\n"
    (Ledger(scene.store.root).folder("s").log / "7_1_0_log.err").write_text(words, encoding="utf-8")
    assert "exceeded memory limit (2 > 1)" in scene.status.reason


def test_what_the_files_say_is_newer_than_what_the_scheduler_said(scene: Scene) -> None:
    scene.submit()
    scene.say("PENDING")
    with scene.folder.lease():
        assert scene.status.state == "running"
    write_json(scene.folder.record_file, {})
    assert scene.status.state == "done"
    assert Observer(scene.store).evaluation(CELL, EVALUATION).state == "queued", "the job has that left to do"


def test_a_training_waits_for_its_turn_in_its_job(scene: Scene) -> None:
    scene.submit(with_it=1)
    scene.say("RUNNING")
    assert scene.status == Status("queued", "its job is running other trainings first", "7_1")


def test_a_failure_that_is_tried_again_is_none_while_its_job_lives(scene: Scene) -> None:
    scene.submit()
    scene.folder.fail(Failure(kind="RuntimeError", message="once more", retry=True))
    scene.say("RUNNING")
    assert scene.status.state == "running"
    scene.say("FAILED")
    assert scene.status.state == "failed"


def test_a_silent_scheduler_makes_nobody_dead(scene: Scene) -> None:
    scene.submit()
    scene.silent = True
    assert scene.status == Status("unknown", "the scheduler does not answer: squeue gave no answer", "7")
    assert Observer(scene.store).evaluation(CELL, EVALUATION).state == "unknown"
    with scene.folder.lease():
        assert scene.status.state == "running"
    scene.folder.fail(Failure(kind="DataError", message="no such file"))
    assert scene.status.state == "failed", "word of a failure needs no scheduler"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Sent(job="7"), "its job is over, and SLURM no longer knows how it ended"),
        (Sent(job=None, error="invalid partition"), "SLURM refused it: invalid partition"),
        (None, "its submission was interrupted before SLURM had it"),
    ],
)
def test_what_slurm_does_not_know_is_there_to_be_submitted(scene: Scene, sent: Sent | None, reason: str) -> None:
    scene.submit(sent)
    assert scene.status.state == "missing"
    assert scene.status.reason == reason
    write_json(scene.folder.checkpoint, {})
    assert scene.status.state == "interrupted"


def test_a_job_whose_submitter_was_killed_is_known_by_its_name(scene: Scene) -> None:
    scene.submit(None)
    scene.say("RUNNING")
    assert scene.status == Status("running", "", "7_1")


def test_an_evaluation_stands_by_its_own_files_first(scene: Scene) -> None:
    def status(**change: Any) -> str:
        return Observer(scene.store).evaluation(CELL, EVALUATION).state

    assert status() == "missing"
    write_json(scene.folder.checkpoint, {})
    assert status() == "missing", "an evaluation is not interrupted: it is there or it is not"
    folder = scene.store.evaluation(EVALUATION)
    folder.fail(Failure(kind="DataError", message="no boxes"))
    assert status() == "failed"
    write_json(folder.record_file, {})
    assert status() == "done"
