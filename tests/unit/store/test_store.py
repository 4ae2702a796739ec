"""The results folder: states, locks between processes, and documents that vouch for themselves."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from bench.files import StoreError
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store, TrainingFolder
from bench.store.leases import BusyError
from bench.store.provenance import Provenance
from bench.suite.specs import EvalSpec, TrainSpec
from tests.unit.suites import example_evaluation, example_training

PROCESSES = multiprocessing.get_context("fork")
PROVENANCE = Provenance(
    commit=None, dirty=None, versions={}, hardware={}, files={}, seed=0, command="bench run", started=0.0
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def training(tmp_path: Path) -> TrainSpec:
    return example_training(tmp_path)


@pytest.fixture
def evaluation(tmp_path: Path) -> EvalSpec:
    return example_evaluation(tmp_path)


def training_record(spec: TrainSpec) -> dict[str, Any]:
    record = TrainingRecord(
        id=spec.id, spec=spec, params=1, history=[], seconds=1, weights_sha256="", problems=[], provenance=PROVENANCE
    )
    return record.model_dump(mode="json")


def evaluation_record(spec: EvalSpec, training: TrainSpec) -> dict[str, Any]:
    record = Record(
        id=spec.id, spec=spec, training=training, metrics={"AP": 0.5}, baseline={}, instances=1, seconds=1, problems=[],
        provenance=PROVENANCE,
    )  # fmt: skip
    return record.model_dump(mode="json")


def write(file: Path, document: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document))


def test_records_come_back(store: Store, training: TrainSpec, evaluation: EvalSpec) -> None:
    one, other = store.training(training.id), store.evaluation(evaluation.id)
    assert one.record() is other.record() is None
    write(one.record_file, training_record(training))
    write(other.record_file, evaluation_record(evaluation, training))
    assert (one.record().spec, other.record().spec) == (training, evaluation)


def test_a_spec_is_stored_once_and_checked(store: Store, training: TrainSpec) -> None:
    folder = store.training(training.id)
    folder.save_spec(training)
    folder.save_spec(training)
    file = folder.path / "spec.json"
    assert TrainSpec.model_validate(json.loads(file.read_text())) == training
    write(file, json.loads(file.read_text()) | {"seed": 7})
    with pytest.raises(StoreError, match=r"spec\.json.* tampered"):
        folder.save_spec(training)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["spec"].update(split="other"),
        lambda record: record.update(id="0" * 12),
        lambda record: record["spec"].pop("split"),
        lambda record: record.update(surprise=1),
        lambda record: record.pop("provenance"),
        lambda record: record.update(seconds="long"),
    ],
    ids=["spec", "id", "incomplete spec", "unknown field", "missing field", "wrong type"],
)
def test_a_tampered_record_is_refused(change: Change, store: Store, training: TrainSpec, evaluation: EvalSpec) -> None:
    for folder, record in [
        (store.training(training.id), training_record(training)),
        (store.evaluation(evaluation.id), evaluation_record(evaluation, training)),
    ]:
        change(record)
        write(folder.record_file, record)
        with pytest.raises(StoreError, match=str(folder.record_file)):
            folder.record()


def test_a_record_of_another_training_is_refused(store: Store, training: TrainSpec, evaluation: EvalSpec) -> None:
    folder = store.evaluation(evaluation.id)
    write(folder.record_file, evaluation_record(evaluation, training.model_copy(update={"seed": 7})))
    with pytest.raises(StoreError, match="its training has id"):
        folder.record()


@pytest.mark.parametrize("contents", ['{"id": "', "[]", "3", ""])
def test_a_half_or_foreign_document_is_named(contents: str, store: Store, training: TrainSpec) -> None:
    folder = store.training(training.id)
    for file, read in [
        (folder.record_file, folder.record),
        (folder.progress_file, folder.job_progress),
        (folder.failure_file, folder.failure),
    ]:
        write(file, None)
        file.write_text(contents)
        with pytest.raises(StoreError, match=str(file)):
            read()


def _hold(folder: TrainingFolder, connection: Connection) -> None:
    with folder.lease():
        (folder.path / f".weights.pt.{os.getpid()}.partial").touch()
        connection.send("held")
        time.sleep(60)


def test_a_lease_excludes_other_processes_until_its_holder_is_killed(store: Store, training: TrainSpec) -> None:
    folder = store.training(training.id)
    here, there = PROCESSES.Pipe()
    holder = PROCESSES.Process(target=_hold, args=(folder, there))
    holder.start()
    assert here.poll(30)
    with pytest.raises(BusyError, match=training.id), folder.lease():
        pass
    leftovers = list(folder.path.glob(".*.partial"))
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with folder.lease(patience=5):
        assert leftovers
        assert not any(file.exists() for file in leftovers), "the next holder removes what the killed one left"


def test_an_error_under_the_lease_passes_through_and_releases_it(store: Store, training: TrainSpec) -> None:
    folder = store.training(training.id)
    with pytest.raises(TimeoutError, match="my own"), folder.lease():
        raise TimeoutError("my own")
    with folder.lease():
        pass


def test_a_results_folder_that_cannot_be_made_is_named(tmp_path: Path, training: TrainSpec) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match=r"cannot take the lease of .*file"),
        Store(tmp_path / "file").training(training.id).lease(),
    ):
        pass


def test_find_by_prefix(store: Store) -> None:
    for name in ("abc111", "abd222"):
        store.training(name).path.mkdir(parents=True)
    store.evaluation("abe333").path.mkdir(parents=True)
    assert store.find("abc").path == store.training("abc111").path
    assert store.find("abe333").path == store.evaluation("abe333").path
    for prefix, listed in [("ab", "abc111, abd222, abe333"), ("x", "none"), ("../", "none"), ("*c", "none")]:
        with pytest.raises(StoreError, match=f"it names {listed}"):
            store.find(prefix)


def test_find_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none"):
        Store(tmp_path / "absent").find("a")
