"""A training and its evaluation on each dataset with rules of its own, in processes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Bench
from tests.unit.tiny_datasets import INSTANCES, coco_test_dev, crowdpose, mpii

SUITE = """
name: tiny
title: Tiny
dataset: {{name: {dataset}, train: {train}, eval: {split}}}
train:
  recipe: paper
  axes:
    backbone: [simba_tiny]
    representation: [simdr]
    input_size: [64x64]
  set:
    - {{split_ratio: 2, epochs: 1, milestones: [], batch_size: 4, replicas: 1, initialization: kaiming}}
    - {{when: {{dataset: coco}}, selection: final}}
evaluate:
  - {{boxes: {boxes}}}
tables: [{{id: tiny, metrics: [{metrics}]}}]
"""


@pytest.mark.parametrize(
    ("make", "said", "settings"),
    [
        (
            mpii,
            "PCKh@0.5 ",
            {"dataset": "mpii", "train": "train", "split": "valid", "boxes": "gt", "metrics": "Mean, Mean@0.1"},
        ),
        (
            crowdpose,
            "AP 0.",
            {"dataset": "crowdpose", "train": "trainval", "split": "test", "boxes": "detector", "metrics": "AP, AP_E"},
        ),
        (
            coco_test_dev,
            f"{2 * INSTANCES} instances predicted; the server scores test-dev2017",
            {"dataset": "coco", "train": "train2017", "split": "test-dev2017", "boxes": "detector", "metrics": "AP"},
        ),
    ],
    ids=["mpii", "crowdpose", "test-dev"],
)
def test_every_dataset_is_trained_measured_and_reported(
    make: Callable[[Path], Path], said: str, settings: dict[str, str], bench: Bench, tmp_path: Path
) -> None:
    make(tmp_path / "data" / settings["dataset"])
    suite = tmp_path / "tiny.yaml"
    suite.write_text(SUITE.format(**settings))
    done = bench("run", suite, "--data-root", tmp_path / "data", "--threads", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    (file,) = tmp_path.glob("results/evaluations/*/record.json")
    record = json.loads(file.read_text())
    known = settings["split"] != "test-dev2017"
    wanted = settings["metrics"].split(", ")
    assert record["scored_by"] == ("bench" if known else "server")
    for metrics in (record["metrics"], record["baseline"]):
        assert set(wanted) <= metrics.keys() if known else metrics == {}
    assert (file.parent / "pred.mat").exists() == (settings["dataset"] == "mpii")
    assert len(list(file.parent.glob("instances/*.jpg"))) == (INSTANCES if known else 0)
    report = bench("report", suite, "--out", tmp_path / "reports")
    assert report.returncode == 0, report.stderr
