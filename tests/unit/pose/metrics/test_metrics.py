"""The evaluator: perfect, empty and broken predictions, the mean pose, and real COCO annotations."""

import json
from typing import Any

import numpy as np
import pytest

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.instances import Instance
from bench.pose.errors import DataError
from bench.pose.metrics.coco import STATISTICS, evaluate, load_ground_truth
from bench.pose.metrics.mean_pose import mean_pose, place_mean_pose
from bench.pose.metrics.oks import instance_oks
from bench.pose.skeletons import COCO_17, CROWDPOSE_14
from tests.shared import shared_data

RNG = np.random.default_rng(0)


def annotation(number: int, **fields: Any) -> dict[str, Any]:
    corner = RNG.uniform(0, 100, 2)
    points = corner + RNG.uniform(0, 90, (17, 2))
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "bbox": [*corner, 90, 90],
        "area": 5000 if number % 2 else 20_000,
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": np.column_stack([points, np.full(17, 2)]).ravel().tolist(),
    } | fields


TRUTH = {
    "images": [{"id": number, "file_name": "", "width": 300, "height": 300} for number in range(1, 7)],
    "annotations": [
        *[annotation(number) for number in range(1, 5)],
        annotation(5, iscrowd=1),
        annotation(6, num_keypoints=0, keypoints=[0] * 51),
    ],
    "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
}


def predictions() -> list[dict[str, Any]]:
    """What the annotations say."""
    return [
        {"image_id": entry["image_id"], "category_id": 1, "keypoints": list(entry["keypoints"]), "score": 0.9}
        for entry in TRUTH["annotations"][:4]
    ]


def metrics(results: list[Any], truth: dict[str, Any] = TRUTH) -> dict[str, float | None]:
    return evaluate(load_ground_truth(truth), results, COCO_17.sigmas)


def test_ideal_predictions_reach_one() -> None:
    assert metrics(predictions()) == pytest.approx(dict.fromkeys([*STATISTICS, "mean_oks"], 1.0))


def test_no_predictions_reach_zero() -> None:
    assert metrics([]) == dict.fromkeys([*STATISTICS, "mean_oks"], 0.0)


def test_without_labelled_instances_there_is_nothing_to_judge() -> None:
    nobody = TRUTH | {"annotations": TRUTH["annotations"][4:]}
    assert metrics([], nobody) == dict.fromkeys([*STATISTICS, "mean_oks"])


def test_mean_oks_counts_the_best_prediction_of_each_labelled_instance() -> None:
    """Half of the instances are predicted exactly, one of them a second time far away; the others not at all."""
    far = predictions()[0] | {"keypoints": [1e5] * 51}
    assert metrics([*predictions()[:2], far])["mean_oks"] == pytest.approx(0.5)


def test_a_worse_duplicate_costs_precision_and_no_recall() -> None:
    far = [entry | {"keypoints": [1e5] * 51, "score": 1.0} for entry in predictions()]
    found = metrics([*far, *predictions()])
    assert found["AR"] == pytest.approx(1)
    assert found["AP"] < 0.6


def test_predictions_are_not_changed() -> None:
    results = predictions()
    metrics(results)
    assert results == predictions()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, "prediction 1: image 99 is not in the annotation file"),
        ({"image_id": [1]}, r"prediction 1: image \[1\] is not in the annotation file"),
        ({"keypoints": [1.0] * 50}, "prediction 1: 50 keypoint values, expected 51 for 17 keypoints"),
        ({"keypoints": None}, "prediction 1: not a list of keypoint values"),
        ({"keypoints": [float("nan")] * 51}, r"prediction 1 \(image 2\): a value is not a finite number"),
        ({"keypoints": ["1"] * 51}, r"prediction 1 \(image 2\): a value is not a finite number"),
        ({"score": float("inf")}, r"prediction 1 \(image 2\): a value is not a finite number"),
        ({"score": None}, r"prediction 1 \(image 2\): a value is not a finite number"),
    ],
    ids=str,
)
def test_a_broken_prediction_is_named(change: dict[str, Any], message: str) -> None:
    results = predictions()
    results[1] |= change
    with pytest.raises(DataError, match=message):
        metrics(results)


