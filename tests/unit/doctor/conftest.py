"""A sound installation, for its doctor."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.files import sha256, write_json
from bench.pose.models import weights as weights_files
from bench.pose.models.weights_file import WeightsFile
from bench.pose.torchvision_shim import torchvision_models
from bench.store.folders import Store
from tests.unit.store.test_store import evaluation_record, training_record
from tests.unit.suites import example_evaluation, example_training
from tests.unit.tiny_datasets import coco_test_dev, crowdpose, mpii

PARTITIONS = "echo long; echo short"
PROFILE = "partition: short\ntime: 60\n"


@dataclass
class Installation:
    """Folders of a sound one."""

    data: Path
    results: Path
    profile: Path
    commands: Path
    training: str
    evaluation: str

    def call(self, *options: str) -> Result:
        folders = ["--data-root", str(self.data), "--results", str(self.results), "--profile", str(self.profile)]
        return CliRunner().invoke(app, ["doctor", *folders, *options])

    def command(self, name: str, script: str) -> None:
        file = self.commands / name
        file.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        file.chmod(0o755)

    @property
    def record(self) -> Path:
        return Store(self.results).evaluation(self.evaluation).record_file


@pytest.fixture(scope="module", autouse=True)
def imports() -> None:
    """What checks import takes a second; processes that this one forks have it already."""
    torchvision_models()
    import_module("bench.execute.training_job")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("doctor") / "data"
    crowdpose(root / "crowdpose")
    mpii(root / "mpii")
    coco_test_dev(root / "coco")
    (root / "imagenet").mkdir()
    (root / "imagenet" / "small.pth").write_bytes(b"weights")
    packed = CliRunner().invoke(app, ["data", "pack", "crowdpose", "test", "--data-root", str(root), "--workers", "1"])
    assert packed.exit_code == 0, packed.output
    return root


@pytest.fixture
def sound(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Three datasets, one of them packed, an ImageNet classifier, a training with an evaluation, and a cluster."""
    root = tmp_path / "data"
    shutil.copytree(data, root)  # with the times of modification, which packed images know
    weights = root / "imagenet" / "small.pth"
    name = f"small-{sha256(weights)[:8]}.pth"
    weights.rename(root / "imagenet" / name)
    file = WeightsFile.at(f"https://models.example/{name}")
    monkeypatch.setattr(weights_files, "IMAGENET_FILES", {"simba_res18": file})

    training = example_training(tmp_path)
    evaluation = example_evaluation(tmp_path)
    store = Store(tmp_path / "results")
    annotations = root / "coco" / "annotations" / "person_keypoints_train2017.json"
    made = training_record(training)
    made["provenance"]["files"] = {annotations.name: sha256(annotations)}
    write_json(store.training(training.id).record_file, made)
    write_json(store.evaluation(evaluation.id).record_file, evaluation_record(evaluation, training))

    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE)
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    made_here = Installation(root, tmp_path / "results", profile, commands, training.id, evaluation.id)
    for command, script in (("sbatch", ""), ("sinfo", PARTITIONS), ("sacct", "")):
        made_here.command(command, script)
    return made_here
