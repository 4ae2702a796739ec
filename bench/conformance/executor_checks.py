"""Checks of executors: a suite of seconds, run in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from bench.checks import Check, CheckList, NotApplicableError, require
from bench.planning.executors import Executor, RunRequest
from bench.planning.jobs import LocalOptions
from bench.planning.plan import Plan, make_plan
from bench.store.folders import Store
from bench.suite.schema import load_suite

SUITE = {
    "name": "conformance",
    "title": "A training of seconds",
    "dataset": {"name": "synthetic", "train": "train16", "eval": "val8"},
    "train": {
        "recipe": "corrected",
        "axes": {"backbone": ["simba_tiny"], "representation": ["heatmap"], "input_size": ["64x64"]},
        "set": [{"initialization": "kaiming", "epochs": 1, "milestones": [], "batch_size": 8, "replicas": 1}],
    },
    "evaluate": [{"boxes": "gt"}],
    "tables": [{"id": "conformance"}],
}

CHECKS = CheckList()


def executor_checks(executor: Executor, profile: Path | None = None) -> list[Check]:
    """All checks of an executor, with the profile that it is given, if it needs or may have one."""
    return CHECKS.of(_Trial(executor, profile))


@CHECKS.check()
def dry_run(trial: _Trial) -> str:
    """A dry run ends 0 and writes nothing."""
    before = set(trial.folder.rglob("*"))
    status = trial.run("results", dry=True)
    require(status == 0, f"it ends {status}")
    written = sorted(str(path.relative_to(trial.folder)) for path in set(trial.folder.rglob("*")) - before)
    require(not written, f"it writes {', '.join(written[:3])}")
    return "nothing written"


@CHECKS.check()
def run(trial: _Trial) -> str:
    """A run ends 0 with every training and evaluation done."""
    status = trial.run("results")
    parts = [part for training in trial.plan("results").trainings for part in training.parts]
    reasons = [part.status.reason for part in parts if part.state != "done" and part.status.reason]
    require(status == 0, f"it ends {status} {'; '.join(reasons)}".strip())
    states = [part.state for part in parts]
    require(set(states) == {"done"}, f"it ends 0, but what was to be done is {', '.join(states)}")
    return f"{len(states)} done"


@CHECKS.check()
def failure(trial: _Trial) -> str:
    """A run whose jobs cannot read their data does not end 0."""
    (trial.folder / "no_data").write_text("a file where jobs look for a folder", encoding="utf-8")
    status = trial.run("failed", data="no_data")
    require(status != 0, "it ends 0")
    return f"it ends {status}"


@dataclass
class _Trial:
    """An executor and its folder, which is removed with this object.

    With a profile the folder is in the current one, because other machines see no temporary folders of this one.
    """

    executor: Executor
    profile: Path | None

    @cached_property
    def folder(self) -> Path:
        if self.executor.profile == "needed" and self.profile is None:
            raise NotApplicableError("it needs a profile; give --profile FILE")
        folder = Path(tempfile.mkdtemp(prefix="conform-", dir=None if self.profile is None else Path.cwd()))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        (folder / "suite.yaml").write_text(yaml.safe_dump(SUITE), encoding="utf-8")
        return folder

    def plan(self, results: str) -> Plan:
        return make_plan(load_suite(self.folder / "suite.yaml"), Store(self.folder / results))

    def run(self, results: str, *, dry: bool = False, data: str = "data") -> int:
        """Exit status of `bench run --wait` with the suite."""
        request = RunRequest(
            plan=lambda: self.plan(results),
            choose=lambda plan: list(plan.unfinished),
            data_root=self.folder / data,
            results=self.folder / results,
            options=LocalOptions(device="cpu", threads=1),
            profile=self.profile,
            wait=True,
            dry_run=dry,
        )
        return self.executor.run(request)
