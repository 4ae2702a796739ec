"""A dataset that a suite defines: no code, and part of the identity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.command import bench
from tests.unit.tiny_datasets import INSTANCES, boxes, coco_format

EXAMPLE = (Path(__file__).parents[2] / "examples/own_data.yaml").read_text(encoding="utf-8")
KEYPOINTS = ("top", "hub", "left_foot", "right_foot", "front_foot")


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    text = EXAMPLE
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = folder / "own_data.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def ids(suite: Path) -> set[str]:
    done = bench("plan", suite, "--json", cwd=suite.parent)
    assert done.returncode == 0, done.stderr
    return {training["id"] for training in json.loads(done.stdout)["trainings"]}


def rewrite_as_other_tools_do(file: Path) -> None:
    """Ids from 0, another number of the category, keypoints spelled otherwise and in the opposite order."""
    contents = json.loads(file.read_text())
    names = [name.title().replace("_", " ") for name in reversed(KEYPOINTS)]
    contents["categories"] = [{"id": 0, "name": "objects"}, {"id": 2, "name": "tripod", "keypoints": names}]
    for number, entry in enumerate(contents["annotations"]):
        starts = range(3 * len(KEYPOINTS) - 3, -1, -3)
        keypoints = [value for start in starts for value in entry["keypoints"][start : start + 3]]
        entry |= {"id": number, "category_id": 2, "keypoints": keypoints}
    file.write_text(json.dumps(contents))


def test_it_is_trained_measured_and_reported(tmp_path: Path) -> None:
    coco_format(tmp_path / "data/tripods", KEYPOINTS)
    truth = tmp_path / "data/tripods/annotations/person_keypoints_val.json"
    rewrite_as_other_tools_do(truth)
    (tmp_path / "data/tripods/boxes.json").write_text(json.dumps(boxes()))
    suite = changed(
        tmp_path,
        ("epochs: 4, milestones: [3]", "epochs: 1, milestones: []"),
        ("    skeleton:", "    area_of_box: 0.5\n    detector_boxes: {val: boxes.json}\n    skeleton:"),
        ("  - {boxes: gt,", "  - {boxes: detector, when: {representation: simdr}}\n  - {boxes: gt,"),
    )
    checked = bench("data", "verify", "tripods", "val", "--suite", suite, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = bench("run", suite, "--threads", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(file.read_text()) for file in (tmp_path / "results").glob("evaluations/*/record.json")]
    detected, *annotated = sorted(records, key=lambda record: record["spec"]["boxes"] == "gt")
    assert [detected["instances"], detected["spec"]["boxes"], len(annotated)] == [2 * INSTANCES, "detector", 2]
    assert "boxes.json" in detected["provenance"]["files"]
    for record in annotated:
        assert record["training"]["definition"]["skeleton"]["keypoints"] == list(KEYPOINTS)
        assert set(record["diagnostics"]["keypoints"]) == set(KEYPOINTS)
        assert record["ceiling"]["AP"] > 0.9
    report = bench("report", suite, "--format", "md,html", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    text = (tmp_path / "reports/own_data/report.md").read_text()
    assert "Tripods val" in text
    assert "could not be read" not in text, "images have their skeleton"
    shown = bench("show", records[0]["id"], cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    predictions = tmp_path / "results" / "evaluations" / records[0]["id"] / "predictions.json"
    assert {entry["category_id"] for entry in json.loads(predictions.read_text())} == {2}
    scored = bench(
        *("score", "--protocol", "coco", "--json", "--suite", suite),
        *("--predictions", predictions, "--annotations", truth),
        cwd=tmp_path,
    )
    assert json.loads(scored.stdout) == pytest.approx(records[0]["metrics"])
    capsule = bench("export", suite, "--out", "own.zip", cwd=tmp_path)
    assert capsule.returncode == 0, capsule.stderr
    verified = bench("verify", "own.zip", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_definition_is_part_of_the_identity(tmp_path: Path) -> None:
    known = ids(changed(tmp_path))
    assert ids(changed(tmp_path, ("sigmas: [0.05, ", "sigmas: [0.06, "))).isdisjoint(known)
    assert ids(changed(tmp_path, ("    title: Tripods\n", "    title: Tripods\n    area_of_box: 0.5\n"))).isdisjoint(
        known
    )
    assert ids(changed(tmp_path, ("name: own_data", "name: another"))) == known


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "hub, left_foot], [hub, right",
            "hub, left_fot], [hub, right",
            "unknown keypoint 'left_fot' (did you mean 'left_foot'?)",
        ),
        ("sigmas: [0.05, 0.05,", "sigmas: [0.05,", "4 sigmas for 5 keypoints"),
        ("keypoints: [top, hub,", "keypoints: [top, top,", "keypoint 'top' is listed twice"),
        (
            "pairs: [[left_foot, right_foot]]",
            "pairs: [[left_foot, right_foot], [left_foot, hub]]",
            "is exchanged twice",
        ),
        ("name: tripods", "name: coco", "there is a dataset 'coco' already"),
        ("title: Tripods", "annotations: ../SPLIT.json", "is not a path inside the dataset's folder"),
        ("title: Tripods", "annotations: instances.json", "needs SPLIT once"),
        ("  define:\n", "  defined:\n", "unknown key 'defined' (did you mean 'define'?)"),
    ],
)
def test_a_wrong_definition_is_refused_with_its_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    done = bench("plan", changed(tmp_path, (old, new)), cwd=tmp_path)
    assert done.returncode == 3
    assert message in done.stderr
    assert f"{tmp_path / 'own_data.yaml'}:" in done.stderr


def test_other_keypoints_than_the_annotations_have_are_told(tmp_path: Path) -> None:
    coco_format(tmp_path / "data/tripods", KEYPOINTS[:4])
    done = bench("run", changed(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert "keypoints" in done.stdout


def test_an_unknown_dataset_says_how_to_define_it(tmp_path: Path) -> None:
    document = yaml.safe_load(EXAMPLE)
    del document["dataset"]["define"]
    (tmp_path / "own.yaml").write_text(json.dumps(document))
    done = bench("plan", "own.yaml", cwd=tmp_path)
    assert done.returncode == 3
    assert "unknown dataset 'tripods'" in done.stderr
    assert "a dataset of your own needs `define`" in done.stderr
