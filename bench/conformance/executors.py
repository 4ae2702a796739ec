"""What every executor keeps to: a suite of seconds, run through it in a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import yaml

from bench.conformance.check import Check, NotApplicableError, require
from bench.planning.executors import EXECUTORS, Executor, RunRequest
from bench.planning.jobs import LocalOptions
from bench.planning.plan import Plan, PlannedTraining, make_plan
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.store.folders import Store
from bench.suite.schema import Suite, load_suite

__all__ = ["executor_checks"]

TRAIN, EVAL = 16, 8
"""Instances of the two splits."""

SUITE = {
    "name": "conformance",
    "title": "A training of seconds",
    "dataset": {"name": "synthetic", "train": f"train{TRAIN}", "eval": f"val{EVAL}"},
    "train": {
        "recipe": "corrected",
        "axes": {"backbone": ["simba_tiny"], "representation": ["heatmap"], "input_size": ["64x64"]},
        "set": [{"initialization": "kaiming", "epochs": 1, "milestones": [], "batch_size": 8, "replicas": 1}],
    },
    "evaluate": [{"boxes": "gt"}],
    "tables": [{"id": "conformance"}],
}

OPTIONS = LocalOptions(device="cpu", threads=1)
"""On every machine: the same number of threads gives the same bits."""


def executor_checks(name: str, profile: Path | None = None) -> Iterator[Check]:
    """All checks of a registered executor.

    Args:
        name: of the executor.
        profile: that it is given, for those that need one or may have one.
    """
    runs = _Runs(EXECUTORS[name], profile)
    checks = {
        _dry_run: "a dry run ends 0 and writes nothing",
        _run: "a run ends 0 with every training and evaluation done",
        _weights: "the weights are those that the local executor makes, to the bit",
        _repetition: "a second run ends 0 and has nothing to do",
    }
    for look, promise in checks.items():
        yield Check(look.__name__.strip("_").replace("_", " "), promise, partial(look, runs))


@dataclass
class _Runs:
    """An executor and the folders that it works in, which go when nobody holds this any more.

    They lie in the current folder where a profile sends jobs to other machines, which see no temporary ones.
    """

    executor: Executor
    profile: Path | None
    done: bool = False

    @cached_property
    def folder(self) -> Path:
        """With the suite and its data."""
        if self.executor.profile == "needed" and self.profile is None:
            raise NotApplicableError("it needs a profile; give --profile FILE")
        where = None if self.profile is None else Path.cwd()
        folder = Path(tempfile.mkdtemp(prefix="conform-", dir=where))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        (folder / "suite.yaml").write_text(yaml.safe_dump(SUITE), encoding="utf-8")
        for split, instances in ((f"train{TRAIN}", TRAIN), (f"val{EVAL}", EVAL)):
            generate(folder / "data" / "synthetic", split, SyntheticSet(instances=instances, seed=0), workers=1)
        return folder

    @cached_property
    def suite(self) -> Suite:
        return load_suite(self.folder / "suite.yaml")

    def results(self, which: str) -> Path:
        """Folder of results of runs of one kind."""
        return self.folder / which

    def plan(self, which: str) -> Plan:
        """Where a folder of results stands."""
        return make_plan(self.suite, Store(self.results(which)))

    def run(self, executor: Executor, which: str, *, dry: bool = False) -> int:
        """What `bench run --wait` does with the suite; its exit status."""

        def choose(plan: Plan) -> list[PlannedTraining]:
            return list(plan.unfinished)

        profile = self.profile if executor is self.executor else None
        data_root, results = self.folder / "data", self.results(which)
        request = RunRequest(lambda: self.plan(which), choose, data_root, results, OPTIONS, profile, True, dry)
        return executor.run(request)


def _dry_run(runs: _Runs) -> str:
    before = _contents(runs.folder)
    status = runs.run(runs.executor, "results", dry=True)
    require(status == 0, f"it ends {status}")
    written = sorted(_contents(runs.folder).keys() - before.keys())
    require(not written, f"it writes {', '.join(written[:3])}")
    return "nothing written"


def _run(runs: _Runs) -> str:
    status = runs.run(runs.executor, "results")
    plan = runs.plan("results")
    reasons = [part.status.reason for training in plan.trainings for part in training.parts if part.state != "done"]
    require(status == 0, f"it ends {status} {'; '.join(filter(None, reasons))}".strip())
    states = [part.state for training in plan.trainings for part in training.parts]
    require(set(states) == {"done"}, f"it ends 0, but what was to be done is {', '.join(states)}")
    runs.done = True
    return f"{len(states)} done"


def _weights(runs: _Runs) -> str:
    _needs_results(runs)
    status = runs.run(EXECUTORS["local"], "local")
    require(status == 0, f"the local executor ends {status}")
    found, expected = (_hash(runs, which) for which in ("results", "local"))
    require(found == expected, f"sha256 {found[:12]}, the local executor's {expected[:12]}")
    return f"sha256 {found[:12]}"


def _hash(runs: _Runs, which: str) -> str:
    (training,) = runs.plan(which).trainings
    record = Store(runs.results(which)).training(training.spec.id).record()
    assert record is not None, "it is done"
    return record.weights_sha256


def _repetition(runs: _Runs) -> str:
    _needs_results(runs)
    before = _records(runs)
    status = runs.run(runs.executor, "results")
    require(status == 0, f"it ends {status}")
    require(_records(runs) == before, "it makes anew what was done already")
    return f"{len(before)} records as they were"


def _needs_results(runs: _Runs) -> None:
    if not runs.done:
        raise NotApplicableError("there is no finished run")


def _records(runs: _Runs) -> dict[str, int]:
    names = ("training.json", "weights.pt", "record.json")
    return {name: at for name, at in _contents(runs.results("results")).items() if Path(name).name in names}


def _contents(folder: Path) -> dict[str, int]:
    """When each file and folder was last written, in ns, by its path within the folder."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}
