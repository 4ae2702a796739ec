"""The other evaluators: each differs from the one of record in what it says, and in nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from bench.pose.evaluator_names import EVALUATORS
from bench.pose.metrics.coco import STATISTICS
from bench.pose.metrics.evaluators import OKS_EVALUATORS
from bench.pose.scoring import PROTOCOLS, OksScoring
from bench.pose.skeletons import COCO_17, CROWDPOSE_14
from tests.unit.oks_cases import Results, Truth, case

SKELETONS = {"coco": COCO_17, "crowdpose": CROWDPOSE_14}


def metrics(truth: Truth, results: Results, evaluator: str, protocol: str = "coco") -> dict[str, float | None]:
    scoring = OksScoring(copy.deepcopy(truth), SKELETONS[protocol], OKS_EVALUATORS[protocol][evaluator])
    found = scoring.metrics(results)
    assert scoring.assess(results).metrics == found
    if evaluator != "hotcoco":
        assert scoring.quick_metrics(results)["AP"] == pytest.approx(found["AP"], abs=1e-9)
    return found


def edited(truth: Truth, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Truth:
    return truth | {"annotations": [one | change(one) for one in copy.deepcopy(truth["annotations"])]}


def test_every_name_has_an_evaluator() -> None:
    assert tuple(EVALUATORS) == PROTOCOLS
    assert {name: tuple(found) for name, found in OKS_EVALUATORS.items()} == {
        name: EVALUATORS[name] for name in OKS_EVALUATORS
    }


@pytest.mark.parametrize("seed", range(4))
def test_hotcoco_has_the_same_statistics(seed: int) -> None:
    truth, results = case(seed)
    expected = metrics(truth, results, "pycocotools")
    found = metrics(truth, results, "hotcoco")
    assert {name: found[name] for name in STATISTICS} == pytest.approx({name: expected[name] for name in STATISTICS})


def test_areas_of_boxes_take_the_place_of_stored_ones() -> None:
    truth, results = case(0)
    boxes = edited(truth, lambda one: {"area": 0.53 * one["bbox"][2] * one["bbox"][3]})
    assert metrics(truth, results, "box_areas") == metrics(boxes, results, "pycocotools")
    assert metrics(truth, results, "box_areas") != metrics(truth, results, "pycocotools")


def test_areas_of_whole_boxes_are_crowdpose_s_without_its_factor() -> None:
    truth, results = case(0, crowdpose=True)
    found, expected = (metrics(truth, results, name, "crowdpose")["AP"] for name in ("whole_box_areas", "crowdpose"))
    assert found is not None
    assert expected is not None
    assert found > expected  # larger areas forgive more


@pytest.mark.parametrize("protocol", ["coco", "crowdpose"])
def test_occluded_keypoints_count_for_nothing(protocol: str) -> None:
    truth, results = case(1, crowdpose=protocol == "crowdpose")

    def occlude(one: dict[str, Any]) -> dict[str, Any]:
        """The first three keypoints are occluded, and of every third instance all."""
        flags = one["keypoints"][2::3]
        count = len(flags) if one["id"] % 3 == 0 else 3
        return {
            "keypoints": [
                v if i % 3 < 2 or not v else (1 if i // 3 < count else 2) for i, v in enumerate(one["keypoints"])
            ]
        }

    def remove(one: dict[str, Any]) -> dict[str, Any]:
        """What is occluded is not labelled."""
        keypoints = [0 if one["keypoints"][i - i % 3 + 2] == 1 else v for i, v in enumerate(one["keypoints"])]
        return {"keypoints": keypoints, "num_keypoints": min(one["num_keypoints"], sum(map(bool, keypoints[2::3])))}

    occluded = edited(truth, occlude)
    of_record = EVALUATORS[protocol][0]
    found = metrics(occluded, results, "visible_keypoints", protocol)
    assert found == metrics(edited(occluded, remove), results, of_record, protocol)
    assert found != metrics(occluded, results, of_record, protocol)
