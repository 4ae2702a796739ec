"""One small cell, its weights when nothing goes wrong, and runs in which something does at a chosen moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SUITE = """
name: cell
title: Cell
dataset: {name: synthetic, train: train48, eval: val16}
train:
  recipe: corrected
  axes:
    backbone: [simba_tiny]
    representation: [simdr]
    input_size: [64x64]
  set:
    - {initialization: kaiming, epochs: 3, milestones: [2], batch_size: 16}
evaluate:
  - {boxes: gt}
tables:
  - {id: cell}
"""

STRIKE = Path(__file__).parent / "strike"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Fault:
    """A shell command, run when a job opens a file with `at` in its path for the so many-th time."""

    command: str
    at: str
    times: int = 1


def environment(fault: Fault | None = None) -> dict[str, str]:
    """Of processes in which a fault strikes."""
    found = os.environ | {"PYTHONPATH": os.pathsep.join([str(STRIKE), str(ROOT)])}
    return found | {"FAULT": fault.command, "FAULT_AT": fault.at, "FAULT_TIMES": str(fault.times)} if fault else found


@dataclass(frozen=True)
class Bench:
    """`python -m bench` with a suite, a data root and a results folder, a checkpoint after every step."""

    suite: Path
    data_root: Path
    results: Path

    def start(self, command: str, *options: object, fault: Fault | None = None, **kwargs: Any) -> subprocess.Popen[str]:
        """Start `run`, `retry` or anything else that takes a suite."""
        arguments: list[object] = [self.suite, "--results", self.results, *options]
        if command in {"run", "retry"}:
            arguments += ["--data-root", self.data_root, "--threads", 1, "--save-every", 0, "--device", "cpu"]
        return subprocess.Popen(
            [*kwargs.pop("prefix", ()), sys.executable, "-m", "bench", command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(fault) | kwargs.pop("env", {}),
            cwd=self.suite.parent,
            **kwargs,
        )

    def __call__(self, command: str, *options: object, ends: int = 0, **kwargs: Any) -> str:
        """Run it to the end; what it prints, which is no traceback."""
        process = self.start(command, *options, **kwargs)
        said, _ = process.communicate(timeout=180)
        assert process.returncode == ends, said
        assert "Traceback" not in said
        return said

    def training(self) -> Path:
        """Folder of the one training."""
        (folder,) = self.results.glob("trainings/*")
        return folder

    def failure(self) -> dict[str, Any]:
        """The one that is stored."""
        (file,) = self.results.rglob("failure.json")
        return json.loads(file.read_text())

    def weights(self) -> str:
        """The sha256 of those that a whole results folder holds: every record is there and nothing is left over."""
        left = [
            file.name for file in self.results.rglob("*") if file.suffix == ".partial" or file.name == "failure.json"
        ]
        assert left == []
        assert len(list(self.results.glob("evaluations/*/record.json"))) == 1
        return json.loads((self.training() / "training.json").read_text())["weights_sha256"]


@pytest.fixture
def bench(tmp_path: Path, data_root: Path) -> Bench:
    suite = tmp_path / "cell.yaml"
    suite.write_text(SUITE)
    return Bench(suite, data_root, tmp_path / "results")


@pytest.fixture(scope="package")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> str:
    """The sha256 of the weights when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    suite = folder / "cell.yaml"
    suite.write_text(SUITE)
    bench = Bench(suite, data_root, folder / "results")
    bench("run")
    return bench.weights()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for what the cell needs, and not much more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--recursive", str(folder)], check=True)
