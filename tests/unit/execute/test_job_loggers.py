"""What a job tells its loggers, and that nothing that they do reaches it."""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.execute import job_loggers
from bench.execute.job import Job, Resources
from bench.execute.job_loggers import JobLoggers, evaluation_name, flat
from bench.execute.logger import LOGGERS
from bench.execute.loggers import logger_folders
from bench.extensions import Extensions
from bench.pose.errors import BenchError
from bench.store.folders import EvaluationFolder, Store, TrainingFolder
from bench.suite.specs import EvalSpec
from tests.unit.execute import faulty_loggers
from tests.unit.execute.faulty_loggers import FAULTS
from tests.unit.suites import example_evaluation, example_training

ROOT = Path(__file__).parents[3]
HISTORY = [{"epoch": epoch, "loss": 3.0 - epoch, "learning_rate": 0.1, "instances": 8} for epoch in range(3)]
HANGS = [name for name in FAULTS if name.startswith("hangs")]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The faulty loggers are there for a test only."""
    for name in ("_entries", "_modules"):
        monkeypatch.setattr(LOGGERS, name, dict(getattr(LOGGERS, name)))
    for name in [name for name in LOGGERS if LOGGERS.origin(name) == faulty_loggers.__name__]:
        del LOGGERS._entries[name]
    importlib.reload(faulty_loggers)


def job_with(folder: Path, names: Iterable[str]) -> tuple[Job, TrainingFolder]:
    resources = Resources(
        data_root=folder,
        results=folder / "results",
        device="cpu",
        threads=1,
        workers=0,
        save_every=60.0,
        loggers={name: folder / "logs" / name for name in names},
    )
    training = example_training(folder)
    extensions = Extensions(folder=ROOT)
    job = Job(training=training, evaluations=(), resources=resources, command="run it", extensions=extensions)
    return job, Store(resources.results).training(job.id)


def evaluated(spec: EvalSpec, **metrics: float | None) -> EvaluationFolder:
    record = SimpleNamespace(spec=spec, metrics=metrics)
    return cast(EvaluationFolder, SimpleNamespace(record=lambda: record))


def told(folder: Path, name: str) -> list[list[Any]]:
    """What each of the processes of a logger was told, in order of time."""
    return [json.loads(file.read_text()) for file in sorted((folder / "logs" / name).glob("*.json"))]


def test_a_logger_is_told_everything_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    job, folder = job_with(tmp_path, ["sound", "is_talkative"])
    job = job.model_copy(update={"command": "run \udcff it"})  # a folder's name that is no text
    spec = example_evaluation(tmp_path)
    loggers = JobLoggers(job, folder)
    for count in (1, 1, 2, 3, 3):
        loggers.follow(HISTORY[:count])
    loggers.evaluated(evaluated(spec, AP=0.5, APM=None))
    loggers.evaluated(evaluated(spec, AP=None))
    loggers.end("done")

    ((about, *epochs, (name, metrics, settings), outcome),) = told(tmp_path, "sound")
    assert (about["id"], about["title"], about["command"]) == (job.id, job.title, "run ? it")
    assert about["settings"]["codec.split_ratio"] == job.training.codec["split_ratio"]
    assert json.loads(about["settings"]["milestones"]) == list(job.training.milestones)
    assert about["settings"].keys() >= {"seed", "learning_rate", "weights"}
    assert about["provenance"].keys() >= {"package", "versions.torch", "hardware.device"}
    assert epochs == [[entry["epoch"], {"loss": entry["loss"], "learning_rate": 0.1}] for entry in HISTORY]
    assert (name, metrics, settings["boxes"]) == (evaluation_name(spec), {"AP": 0.5}, "gt")
    assert outcome == "done"

    warnings = folder.logger_warnings()
    assert warnings is not None
    assert (warnings.pid, warnings.messages) == (os.getpid(), ["logger is_talkative: offline, as ever"])
    said = capfd.readouterr()
    assert said.err.count("logger is_talkative: offline, as ever\n") == 1
    assert said.err.count("printed by a logger") == 2, "what loggers print goes to the training's log"
    assert "printed by" not in said.out
    assert "BENCH_STRAY" not in os.environ


def test_no_fault_of_a_logger_reaches_the_job(tmp_path: Path) -> None:
    faults = {name: message for name, message in FAULTS.items() if name not in HANGS}
    job, folder = job_with(tmp_path, ["sound", *faults])
    handler, state = signal.getsignal(signal.SIGTERM), random.getstate()
    loggers = JobLoggers(job, folder)
    for count in range(1, 4):
        loggers.follow(HISTORY[:count])
    loggers.evaluated(evaluated(example_evaluation(tmp_path), AP=0.5))
    loggers.end("failed")

    warnings = folder.logger_warnings()
    assert warnings is not None
    assert sorted(warnings.messages) == sorted(
        f"logger {name}: {message}; the training goes on without it" for name, message in faults.items()
    )
    assert told(tmp_path, "sound")[0][-1] == "failed"
    assert (signal.getsignal(signal.SIGTERM), random.getstate()) == (handler, state)


def test_hanging_loggers_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_loggers, "PATIENCE", 1.0)
    job, folder = job_with(tmp_path, HANGS)
    loggers = JobLoggers(job, folder)
    started = time.monotonic()
    loggers.follow(HISTORY)
    loggers.follow([{**HISTORY[0], "epoch": epoch} for epoch in range(5000)])  # more than a pipe holds
    assert time.monotonic() - started < 10, "telling never waits"
    loggers.end("done")
    warnings = folder.logger_warnings()
    assert warnings is not None
    assert warnings.messages == [f"logger {name}: {FAULTS[name]}" for name in HANGS]


def test_a_job_that_must_stop_waits_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_loggers, "SHORT_PATIENCE", 0.2)
    job, folder = job_with(tmp_path, ["hangs_at_start"])
    for outcome, hurried in (("stopped", False), ("failed", False), ("done", True)):
        loggers = JobLoggers(job, folder)
        loggers.follow([])
        started = time.monotonic()
        loggers.end(cast(Any, outcome), lambda hurried=hurried: hurried)
        assert time.monotonic() - started < 10


def test_many_epochs_at_once_arrive(tmp_path: Path) -> None:
    """A training that goes on tells all its epochs while the process still starts."""
    job, folder = job_with(tmp_path, ["sound"])
    loggers = JobLoggers(job, folder)
    loggers.follow([{**HISTORY[0], "epoch": epoch} for epoch in range(5000)])
    loggers.end("done")
    ((_, *epochs, outcome),) = told(tmp_path, "sound")
    assert [epoch for epoch, _ in epochs] == list(range(5000))
    assert outcome == "done"


def test_a_job_that_dies_leaves_no_logger(tmp_path: Path) -> None:
    job, folder = job_with(tmp_path, ["sound"])
    pid = os.fork()
    if not pid:
        loggers = JobLoggers(job, folder)
        loggers.follow(HISTORY)
        while not (tmp_path / "logs" / "sound").exists():  # it has started
            loggers.follow(HISTORY)
        os._exit(0)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + 60
    while not told(tmp_path, "sound") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert told(tmp_path, "sound")[0][-1] == "killed"


@pytest.mark.parametrize("fault", [OSError(11, "no more processes"), RuntimeError("odd")], ids=["system", "other"])
def test_a_process_that_cannot_start_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(job_loggers, "LoggerProcess", refuse)
    job, folder = job_with(tmp_path, ["sound"])
    loggers = JobLoggers(job, folder)
    loggers.follow(HISTORY)
    loggers.evaluated(evaluated(example_evaluation(tmp_path), AP=0.5))
    loggers.end("done")
    warnings = folder.logger_warnings()
    assert warnings is not None
    assert warnings.messages == [f"logger sound: {type(fault).__name__}: {fault}; the training goes on without it"]


def test_no_place_for_a_warning_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(StringIO):
        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

    job, folder = job_with(tmp_path, ["fails_at_start", "is_talkative"])
    folder.path.mkdir(parents=True)
    folder.logger_warnings_file.mkdir()  # cannot be written
    monkeypatch.setattr(sys, "stderr", Closed())
    loggers = JobLoggers(job, folder)
    loggers.follow(HISTORY)
    loggers.end("done")
    assert told(tmp_path, "is_talkative")[0][-1] == "done"


def test_other_ranks_and_jobs_without_loggers_start_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_loggers, "start_process", lambda *_: pytest.fail("a process was started"))
    for names, active in (((), True), (("sound",), False)):
        job, folder = job_with(tmp_path, names)
        loggers = JobLoggers(job, folder, active=active)
        loggers.follow(HISTORY)
        loggers.trained()
        loggers.evaluated(evaluated(example_evaluation(tmp_path), AP=0.5))
        loggers.end("done")
        assert folder.logger_warnings() is None


def test_names_of_evaluations_tell_them_apart(tmp_path: Path) -> None:
    spec = example_evaluation(tmp_path)
    others = [
        spec.model_copy(update=change)
        for change in ({}, {"flip_test": not spec.flip_test}, {"boxes": "detector"}, {"split": "test-dev 1/2"})
    ]
    names = [evaluation_name(other) for other in others]
    assert len(set(names)) == len(others)
    assert names[0] == f"val2017-gt-flip-{spec.id[:8]}"
    assert all(set(name) <= set("-_") or name.replace("-", "").replace("_", "").isalnum() for name in names)


def test_settings_are_flat() -> None:
    assert flat({"a": 1, "b": {"c": None, "d": {"e": [1, "x"]}}}) == {"a": 1, "b.c": None, "b.d.e": '[1, "x"]'}


def test_names_and_packages_are_checked_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert logger_folders(["tensorboard", "tensorboard"], tmp_path) == {"tensorboard": tmp_path / "tensorboard"}
    assert logger_folders([], tmp_path) == {}
    with pytest.raises(BenchError, match=r"unknown logger .tensorbord.*tensorboard"):
        logger_folders(["tensorbord"], tmp_path)
    # A folder of the package's name, such as W&B makes, is no package.
    (tmp_path / "bench_needs_no_such_module").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BenchError) as refused:
        logger_folders(["not_installed"], tmp_path)
    assert str(refused.value) == (
        "--logger not_installed needs the package bench_needs_no_such_module: pip install 'simdr-bench[such]'"
    )


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_the_extras_of_the_built_in_ones_are_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BenchError, match=rf"--logger {name} needs .*pip install 'simdr-bench\[{name}\]'"):
        logger_folders([name], Path("logs"))
