"""The CrowdPose evaluation against the dataset's own tool, and against the usual ways to get it wrong."""

import contextlib
import copy
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from bench.pose.metrics.coco import load_ground_truth
from bench.pose.metrics.crowdpose import judge_crowdpose, run_crowdpose
from bench.pose.scoring import score_file
from bench.pose.skeletons import CROWDPOSE_14
from tests.parity.golden import FIXTURES

TRUTH = FIXTURES / "crowdpose" / "example_crowdpose_val.json"
PREDICTIONS = FIXTURES / "crowdpose" / "example_crowdpose_preds.json"
EXPECTED = {
    "AP": 0.787722, "AP50": 0.988119, "AP75": 0.731436, "AR": 0.822222, "AR50": 1.0, "AR75": 0.777778,
    "AP_E": 1.0, "AP_M": 0.9802, "AP_H": 0.4116,
}  # fmt: skip


def evaluate(truth: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, float]:
    return judge_crowdpose(run_crowdpose(truth, results, CROWDPOSE_14.sigmas)).metrics()


def test_the_example_of_the_dataset() -> None:
    truth, results = (json.loads(file.read_text()) for file in (TRUTH, PREDICTIONS))
    found = evaluate(truth, results)
    assert {name: found[name] for name in EXPECTED} == pytest.approx(EXPECTED, abs=1e-6)
    assert 0.8 < found["mean_oks"] < 1


def test_scored_from_files() -> None:
    found, problems = score_file("crowdpose", PREDICTIONS, TRUTH)
    assert {name: found[name] for name in EXPECTED} == pytest.approx(EXPECTED, abs=1e-6)
    assert not problems


# Wrong evaluators. Each is right in everything but one thing, so that agreeing with it would show.


def crowd(images: int = 30) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Four instances an image, one of them labelled at head and neck only, with many uncertain predictions of each."""
    rng = np.random.default_rng(5)
    annotations, results = [], []
    for image in range(1, images + 1):
        for instance in range(4):
            width, height = rng.uniform(60, 200, 2)
            points = rng.uniform(0, 1, (14, 2)) * [width, height] + rng.uniform(0, 600, 2)
            labels = rng.choice([0, 1, 2], 14, p=(0.2, 0.2, 0.6))
            if instance == 3:
                labels[:12] = 0  # ignored by the dataset: its count leaves out head and neck
                labels[12:] = 2
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                    "bbox": [*points.min(axis=0), width, height], "num_keypoints": int((labels[:12] > 0).sum()),
                    "keypoints": np.column_stack([points, labels]).ravel().tolist(),
                }
            )  # fmt: skip
            # The best prediction has a score far below the others: among 20 it is not, among 100 it is.
            for rank in range(8):
                noise = rng.normal(0, (0.02 + 0.02 * rank) * np.sqrt(width * height), (14, 2))
                noise[12:] *= 1.5
                score = 0.1 if rank == 0 and image % 3 == 0 else float(rng.uniform(0.2, 1) - 0.05 * rank)
                keypoints = np.column_stack([points + noise, np.ones(14)]).ravel().tolist()
                results.append({"image_id": image, "category_id": 1, "keypoints": keypoints, "score": score})
    truth = {
        "images": [{"id": number, "crowdIndex": number / images} for number in range(1, images + 1)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(CROWDPOSE_14.keypoints)}],
    }
    return truth, results


def plain_ap(
    truth: dict[str, Any],
    results: list[dict[str, Any]],
    *,
    area: float = 0.53,
    recount: bool = False,
    detections: int = 20,
    head: float = 0.079,
) -> float:
    """AP straight from pycocotools; with these defaults CrowdPose's, with any other value a wrong one."""
    truth = copy.deepcopy(truth)
    for instance in truth["annotations"]:
        instance["area"] = area * instance["bbox"][2] * instance["bbox"][3]
        if recount:
            instance["num_keypoints"] = sum(label > 0 for label in instance["keypoints"][2::3])
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = load_ground_truth(truth)
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(copy.deepcopy(results)), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array([*CROWDPOSE_14.sigmas[:12], head, head])
        evaluation.params.maxDets = [detections]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]
    return float(precision[precision > -1].mean())


@pytest.fixture(scope="module")
def crowded() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return crowd()


WRONG: dict[str, dict[str, Any]] = {
    "area of the whole box": {"area": 1.0},
    "keypoints recounted over all keypoints": {"recount": True},
    "a hundred detections": {"detections": 100},
    "COCO's nose for head and neck": {"head": 0.026},
}


def test_our_evaluation_is_the_right_one(crowded: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    assert evaluate(*crowded)["AP"] == pytest.approx(plain_ap(*crowded), abs=1e-12)


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_and_none_of_the_wrong_ones(
    change: dict[str, Any], crowded: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    right = evaluate(*crowded)["AP"]
    assert 0.05 < right < 0.95
    assert abs(plain_ap(*crowded, **change) - right) > 0.002


def test_the_file_s_own_count_decides_who_counts(
    crowded: tuple[dict[str, Any], list[dict[str, Any]]], tmp_path: Path
) -> None:
    """The reader keeps the stored counts and scores what it kept the same."""
    truth, results = crowded
    named = [image | {"file_name": f"{image['id']}.jpg", "width": 900, "height": 900} for image in truth["images"]]
    (tmp_path / "truth.json").write_text(json.dumps(truth | {"images": named}))
    (tmp_path / "predictions.json").write_text(json.dumps(results))
    found, problems = score_file("crowdpose", tmp_path / "predictions.json", tmp_path / "truth.json")
    assert not problems
    expected = evaluate(truth, results)
    assert {name: found[name] for name in expected} == expected
