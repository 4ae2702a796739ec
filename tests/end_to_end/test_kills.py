"""A job killed anywhere and started again ends with the same bits as one that was never killed."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch

from bench.execute.job import Job, JobOutcome, Resources
from bench.execute.pool import job_context
from bench.files import sha256
from bench.planning.status import Observer
from bench.pose.checkpoints import load_file
from bench.store.folders import Store
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from tests.end_to_end.conftest import SUITE
from tests.end_to_end.killed_jobs import run_until_file_event, run_whole

KILLS = 20
EVALUATION_KILLS = 3
"""Of them at least, between the end of training and the record."""

context = job_context()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`SUITE` with an epoch more, at a lower learning rate."""
    file = tmp_path_factory.mktemp("suite") / "tiny.yaml"
    file.write_text(SUITE.replace("epochs: 1, milestones: []", "epochs: 2, milestones: [1]"))
    return file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, suite: Path, data_root: Path) -> str:
    """The sha256 of the weights when nothing goes wrong."""
    job = job_in(tmp_path_factory.mktemp("undisturbed"), suite, data_root)
    finish(job)
    return weights(job)


def job_in(results: Path, suite: Path, data_root: Path, save_every: float = 0) -> Job:
    """The SimDR cell of the suite, with a checkpoint after every step if nothing else is said."""
    cell = expand(load_suite(suite)).cells[1]
    resources = Resources(
        data_root=data_root, results=results, device="cpu", threads=1, workers=0, save_every=save_every
    )
    return Job(training=cell.training, evaluations=cell.evaluations, resources=resources, command="test")


def phase(job: Job) -> str:
    """Where the job stands in the store."""
    store = Store(job.resources.results)
    if store.training(job.training.id).record() is None:
        return "training"
    return "evaluating" if store.evaluation(job.evaluations[0].id).record() is None else "done"


def assert_whole(results: Path) -> None:
    """Every file that bears its final name is complete."""
    for file in results.rglob("*.json"):
        if not file.name.startswith("."):
            json.loads(file.read_text())
    for file in results.rglob("*.pt"):
        if not file.name.startswith("."):
            load_file(file)


def weights(job: Job) -> str:
    return sha256(Store(job.resources.results).training(job.training.id).weights)


def kill_once(job: Job, rng: random.Random, span: float) -> bool:
    """Start the job and kill it within `span` seconds or before a random file operation; whether the kill hit."""
    if rng.random() < 0.5:
        process = context.Process(target=run_until_file_event, args=(job, rng.randint(1, 60)))
        process.start()
    else:
        process = context.Process(target=run_whole, args=(job,))
        process.start()
        process.join(rng.uniform(0, span))
        process.kill()
    process.join(120)
    assert process.exitcode in (-signal.SIGKILL, JobOutcome.DONE)
    return process.exitcode == -signal.SIGKILL


def wait_for_job_progress(job: Job, process: ForkServerProcess) -> None:
    folder = Store(job.resources.results).training(job.training.id)
    while process.is_alive():
        job_progress = folder.job_progress()
        if job_progress is not None and job_progress.pid == process.pid:
            return
        time.sleep(0.02)


def finish(job: Job, outcome: JobOutcome = JobOutcome.DONE) -> None:
    process = context.Process(target=run_whole, args=(job,))
    process.start()
    process.join(120)
    assert process.exitcode == outcome


def test_killed_at_twenty_random_moments(tmp_path: Path, suite: Path, data_root: Path, undisturbed: str) -> None:
    started = time.monotonic()
    finish(job_in(tmp_path / "timed", suite, data_root))
    span = time.monotonic() - started

    rng, hit, generation = random.Random(0), Counter[str](), 0
    job = job_in(tmp_path / "killed0", suite, data_root)
    while hit.total() < KILLS or hit["evaluating"] < EVALUATION_KILLS:
        if kill_once(job, rng, span):
            hit[phase(job)] += 1
        assert_whole(job.resources.results)
        if phase(job) == "done":
            assert weights(job) == undisturbed
            generation += 1
            job = job_in(tmp_path / f"killed{generation}", suite, data_root)
    finish(job)

    assert weights(job) == undisturbed
    assert hit["training"] >= EVALUATION_KILLS
    assert_whole(job.resources.results)
    assert not list(job.resources.results.rglob("*.partial")), "temporary files are cleared by whoever takes over"


def test_asked_to_stop_it_saves_and_goes_on_later(
    tmp_path: Path, suite: Path, data_root: Path, undisturbed: str
) -> None:
    """It has no checkpoint but those that it saves when it is asked to stop.

    Asked before the last step of an epoch, it stops in the validation after it and does that step again, so that early
    stops alone never end.
    """
    job = job_in(tmp_path / "stopped", suite, data_root, save_every=1e9)
    folder = Store(job.resources.results).training(job.id)
    stops, saved = 0, False
    while phase(job) == "training" and stops < 8:
        process = context.Process(target=run_whole, args=(job,))
        process.start()
        wait_for_job_progress(job, process)
        process.terminate()
        process.join(120)
        assert process.exitcode in (JobOutcome.STOPPED, JobOutcome.DONE, -signal.SIGTERM)
        stops += process.exitcode == JobOutcome.STOPPED
        saved |= folder.checkpoint.exists()
    assert stops
    assert saved
    finish(job)
    assert weights(job) == undisturbed


def test_only_the_build_that_began_it_goes_on(tmp_path: Path, suite: Path, data_root: Path) -> None:
    """Elsewhere it fails in words, keeps its checkpoint, and stays as it is until the right build comes."""
    job = job_in(tmp_path / "results", suite, data_root)
    folder = Store(job.resources.results).training(job.id)
    while not folder.checkpoint.exists():
        process = context.Process(target=run_whole, args=(job,))
        process.start()
        wait_for_job_progress(job, process)
        process.terminate()
        process.join(120)
    own = folder.checkpoint.read_bytes()
    contents = load_file(folder.checkpoint)
    contents["build"]["torch"] = "2.11.0+cu130"
    torch.save(contents, folder.checkpoint)
    other = folder.checkpoint.read_bytes()
    finish(job, JobOutcome.FAILED)
    status = Observer(Store(job.resources.results)).training(job.id)
    assert status.state == "failed"
    assert "begun with torch 2.11.0+cu130; here: torch" in status.reason
    assert folder.checkpoint.read_bytes() == other
    folder.checkpoint.write_bytes(own)
    finish(job)
