"""Evaluations of odd splits: what does not exist is said, and nothing beside the metrics costs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.execute import evaluation_job
from bench.execute.evaluation_job import make_evaluation
from bench.execute.heartbeat import Heartbeat
from bench.execute.job import Job, Resources
from bench.execute.progress import results
from bench.execute.training_job import make_training
from bench.files import StoreError
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from bench.suite.source import SuiteError
from tests.unit.tiny_datasets import INSTANCES, coco_format

SUITE = """\
name: own
title: Own
dataset:
  name: own
  train: train
  eval: val
  define:
    skeleton:
      keypoints: [top, left_foot, right_foot]
      sigmas: [0.05, 0.05, 0.05]
      pairs: [[left_foot, right_foot]]
      upper: []
train:
  recipe: corrected
  axes: {backbone: [simba_tiny], representation: [simdr], input_size: [64x64], seed: [0]}
  set: [{initialization: kaiming, epochs: 2, milestones: [], replicas: 1, selection: best, selection_split: val}]
evaluate: [{boxes: gt}]
tables: [{id: results, metrics: [AP]}]
"""
KEYPOINTS = ("top", "left_foot", "right_foot")

Annotations = dict[str, Any]
Edit = Callable[[Annotations], None]


def edit(folder: Path, change: Edit, splits: Iterable[str] = ("train", "val")) -> None:
    for split in splits:
        file = folder / "own" / "annotations" / f"person_keypoints_{split}.json"
        contents = json.loads(file.read_text())
        change(contents)
        file.write_text(json.dumps(contents))


def measured(folder: Path, text: str = SUITE) -> tuple[TrainingRecord, Record, list[str]]:
    """Records of a training and its evaluation in this process, and the lines of the terminal."""
    (folder / "own.yaml").write_text(text)
    (cell,) = expand(load_suite(folder / "own.yaml")).cells
    resources = Resources(data_root=folder, results=folder / "results", device="cpu", threads=1, workers=0,
                          save_every=60)  # fmt: skip
    job = Job(training=cell.training, evaluations=tuple(cell.evaluations), resources=resources, command="none")
    store = Store(resources.results)
    training = store.training(job.id)
    trained = make_training(job, training, Heartbeat(training))
    record = make_evaluation(job, job.evaluations[0], store, Heartbeat(training))
    assert trained is not None
    assert record is not None
    assert store.evaluation(record.id).record() == record
    return trained, record, results(job)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    coco_format(tmp_path / "own", KEYPOINTS)
    return tmp_path


def unlabel(contents: Annotations) -> None:
    """Nobody's top is labelled."""
    for instance in contents["annotations"]:
        instance["keypoints"][:3] = [0, 0, 0]


def uncount(contents: Annotations) -> None:
    """pycocotools believes the number, and counts nobody."""
    for instance in contents["annotations"]:
        instance["num_keypoints"] = 0


def alone(contents: Annotations) -> None:
    del contents["annotations"][1:], contents["images"][1:]


def together(contents: Annotations) -> None:
    for instance in contents["annotations"]:
        instance["image_id"] = contents["images"][0]["id"]


def test_a_keypoint_that_is_labelled_nowhere_costs_no_measurement(folder: Path) -> None:
    edit(folder, unlabel)
    _, record, lines = measured(folder)
    assert None not in {record.metrics["AP"], record.baseline["AP"], record.ceiling["AP"]}
    assert record.diagnostics is not None
    assert set(record.diagnostics.keypoints) == {"left_foot", "right_foot"}
    said = "mean pose baseline: top labelled in no training instance, put into the box's middle"
    assert record.problems == [said]
    assert f"evaluation: {said}" in lines


@pytest.mark.parametrize("splits", [["train"], ["val"]])
def test_nor_does_one_that_only_one_split_lacks(splits: list[str], folder: Path) -> None:
    edit(folder, unlabel, splits)
    _, record, _ = measured(folder)
    assert record.baseline["AP"] is not None
    assert len(record.problems) == ("train" in splits)


