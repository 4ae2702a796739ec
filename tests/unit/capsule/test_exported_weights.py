"""Weights of a training as safetensors: the same numbers, with what they are; and what has no weights is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench.capsule.exported_weights import export_weights
from bench.execute.training_job import network
from bench.files import StoreError, sha256, write_json
from bench.pose.checkpoints import load_weights, read_metadata
from bench.store.documents import TrainingRecord
from bench.store.folders import Store
from bench.suite.specs import TrainSpec
from tests.bad_inputs.case import run
from tests.unit.records import PROVENANCE
from tests.unit.suites import SUITE, example_training


def finished(folder: Path, *, seed: int = 0, simulated: bool = False) -> tuple[Store, TrainSpec]:
    """A store with a training that has weights."""
    store = Store(folder / "results")
    training = example_training(folder, backbone="simba_tiny", seed=seed)
    kept = store.training(training.id)
    kept.save_spec(training)
    torch.save(network(training).state_dict(), kept.weights)
    record = TrainingRecord(
        id=training.id,
        spec=training,
        params=1,
        history=[],
        seconds=1.0,
        weights_sha256=sha256(kept.weights),
        problems=[],
        provenance=PROVENANCE,
        simulated=simulated,
    )
    write_json(kept.record_file, record.model_dump(mode="json"))
    return store, training


def test_weights_come_back_as_they_are_and_say_what_they_are(tmp_path: Path) -> None:
    store, training = finished(tmp_path)
    file = tmp_path / "out.safetensors"
    assert export_weights(store, training.id[:6], file) == training.id
    own, other = network(training), network(training)
    load_weights(own, store.training(training.id).weights)
    load_weights(other, file)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in own.state_dict().items())
    said = read_metadata(file)
    assert (said["backbone"], said["representation"], said["input_size"]) == ("simba_tiny", "simdr", "64x64")
    assert (said["training"], said["weights_sha256"]) == (
        training.id,
        sha256(store.training(training.id).weights),
    )
    assert TrainSpec.model_validate_json(said["spec"]) == training
    assert json.loads(said["spec"])["codec"]["split_ratio"] == 3


def test_a_training_without_its_weights_is_refused(tmp_path: Path) -> None:
    store, training = finished(tmp_path, simulated=True)
    out = tmp_path / "out.safetensors"
    with pytest.raises(StoreError, match=r"has no weights: it is made up"):
        export_weights(store, training.id, out)
    store, training = finished(tmp_path)
    store.training(training.id).weights.write_bytes(b"others")
    with pytest.raises(StoreError, match=r"weights\.pt does not hold the weights in .*training\.json"):
        export_weights(store, training.id, out)
    store.training(training.id).record_file.unlink()
    with pytest.raises(StoreError, match=r"has no weights: it is not finished"):
        export_weights(store, training.id, out)
    assert not out.exists()


def test_messages_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store, training = finished(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    for command, status, says in (
        ("export suite.yaml", 2, "--out, --weights"),
        ("export suite.yaml --weights out.pt", 2, "writes safetensors"),
        ("export suite.yaml --weights out.safetensors", 3, "and 0 of those selected are finished; choose one by"),
        ("export ffffffffffff --weights out.safetensors", 3, "must name one training or evaluation; it names none"),
        (f"export {training.id} --weights out.safetensors", 0, f"weights of training {training.id}"),
    ):
        found, said = run(command)
        assert (found, says in said) == (status, True), said
    assert store.root.name == "results"
