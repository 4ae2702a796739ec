"""The quick evaluator has pycocotools' AP, also where it is hard to get."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.errors import DataError
from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.metrics.mean_pose import mean_pose, place_mean_pose
from bench.pose.metrics.oks_evaluator import read_truth
from bench.pose.scoring import OksScoring
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, Skeleton
from tests.parity.golden import FIXTURES, golden
from tests.shared import shared_data
from tests.unit.oks_cases import Results, Truth, case
from tests.unit.pose.metrics.test_metrics import TRUTH, predictions

Change = Callable[[Truth, Results], tuple[Truth, Results]]

TOLERANCE = 1e-9


def check(truth: Truth, results: Results, skeleton: Skeleton = COCO_17, protocol: str = "coco") -> float:
    """The AP, after comparing it with pycocotools."""
    scoring = OksScoring(truth, skeleton, OKS_PROTOCOLS[protocol])
    expected = OksScoring(copy.deepcopy(truth), skeleton, OKS_PROTOCOLS[protocol]).metrics(results)
    found = scoring.quick_metrics(results)["AP"]
    assert found == pytest.approx(expected["AP"], abs=TOLERANCE)
    return found


# Made-up instances


def replaced(entries: list[dict[str, Any]], fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries of which fields are values, or what functions make of the entry and its position."""
    return [
        entry | {name: value(entry, place) if callable(value) else value for name, value in fields.items()}
        for place, entry in enumerate(entries)
    ]


def annotated(**fields: Any) -> Change:
    """Change annotations; see `replaced`."""
    return lambda truth, results: (truth | {"annotations": replaced(truth["annotations"], fields)}, results)


def predicted(**fields: Any) -> Change:
    """Change predictions; see `replaced`."""
    return lambda truth, results: (truth, replaced(results, fields))


def one_pose(truth: Truth, results: Results) -> tuple[Truth, Results]:
    """Everybody stands at the same place, and is predicted there too."""
    one = truth["annotations"][0]
    pose = {name: one[name] for name in ("keypoints", "area", "bbox") if name in one}
    same = {"keypoints": one["keypoints"]}
    return annotated(**pose)(truth, results + replaced(results, same))


def numbered_strangely(truth: Truth, results: Results) -> tuple[Truth, Results]:
    """Images with large and negative ids, instances listed backwards."""
    new = {image["id"]: 10**12 * (7 - image["id"]) for image in truth["images"]}
    rename = {"image_id": lambda one, _: new[one["image_id"]]}
    images = replaced(truth["images"], {"id": lambda image, _: new[image["id"]]})
    instances = replaced(truth["annotations"], rename)[::-1]
    return truth | {"images": images, "annotations": instances}, replaced(results, rename)


def predicted_exactly(truth: Truth, results: Results) -> tuple[Truth, Results]:
    """Everybody is, twice, and no prediction is better than another."""
    fields = ("image_id", "category_id", "keypoints")
    found = [{field: one[field] for field in fields} | {"score": 0.5} for one in truth["annotations"]]
    return truth, found * 2