@pytest.mark.parametrize("change", [alone, together])
def test_one_image_is_enough(change: Edit, folder: Path) -> None:
    edit(folder, change)
    trained, record, _ = measured(folder)
    assert trained.images == record.images == 1
    assert record.metrics["AP"] is not None
    assert not trained.problems + record.problems


def test_where_nobody_is_to_be_judged_there_is_no_metric_and_no_best_epoch(folder: Path) -> None:
    edit(folder, uncount)
    trained, record, lines = measured(folder)
    for values in (record.metrics, record.baseline, record.ceiling):
        assert set(values.values()) == {None}
    assert [entry.validation for entry in trained.history] == [None, None]
    said = "nobody to judge in val: no epoch is the best, and the weights of the last one are kept"
    assert trained.problems[0] == said
    assert {f"training: {said}", "gt boxes: AP nobody to judge, mean OKS nobody to judge"} <= set(lines)


def test_images_that_are_missing_or_broken_are_counted(folder: Path) -> None:
    for number in range(1, INSTANCES):
        (folder / f"own/images/val/{100 + number}.png").unlink()
    (folder / "own/images/train/100.png").write_text("no image")
    trained, record, lines = measured(folder)
    assert (trained.images, trained.images_left_out) == (INSTANCES, 1)
    assert (record.images, record.images_left_out, record.instances) == (INSTANCES, INSTANCES - 1, 1)
    assert record.metrics["AR"] < 1 / 3, "they count as not found"  # type: ignore[operator]  # a number
    (broken, selection), (missing,) = trained.problems, record.problems
    assert selection == f"selection: {missing}"
    assert broken.startswith("1 of 6 images of train left out, with 1 of 6 instances: /")
    assert missing.startswith("5 of 6 images of val left out, with 5 of 6 instances, such as: /")
    assert missing.endswith("101.png: No such file or directory")
    assert [f"training: {broken}", f"evaluation: {missing}"] == [lines[0], lines[3]]


def test_a_baseline_that_cannot_be_made_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("of no use")

    for name in ("mean_pose_metrics", "ceiling_metrics", "store_images"):
        monkeypatch.setattr(evaluation_job, name, fail)
    _, record, _ = measured(folder)
    assert record.metrics["AP"] is not None
    assert (record.baseline, record.ceiling) == ({}, {})
    names = ("mean pose baseline", "ceiling", "example images")
    assert record.problems == [f"no {name}: ValueError: of no use" for name in names]


def test_a_full_disk_still_stops_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("no space left on device")

    monkeypatch.setattr(evaluation_job, "store_images", fail)
    with pytest.raises(StoreError, match="no space"):
        measured(folder)


def test_where_no_epoch_is_the_best_the_last_weights_are_kept(folder: Path) -> None:
    edit(folder, uncount)
    final = SUITE.replace("selection: best, selection_split: val", "selection: final")
    kept, last = (
        torch.load(Store(folder / "results").training(measured(folder, text)[0].id).weights) for text in (SUITE, final)
    )
    assert all(torch.equal(kept[name], last[name]) for name in last)


def test_settings_are_chosen_on_held_out_images_that_nothing_learns_from(tmp_path: Path) -> None:
    held = 2
    coco_format(tmp_path / "own", KEYPOINTS)
    edit(tmp_path, lambda contents: contents.update(annotations=[]), splits=["val"])  # not a look at it
    text = SUITE.replace("selection_split: val", f"selection_split: train, held_out: {held}")
    trained, record, _ = measured(tmp_path, text.replace("{boxes: gt}", f"{{boxes: gt, split: train, subset: {held}}}"))
    assert [entry.instances for entry in trained.history] == 2 * [INSTANCES - held]
    assert all(entry.validation is not None for entry in trained.history)
    assert record.instances == held
    assert max(entry.validation or 0 for entry in trained.history) == pytest.approx(record.metrics["AP"] or 0, abs=1e-6)
    for measured_images, said in (("subset: 3", "3 images"), ("subset: null", "all images")):
        with pytest.raises(SuiteError, match=f"measures {said} of train, of which 2 are held out"):
            measured(tmp_path, text.replace("{boxes: gt}", f"{{boxes: gt, split: train, {measured_images}}}"))
