"""Files of predictions as other tools write them."""

from typing import Any

import pytest

from bench.pose.data.conventions import Conventions
from bench.pose.errors import DataError
from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.metrics.results_file import listed_entries, read_results
from bench.pose.scoring import OksScoring
from bench.pose.skeletons import COCO_17
from tests.unit.pose.metrics.test_metrics import TRUTH, predictions

EXTRA: dict[str, Any] = {
    "bbox": None, "caption": "a person", "segmentation": [[]], "id": "x", "area": "large", "iscrowd": 1,
    "center": [1, 2], "track_id": {}, "num_keypoints": "17",
}  # fmt: skip


def read(entries: list[Any]) -> list[dict[str, Any]]:
    return read_results(entries, {image["id"] for image in TRUTH["images"]}, 17, Conventions())[0]


@pytest.mark.parametrize("name", EXTRA)
def test_only_the_fields_that_count_are_read(name: str) -> None:
    scoring = OksScoring(TRUTH, COCO_17, OKS_PROTOCOLS["coco"])
    results = read([result | {name: EXTRA[name]} for result in predictions()])
    assert scoring.metrics(results) == scoring.metrics(predictions())
    assert scoring.quick_metrics(results)["AP"] == pytest.approx(1)
    assert scoring.assess(results).per_instance is not None


def test_boxes_of_some_predictions_change_nothing() -> None:
    """pycocotools takes all for boxes if the first has one, and the size of the instance from it."""
    scoring = OksScoring(TRUTH, COCO_17, OKS_PROTOCOLS["coco"])
    far = predictions()
    for result in far:
        result["keypoints"] = [value + 500 for value in result["keypoints"]]
    boxed = [result | {"bbox": [0, 0, 1, 1]} for result in far]
    assert scoring.metrics(read(boxed)) == scoring.metrics(far)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "0.9"}, r"prediction 2 \(image 3\): a value is not a finite number: score '0.9'"),
        ({"score": None}, "not a finite number: score None"),
        ({"score": True}, "not a finite number: score True"),
        ({"keypoints": [1.0] * 50 + [None]}, r"not a finite number: keypoints\[50\] None"),
        ({"keypoints": [[1.0, 2.0, 1.0]] * 17}, "prediction 2: 17 keypoint values, expected 51"),
        ({"keypoints": "all"}, "not a list of keypoint values"),
        ({"category_id": None}, "category None is not a whole number"),
        ({"category_id": "person"}, "category 'person' is not a whole number"),
        ({"image_id": "3.jpg"}, "image '3.jpg' is not in the annotation file"),
        ({"image_id": 3.5}, "image 3.5 is not in the annotation file"),
    ],
)
def test_wrong_types_are_named_with_the_entry(change: dict[str, Any], message: str) -> None:
    """When they are read or, at the latest, when they are scored."""
    scoring = OksScoring(TRUTH, COCO_17, OKS_PROTOCOLS["coco"])
    entries = predictions()
    entries[2] |= change
    with pytest.raises(DataError, match=message):
        scoring.metrics(read(entries))
    with pytest.raises(DataError, match=message):
        scoring.assess(read(entries))


def test_entries_before_one_of_another_category_keep_their_numbers() -> None:
    car = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}
    with pytest.raises(DataError, match="prediction 1: lacks score"):
        read([car, {name: value for name, value in predictions()[0].items() if name != "score"}])


def test_entries_may_stand_under_annotations() -> None:
    assert listed_entries({"annotations": [1], "images": []}) == listed_entries([1]) == [1]
    for contents in ({}, {"annotations": {}}, "text", None):
        with pytest.raises(DataError, match="expected a list of instances in the COCO results format, found"):
            listed_entries(contents)
