"""The command line that makes a training again."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from bench.execute.job import Resources
from bench.planning import jobs
from bench.planning.jobs import LocalOptions, make_job
from bench.planning.plan import make_plan, parse_selection
from bench.store.folders import Store
from tests.unit.suites import load


def test_it_selects_the_training_alone_whichever_settings_it_has(tmp_path: Path) -> None:
    suite = load(tmp_path, ("[64x64]", "[64x64]\n    split_ratio: [1.5, 2]\n    upsample: [true]"))
    store = Store(tmp_path / "results")
    resources = Resources(
        data_root=tmp_path / "my data", results=store.root, device="cpu", threads=1, workers=0, save_every=60
    )
    for training in make_plan(suite, store).trainings:
        words = shlex.split(make_job(make_plan(suite, store), training, resources).command)
        assert words[:4] == ["python", "-m", "bench", "run"]
        assert words[words.index("--data-root") + 1] == str(tmp_path / "my data")
        assert words[words.index("--results") + 1] == str(store.root)
        chosen = [value for option, value in pairwise(words) if option == "--only"]
        (found,) = make_plan(suite, store, parse_selection(chosen, suite)).trainings
        assert found.spec == training.spec


def test_titles_tell_the_trainings_of_a_suite_apart(tmp_path: Path) -> None:
    """By the axes with several values that they have; a heatmap has no splitting factor."""
    suite = load(tmp_path, ("[64x64]", "[64x64]\n    split_ratio: [1.5, 2]\n    upsample: [true]\n    epochs: [3, 7]"))
    store = Store(tmp_path / "results")
    resources = Resources(
        data_root=tmp_path, results=store.root, device="cpu", threads=1, workers=0, save_every=60
    )  # fmt: skip
    plan = make_plan(suite, store)
    titles = [make_job(plan, training, resources).title for training in plan.trainings]
    assert len(set(titles)) == len(titles) == 6
    assert sum(title.endswith(" heatmap 64x64 seed 0, epochs=7") for title in titles) == 1
    assert sum(title.endswith(" simdr 64x64 seed 0, split_ratio=1.5, epochs=3") for title in titles) == 1


def test_usual_folders_are_left_out(tmp_path: Path) -> None:
    plan = make_plan(load(tmp_path), Store(tmp_path))
    usual = Resources(
        data_root=Path("data").absolute(),
        results=Path("results").absolute(),
        device="cpu",
        threads=1,
        workers=0,
        save_every=60,
    )
    assert "--data-root" not in (command := make_job(plan, plan.trainings[0], usual).command)
    assert "--results" not in command


@pytest.mark.parametrize(
    ("asked", "device", "slots", "expected"),
    [
        (None, "cpu", 1, 0),
        (None, "cuda:0", 1, 8),
        (None, "cuda:0", 3, 5),
        (None, "cuda:0", 40, 0),
        (2, "cuda:0", 1, 2),
        (3, "cpu", 1, 3),
    ],
)
def test_who_loads_crops(
    asked: int | None, device: str, slots: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU must not wait for a single process that decodes images; on CPUs every core computes."""
    monkeypatch.setattr(jobs, "usable_cores", lambda: 16)
    assert LocalOptions(device, workers=asked).workers_of(slots) == expected
