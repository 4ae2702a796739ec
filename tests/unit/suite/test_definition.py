"""Datasets that suites define: detector boxes by split."""

from pathlib import Path

import pytest

from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from bench.suite.source import SuiteError
from bench.suite.specs import TrainSpec

EXAMPLE = (Path(__file__).parents[3] / "examples/own_data.yaml").read_text(encoding="utf-8")


def training(folder: Path, boxes: str, *, evaluated: str = "detector") -> TrainSpec:
    file = folder / "own_data.yaml"
    text = EXAMPLE.replace("    title: Tripods", f"    detector_boxes: {boxes}")
    file.write_text(text.replace("boxes: gt", f"boxes: {evaluated}"), encoding="utf-8")
    return expand(load_suite(file)).cells[0].training


@pytest.mark.parametrize(
    "boxes", ["{val: a.json, test: b.json}", "{test: b.json, val: a.json}", "[[val, a.json], [test, b.json]]"]
)
def test_boxes_by_split(boxes: str, tmp_path: Path) -> None:
    found = training(tmp_path, boxes)
    assert dict(found.data.detector_boxes) == {"val": "a.json", "test": "b.json"}
    assert found.id == training(tmp_path, "{test: b.json, val: a.json}").id, "the order is no part of the identity"
    assert TrainSpec.model_validate_json(found.model_dump_json()) == found
    assert TrainSpec.model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ("a.json", "own_data.yaml:10: detector_boxes: expected files by split, such as {val: boxes.json}, found 'a."),
        ("[val, a.json]", "expected files by split"),
        ("{val: ../a.json}", "'../a.json' is not a path inside the dataset's folder"),
        ("{val: }", "detector_boxes: Input should be a valid string, found None"),
        ("{test: a.json}", "tripods has no detector boxes for split 'val'; they exist for test; set `boxes: gt`, or"),
        ("{}", "tripods has no detector boxes for split 'val'; they exist for no split"),
    ],
)
def test_other_boxes_are_refused_by_the_plan(boxes: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as refused:
        training(tmp_path, boxes)
    assert message in str(refused.value)


def test_without_detected_boxes_none_are_needed(tmp_path: Path) -> None:
    assert training(tmp_path, "{}", evaluated="gt").data.detector_boxes == ()
