"""Submissions to the evaluation server, and the ledger of its scores."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.files import StoreError, write_json
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.datasets import open_split
from bench.pose.errors import BenchError, DataError
from bench.store.documents import Record
from bench.store.folders import EvaluationFolder, Store
from bench.store.provenance import Provenance
from bench.store.server import enter_score, package
from tests.unit.suites import example_evaluation, example_training

SPLIT = "test-dev2017"
RESULT = {"image_id": 7, "category_id": 1, "keypoints": [1.5] * 51, "score": 0.5, "center": [1, 2], "scale": [1, 1]}


@dataclass
class Finished:
    """A finished evaluation of test-dev, and the split that it predicted."""

    folder: EvaluationFolder
    split: CocoKeypoints

    @property
    def record(self) -> Record:
        record = self.folder.record()
        assert record is not None
        return record


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    data = tmp_path / "coco"
    (data / "images" / "test2017").mkdir(parents=True)
    (data / "annotations").mkdir()
    image = {"id": 7, "file_name": "000000000007.jpg", "width": 10, "height": 10}
    info = {"images": [image], "categories": [{"id": 1, "name": "person"}]}
    (data / "annotations" / f"image_info_{SPLIT}.json").write_text(json.dumps(info))
    split = open_split("coco", data, SPLIT)

    training = example_training(tmp_path)
    spec = example_evaluation(tmp_path, split=SPLIT, boxes="detector")
    folder = Store(tmp_path / "results").evaluation(spec.id)
    provenance = Provenance(
        commit=None, dirty=None, versions={}, hardware={}, files={}, seed=0, command="bench run", started=0.0
    )
    record = Record(
        id=spec.id, spec=spec, training=training, metrics={}, scored_by="server", baseline={}, instances=1, seconds=1.0,
        problems=[], provenance=provenance,
    )  # fmt: skip
    write_json(folder.record_file, record.model_dump(mode="json"))
    write_json(folder.predictions, [RESULT])
    return Finished(folder, split)


def test_the_archive_is_named_and_filled_as_the_server_wants(finished: Finished, tmp_path: Path) -> None:
    archive = package(finished.folder, finished.split, "simdr", tmp_path / "out")
    assert archive.name == "person_keypoints_test-dev2017_simdr_results.zip"
    with zipfile.ZipFile(archive) as file:
        (member,) = file.namelist()
        (sent,) = json.loads(file.read(member))
    assert member == "person_keypoints_test-dev2017_simdr_results.json"
    assert sent == {name: RESULT[name] for name in ("image_id", "category_id", "keypoints", "score")}
    before = archive.read_bytes()
    assert package(finished.folder, finished.split, "simdr", tmp_path / "out").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 8}, "image 8 is not in the annotation file"),
        ({"keypoints": [1.0] * 50}, "50 keypoint values, expected 51"),
        ({"score": float("inf")}, "not a finite number"),
    ],
)
def test_predictions_that_the_server_would_refuse_are_refused(
    finished: Finished, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    finished.folder.predictions.write_text(json.dumps([RESULT | change]))
    with pytest.raises(DataError, match=message):
        package(finished.folder, finished.split, "simdr", tmp_path / "out")


def test_an_algorithm_name_is_no_path(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only letters"):
        package(finished.folder, finished.split, "../simdr", tmp_path / "out")


def test_a_score_of_the_server_stands_in_for_none(finished: Finished) -> None:
    assert finished.record.metrics == {}
    enter_score(finished.folder, finished.record, {"AP": 0.754, "AR": 0.805}, "submission 12")
    assert finished.record.metrics == {"AP": 0.754, "AR": 0.805}
    enter_score(finished.folder, finished.record, {"AP": 0.754, "AR": 0.805}, "submission 12")
    with pytest.raises(StoreError, match="has another score"):
        enter_score(finished.folder, finished.record, {"AP": 0.9}, "submission 13")
    assert finished.record.metrics["AP"] == 0.754


@pytest.mark.parametrize(
    ("metrics", "message"),
    [({"APP": 0.5}, "unknown metric 'APP'; valid: AP,"), ({"AP": 75.4}, "in 0..1"), ({}, "no metric")],
)
def test_a_score_that_cannot_be_is_refused(finished: Finished, metrics: dict[str, float], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        enter_score(finished.folder, finished.record, metrics, "submission 12")