CORNERS: dict[str, Change] = {
    "no predictions": lambda truth, _: (truth, []),
    "nobody annotated": lambda truth, results: (truth | {"annotations": []}, results),
    "nobody counts": annotated(num_keypoints=0),
    "crowds only": annotated(iscrowd=1),
    "unlabelled instances count": annotated(num_keypoints=3),
    "everybody labelled nowhere": annotated(keypoints=lambda one, _: [0] * len(one["keypoints"]), num_keypoints=5),
    "labels below nothing": annotated(
        keypoints=lambda one, _: [value - 0.5 * (place % 3 == 2) for place, value in enumerate(one["keypoints"])]
    ),
    "whole numbers": annotated(keypoints=lambda one, _: [round(value) for value in one["keypoints"]]),
    "areas at limits": annotated(area=lambda _, place: (32**2, 96**2, 0, 1e10, 1e10 + 1)[place % 5]),
    "negative areas": annotated(area=lambda one, place: one["bbox"][2] * one["bbox"][3] * (-1) ** place),
    "tiny areas": annotated(area=1e-300),
    "ids from 0": annotated(id=lambda _, place: place),
    "negative ids": annotated(id=lambda _, place: -1 - place),
    "ids given twice": annotated(id=lambda _, place: 1 + place // 2),
    "one pose": one_pose,
    "numbered strangely": numbered_strangely,
    "predicted exactly": predicted_exactly,
    "equal scores": predicted(score=1),
    "signed scores": predicted(score=lambda one, _: 0.5 - one["score"]),
    "signed zeros": predicted(score=lambda _, place: -0.0 if place % 2 else 0.0),
    "far away": predicted(keypoints=lambda one, _: [1e9] * len(one["keypoints"])),
    "other categories": predicted(category_id=lambda _, place: 1 + place % 2),
}

corners = st.lists(st.sampled_from(sorted(CORNERS)), max_size=2, unique=True)


def with_corners(truth: Truth, results: Results, names: list[str]) -> tuple[Truth, Results]:
    for name in names:
        if truth["annotations"]:
            truth, results = CORNERS[name](truth, results)
    return truth, results


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("seed", range(2))
def test_each_corner(seed: int, corner: str) -> None:
    check(*with_corners(*case(seed), [corner]))


@given(seed=st.integers(0, 10**6), ties=st.booleans(), names=corners)
@settings(max_examples=60, deadline=None)
def test_coco_is_pycocotools(seed: int, ties: bool, names: list[str]) -> None:
    check(*with_corners(*case(seed, ties=ties, images=12), names))


@given(seed=st.integers(0, 10**6), ties=st.booleans(), names=corners)
@settings(max_examples=40, deadline=None)
def test_so_it_is_for_fourteen_keypoints(seed: int, ties: bool, names: list[str]) -> None:
    truth, results = case(seed, crowdpose=True, ties=ties, images=12)
    truth, results = annotated(area=lambda one, _: one["bbox"][2] * one["bbox"][3])(truth, results)
    check(*with_corners(truth, results, names), CROWDPOSE_14)


@given(seed=st.integers(0, 10**6), ties=st.booleans(), names=corners)
@settings(max_examples=40, deadline=None)
def test_crowdpose_is_pycocotools(seed: int, ties: bool, names: list[str]) -> None:
    truth, results = with_corners(*case(seed, crowdpose=True, ties=ties, images=12), names)
    check(truth, results, CROWDPOSE_14, "crowdpose")


def test_negative_ids_of_images_are_left_to_pycocotools() -> None:
    assert read_truth(with_corners(*case(0), ["numbered strangely"])[0]) is None
    assert read_truth(case(0)[0]) is not None


@pytest.mark.parametrize("corner", ["ids from 0", "negative ids", "ids given twice"])
@pytest.mark.parametrize("protocol", OKS_PROTOCOLS)
def test_ids_of_annotations_make_no_difference(protocol: str, corner: str) -> None:
    """Metrics, the quick one, per-instance results and diagnostics."""
    truth, results = case(3, crowdpose=protocol == "crowdpose")
    skeleton = CROWDPOSE_14 if protocol == "crowdpose" else COCO_17
    plain, strange = (
        OksScoring(with_corners(truth, results, names)[0], skeleton, OKS_PROTOCOLS[protocol])
        for names in ([], [corner])
    )
    assert strange.quick_metrics(results) == plain.quick_metrics(results)
    found, expected = strange.assess(results), plain.assess(results)
    assert (found.metrics, found.diagnostics) == (expected.metrics, expected.diagnostics)
    assert found.per_instance is not None
    assert expected.per_instance is not None
    assert found.per_instance.metrics() == expected.per_instance.metrics()


def test_a_hard_case_has_an_ap_to_compare() -> None:
    assert 0 < check(*case(1)) < 1


def test_results_are_left_alone() -> None:
    truth, results = case(0)
    before = copy.deepcopy((truth, results))
    OksScoring(truth, COCO_17, OKS_PROTOCOLS["coco"]).quick_metrics(results)
    assert (truth, results) == before


# Known sets


@pytest.mark.parametrize("name", ["hard_vis0.2", "hard_vis0.01", "hard_vis0.2_oks0.5"])
def test_golden_statistics(name: str) -> None:
    want = golden("coco_eval")
    columns = (want[f"{name}_{column}"].tolist() for column in ("image_id", "kpt", "score"))
    results = [
        {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": score}
        for image, keypoints, score in zip(*columns, strict=True)
    ]
    truth = json.loads((FIXTURES / "golden" / "coco_eval_gt.json").read_text())
    assert check(truth, results) == pytest.approx(want[f"{name}_stats"][0], abs=TOLERANCE)


def test_real_coco_images() -> None:
    folder = shared_data("coco_mini")
    truth = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
    found = check(truth, json.loads((folder / "jittered_predictions.json").read_text()))
    assert found == pytest.approx(0.392643, abs=1e-6)


def test_real_instances_with_fourteen_keypoints() -> None:
    folder = shared_data("lspet")
    train, val = (CocoKeypoints(folder, name, CROWDPOSE_14) for name in ("train", "val"))
    check(val.annotations, place_mean_pose(mean_pose(train.instances()), val.instances()), CROWDPOSE_14)


# Within a protocol


@pytest.mark.parametrize("name", OKS_PROTOCOLS)
def test_quick_metrics_read_the_truth_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, results = case(2, crowdpose=name == "crowdpose")
    skeleton = CROWDPOSE_14 if name == "crowdpose" else COCO_17
    scoring = OksScoring(truth, skeleton, OKS_PROTOCOLS[name])
    expected = scoring.metrics(results)["AP"]
    assert scoring.quick_metrics(results) == pytest.approx({"AP": expected}, abs=TOLERANCE)
    truth["annotations"].clear()
    assert scoring.quick_metrics(results) == pytest.approx({"AP": expected}, abs=TOLERANCE)


def test_what_only_a_server_can_score_is_worth_nothing_yet() -> None:
    assert OksScoring(TRUTH, COCO_17, None).quick_metrics(predictions()) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, "prediction 1: image 99 is not in the annotation file"),
        ({"keypoints": [1.0] * 50}, "prediction 1: 50 keypoint values, expected 51 for 17 keypoints"),
        ({"keypoints": [float("nan")] * 51}, r"prediction 1 \(image 2\): a value is not a finite number"),
        ({"keypoints": ["1"] * 51}, r"prediction 1 \(image 2\): a value is not a finite number"),
        ({"score": 10**400}, r"prediction 1 \(image 2\): a value is not a finite number"),
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", [OKS_PROTOCOLS["coco"], None], ids=["scored here", "scored by a server"])
def test_a_broken_prediction_is_named(protocol: Any, change: dict[str, Any], message: str) -> None:
    results = predictions()
    results[1] |= change
    with pytest.raises(DataError, match=message):
        OksScoring(TRUTH, COCO_17, protocol).quick_metrics(results)
