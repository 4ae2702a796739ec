"""A user of the cluster: suites, profiles and commands in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.execute.pool import Pool
from bench.files import sha256
from bench.planning.jobs import LocalOptions, local_jobs, local_slots
from bench.planning.plan import Plan, make_plan
from bench.store.documents import JobProgress
from bench.store.folders import Store, TrainingFolder
from bench.suite.schema import load_suite
from tests.slurm.cluster import wait_until
from tests.slurm.silence import SilentView

SUITE = """
name: {name}
title: Trainings of seconds
dataset: {{name: synthetic, train: train48, eval: val16}}
train:
  recipe: corrected
  axes:
    backbone: [simba_tiny]
    representation: [simdr]
    input_size: [64x64]
    seed: {seeds}
  set:
    - {{initialization: kaiming, epochs: {epochs}, milestones: [2], batch_size: 16, world_size: {world_size}}}
evaluate:
  - {{boxes: gt}}
tables:
  - {{id: tiny}}
"""

PROFILE = {"gpus_per_node": 1, "device": "cpu", "cpus_per_task": 1, "time": 10, "signal_delay": 30, "save_every": 0.5}


class Desk:
    """Commands are run here, with results in `results`."""

    def __init__(self, folder: Path, data_root: Path) -> None:
        self.folder = folder
        self.data_root = data_root
        self.results = folder / "results"
        self.store = Store(self.results)
        self.suite = folder / "suite.yaml"
        self.profile = folder / "profile.yaml"

    def write(
        self, *, name: str = "tiny", seeds: int = 1, epochs: int = 3, world_size: int = 1, **profile: Any
    ) -> None:
        """Write the suite and the profile."""
        text = SUITE.format(name=name, seeds=list(range(seeds)), epochs=epochs, world_size=world_size)
        self.suite.write_text(text, encoding="utf-8")
        self.write_profile(**profile)

    def write_profile(self, **profile: Any) -> None:
        """Write the profile."""
        self.profile.write_text(json.dumps(PROFILE | profile), encoding="utf-8")  # JSON is YAML

    def command(self, *arguments: object) -> list[str]:
        """`python -m bench` with arguments."""
        return [sys.executable, "-m", "bench", *map(str, arguments)]

    def run(self, *arguments: object) -> list[str]:
        """The command that submits the suite."""
        slurm = ("--executor", "slurm", "--profile", self.profile)
        return self.command("run", self.suite, *slurm, "--data-root", self.data_root, *arguments)

    def call(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.folder,
            env=os.environ | environment,
            check=False,
        )

    def submit(self, *arguments: object, **environment: str) -> str:
        """Submit the suite; what was printed."""
        done = self.call(self.run(*arguments), **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def plan(self) -> Plan:
        """The suite as it stands."""
        return make_plan(load_suite(self.suite), self.store)

    def folders(self) -> list[TrainingFolder]:
        """Of the suite's trainings."""
        return [self.store.training(training.spec.id) for training in self.plan().trainings]

    def states(self) -> list[str]:
        """Of the trainings and their evaluations."""
        return [part.state for training in self.plan().trainings for part in training.parts]

    def job(self, number: int = 0) -> str:
        """SLURM job of a training."""
        job = self.plan().trainings[number].status.job
        assert job is not None
        return job

    def await_training(self, number: int = 0, epoch: int = 2) -> JobProgress:
        """Wait until a training is in an epoch; its sign of life."""
        folder = self.folders()[number]
        wait_until(lambda: (beat := folder.job_progress()) and beat.epoch >= epoch, f"epoch {epoch} of {folder.path}")
        beat = folder.job_progress()
        assert beat is not None
        return beat

    def await_end(self, seconds: float = 240) -> None:
        """Wait until nothing is under way."""
        wait_until(
            lambda: not any(training.under_way for training in self.plan().trainings), f"end of {self.suite}", seconds
        )

    def assert_as_undisturbed(self) -> None:
        """Every cell is done, with the weights of a training that nothing disturbed, and none was trained twice."""
        assert set(self.states()) == {"done"}, [training.status for training in self.plan().trainings]
        for folder, expected in zip(self.folders(), self._undisturbed(), strict=True):
            assert sha256(folder.weights) == expected
            record = folder.record()
            assert record is not None
            assert [entry.epoch for entry in record.history] == list(range(record.spec.epochs))

    def _undisturbed(self) -> list[str]:
        """Hashes of the weights that the suite's trainings end with on this machine."""
        results = self.data_root / "undisturbed"  # shared by all tests
        plan = make_plan(load_suite(self.suite), Store(results))
        options = LocalOptions("cpu", threads=1)
        slots = local_slots(options, plan.trainings)
        jobs = local_jobs(plan, plan.trainings, options, data_root=self.data_root, results=results, slots=len(slots))
        Pool(jobs, SilentView(), slots=slots).run()
        return [sha256(Store(results).training(training.spec.id).weights) for training in plan.trainings]

    def leave(self) -> None:
        """End whatever is left of this desk's jobs."""
        if self.suite.exists():
            self.call(self.command("cancel", self.suite))
