"""Weights & Biases and MLflow for real, without servers: what their folders hold, and that the training is the same."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.conformance.logger_checks import epochs, logger_checks
from bench.execute.job import Job, JobOutcome, Resources
from bench.execute.job_loggers import LoggerProcess, evaluation_name
from bench.execute.pool import job_context
from bench.files import sha256
from bench.store.folders import Store
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from tests.end_to_end.killed_jobs import run_whole
from tests.unit.conformance.verdicts import assert_kept

pytestmark = pytest.mark.integrations

SUITE = """
name: tiny
title: Tiny
dataset: {name: synthetic, train: train48, eval: val16}
train:
  recipe: corrected
  axes: {backbone: [simba_tiny], representation: [simdr], input_size: [64x64]}
  set: [{initialization: kaiming, epochs: 6, milestones: [4], batch_size: 4, selection: best, selection_split: val16}]
evaluate: [{boxes: gt, flip_test: [true, false]}]
tables: [{id: tiny}]
"""
NAMES = ("wandb", "mlflow", "tensorboard")
CURVES = ("loss", "learning_rate", "validation")
SERVERS = ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")


@pytest.fixture(autouse=True, scope="module")
def no_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As on a machine where nobody has logged in."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SERVERS:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        yield


def job_in(folder: Path, data_root: Path, names: tuple[str, ...], evaluations: int = 2) -> Job:
    (folder / "tiny.yaml").write_text(SUITE)
    (cell,) = expand(load_suite(folder / "tiny.yaml")).cells
    resources = Resources(
        data_root=data_root,
        results=folder / "results",
        device="cpu",
        threads=1,
        workers=0,
        save_every=0,
        loggers={name: folder / "logs" / name for name in names},
    )
    return Job(
        training=cell.training,
        evaluations=tuple(cell.evaluations)[:evaluations],
        resources=resources,
        command="bench run tiny.yaml",
    )


def run(job: Job, end: signal.Signals | None = None, after: int = 2) -> tuple[int | None, float]:
    """Do the job, with this signal in its n-th epoch; returns the exit status and the seconds after the signal."""
    # Started anew: a server of forks would have the environment of earlier tests.
    process = job_context().Process(target=run_whole, args=(job,))
    process.start()
    folder = Store(job.resources.results).training(job.id)
    while end is not None and process.is_alive():
        progress = folder.job_progress()
        if progress is not None and progress.pid == process.pid and progress.epoch >= after:
            assert process.pid is not None
            os.kill(process.pid, end)
            break
        time.sleep(0.005)
    started = time.monotonic()
    process.join(200)
    return process.exitcode, time.monotonic() - started


def weights(job: Job) -> str:
    return sha256(Store(job.resources.results).training(job.id).weights)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Job:
    """A job that was stopped and killed and went on, first with one of two evaluations."""
    folder = tmp_path_factory.mktemp("logged")
    job, whole = (job_in(folder, data_root, NAMES, evaluations) for evaluations in (1, 2))
    status, seconds = run(job, signal.SIGTERM, after=2)
    assert status == JobOutcome.STOPPED
    assert seconds < 30
    assert run(job, signal.SIGKILL, after=4)[0] == -signal.SIGKILL
    assert run(job)[0] == JobOutcome.DONE
    assert run(whole)[0] == JobOutcome.DONE
    return whole


def history(job: Job) -> list[dict[str, Any]]:
    record = Store(job.resources.results).training(job.id).record()
    assert record is not None
    return [entry.model_dump() for entry in record.history]


def measured(job: Job) -> dict[str, float]:
    """Metrics of all evaluations by the names that loggers give them."""
    records = [Store(job.resources.results).evaluation(spec.id).record() for spec in job.evaluations]
    return {
        f"{evaluation_name(record.spec)}/{name}": value
        for record in records
        if record is not None
        for name, value in record.metrics.items()
        if value is not None
    }


def test_weights_are_those_of_a_training_that_nobody_watched(logged: Job, tmp_path: Path, data_root: Path) -> None:
    plain = job_in(tmp_path, data_root, ())
    assert run(plain)[0] == JobOutcome.DONE
    assert weights(plain) == weights(logged)
    assert history(plain) == history(logged)


def wandb_records(file: Path) -> Iterator[Any]:
    """Records of a run's file, which is a log as LevelDB writes it: blocks of 32 KiB of pieces of records."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:  # complete, or the last piece
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def wandb_runs(folder: Path) -> list[dict[str, Any]]:
    """Id, history, summary and configuration of each offline run, in order of time."""
    found = []
    for file in sorted(folder.glob("offline-run-*/*.wandb")):
        run: dict[str, Any] = {"history": [], "summary": {}, "config": {}}
        for record in wandb_records(file):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run |= {"id": record.run.run_id, "project": record.run.project}
            elif kind in {"summary", "config"}:
                run[kind] |= {item.key: json.loads(item.value_json) for item in getattr(record, kind).update}
            elif kind == "history":
                run["history"].append(
                    {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
                )
        found.append(run)
    return found


def test_wandb_holds_curves_settings_and_metrics(logged: Job) -> None:
    folder = logged.resources.loggers["wandb"]
    runs = [run for run in wandb_runs(folder) if "id" in run]  # that of a job that was killed at once may be empty
    assert len(runs) >= 2, "each job that got so far makes a folder"
    assert {(run["id"], run["project"]) for run in runs} == {(logged.id, "bench")}
    last = runs[-1]
    assert [entry["_step"] for entry in last["history"]] == list(range(6)), "the last folder has all epochs, once each"
    for name in CURVES:
        assert [entry[name] for entry in last["history"]] == pytest.approx([entry[name] for entry in history(logged)])
    assert {name: value for name, value in last["summary"].items() if "/" in name} == pytest.approx(measured(logged))
    config = last["config"]
    assert (config["codec.split_ratio"], config["seed"]) == (logged.training.codec["split_ratio"], 0)
    assert config["command"] == "bench run tiny.yaml"
    assert config["provenance"]["package"]
    log = Store(logged.resources.results).training(logged.id).log.read_text()
    assert f"logger wandb: offline in {folder}, as it cannot log in" in log
    assert "the training goes on without it" not in log


def test_mlflow_holds_one_run_without_a_point_twice(logged: Job) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(logged.resources.loggers["mlflow"].as_uri())
    experiment = client.get_experiment_by_name("bench")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", logged.title)
    assert run.data.tags["bench.training"] == logged.id
    assert run.data.tags["bench.command"] == "bench run tiny.yaml"
    assert run.data.tags["bench.package"]
    for name in CURVES:
        points = client.get_metric_history(run.info.run_id, name)
        assert [point.step for point in points] == list(range(6))
        assert [point.value for point in points] == pytest.approx([entry[name] for entry in history(logged)])
    for name, value in measured(logged).items():
        (point,) = client.get_metric_history(run.info.run_id, name.replace("@", "_"))
        assert point.value == pytest.approx(value)
    assert run.data.params["codec.split_ratio"] == str(logged.training.codec["split_ratio"])
    assert len([name for name in run.data.params if name.endswith("/flip_test")]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_they_keep_to_what_is_asked_of_loggers(name: str) -> None:
    assert all(result.verdict == "ok" for result in assert_kept(logger_checks(name)))


def finished(folder: Path, name: str, *ids: str, seconds: float = 120) -> list[str]:
    """What processes of a logger say, started at once and told of trainings."""
    about = {"title": "t", "settings": {}, "command": "c", "provenance": {}, "folder": str(folder / name)}
    processes = [LoggerProcess(name, {"id": id_, **about}, None) for id_ in ids]
    said: list[str] = []
    for process in processes:
        for message in (*epochs(3), {"end": "done"}):
            process.tell(message)
    deadline = time.monotonic() + seconds
    while processes and time.monotonic() < deadline:
        for process in list(processes):
            words, ended = process.pump()
            said += words
            if ended:
                processes.remove(process)
                process.kill()
        time.sleep(0.05)
    assert not processes, f"{name} did not end: {said}"
    return said


def test_trainings_that_start_at_once_share_an_experiment(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    assert finished(tmp_path, "mlflow", "1" * 12, "2" * 12, "3" * 12) == []
    client = MlflowClient((tmp_path / "mlflow").as_uri())
    (experiment,) = [found for found in client.search_experiments() if found.name == "bench"]
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_a_server_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B goes offline. MLflow has nowhere else to go."""
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    (said,) = finished(tmp_path, "wandb", "1" * 12)
    assert said.startswith(f"offline in {tmp_path}/wandb, as it cannot log in or reach its server: ")
    (run,) = [run for run in wandb_runs(tmp_path / "wandb") if run["history"]]
    assert [entry["_step"] for entry in run["history"]] == [0, 1, 2]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    (said,) = finished(tmp_path, "mlflow", "1" * 12)
    assert said.startswith("MlflowException: ")
    assert said.endswith("; the training goes on without it")


def test_wandb_is_as_the_user_configured_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert finished(tmp_path, "wandb", "1" * 12) == []
    assert not list(tmp_path.glob("wandb/offline-run-*"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    assert finished(tmp_path, "wandb", "1" * 12) == []
    (run,) = wandb_runs(tmp_path / "elsewhere" / "wandb")
    assert (run["project"], len(run["history"])) == ("mine", 3)