def test_an_incomplete_prediction_is_named() -> None:
    with pytest.raises(DataError, match="prediction 0: lacks keypoints, score"):
        metrics([{"image_id": 1, "category_id": 1}])
    with pytest.raises(DataError, match="prediction 0: expected an object of the COCO results format, found 3"):
        metrics([3])


# The mean pose


def instance(box: list[float], relative: Any, visible: Any = True) -> Instance:
    """Somebody whose keypoints all lie at one relative place in the box."""
    corner, extent = np.array(box[:2]), np.array(box[2:])
    return Instance(
        image=None,
        image_id=1,
        annotation_id=1,
        box=np.array(box, dtype=np.float64),
        keypoints=np.tile(corner + np.array(relative) * extent, (17, 1)),
        visible=np.broadcast_to(visible, 17).copy(),
        area=1.0,
    )


def test_the_mean_pose_is_relative_to_boxes_and_counts_visible_keypoints() -> None:
    half = np.arange(17) < 8
    instances = [
        instance([0, 0, 10, 20], (0.2, 0.4)),
        instance([50, 60, 100, 40], (0.6, 0.8)),
        instance([5, 5, 10, 10], (5, 5), ~half),
    ]
    pose = mean_pose(instances)
    np.testing.assert_allclose(pose[half], np.tile((0.4, 0.6), (8, 1)))
    np.testing.assert_allclose(pose[~half], np.tile((5.8 / 3, 6.2 / 3), (9, 1)))


def test_a_box_without_extent_does_not_spoil_the_mean_pose() -> None:
    instances = [instance([0, 0, 10, 20], (0.2, 0.4)), instance([3, 3, 0, 5], (0, 0))]
    np.testing.assert_allclose(mean_pose(instances), np.tile((0.2, 0.4), (17, 1)))


def test_nobody_has_no_mean_pose() -> None:
    with pytest.raises(DataError, match="needs instances"):
        mean_pose([])


def test_a_keypoint_that_is_never_labelled_is_put_into_the_middle_of_the_box() -> None:
    pose = mean_pose([instance([0, 0, 1, 1], (0.2, 0.1), np.arange(17) != 3)])
    assert pose[3].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(np.delete(pose, 3, axis=0), np.tile((0.2, 0.1), (16, 1)))


def test_the_mean_pose_is_placed_in_each_box() -> None:
    (result,) = place_mean_pose(np.full((17, 2), 0.5), [instance([10, 20, 30, 40], (0, 0))])
    assert result["keypoints"][:3] == [25, 40, 1]
    assert (result["image_id"], len(result["keypoints"]), result["score"]) == (1, 51, 1.0)


# Real data


def test_predictions_on_real_coco_images() -> None:
    folder = shared_data("coco_mini")
    truth = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
    results = json.loads((folder / "jittered_predictions.json").read_text())
    expected = {
        "AP": 0.392643, "AP50": 0.633831, "AP75": 0.417427, "APM": 0.617128, "APL": 0.249852,
        "AR": 0.585294, "AR50": 0.852941, "AR75": 0.602941, "ARM": 0.667647, "ARL": 0.502941,
    }  # fmt: skip
    read = CocoKeypoints(folder, "val2017", COCO_17)
    for annotations in (truth, read.annotations):
        found = metrics(results, annotations)
        assert {name: found[name] for name in STATISTICS} == pytest.approx(expected, abs=1e-6)
    assert not read.problems


def test_the_mean_pose_of_real_sports_instances() -> None:
    folder = shared_data("lspet")
    train, val = (CocoKeypoints(folder, name, CROWDPOSE_14) for name in ("train", "val"))
    pose, instances = mean_pose(train.instances()), val.instances()
    found = evaluate(load_ground_truth(val.annotations), place_mean_pose(pose, instances), CROWDPOSE_14.sigmas)
    by_hand = [
        instance_oks(one.box[:2] + pose * one.box[2:], one.keypoints, one.visible, one.area, CROWDPOSE_14.sigmas)
        for one in instances
    ]
    assert found["mean_oks"] == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert found["mean_oks"] == pytest.approx(0.1783, abs=1e-4)
