"""OKS, suppression, rescoring and the ten COCO statistics against the reference."""

import json

import numpy as np
import pytest

from bench.pose.metrics.coco import STATISTICS, evaluate, load_ground_truth
from bench.pose.metrics.nms import detection_oks, oks_nms, to_results
from bench.pose.metrics.predictions import Predictions
from bench.pose.skeletons import COCO_17
from tests.parity.golden import FIXTURES, golden


@pytest.mark.parametrize("case", range(5))
def test_detection_oks_and_suppression(case: int) -> None:
    want = golden("oks_nms")
    keypoints, areas, scores = (want[f"{name}_{case}"] for name in ("kpts", "area", "score"))
    similarity = detection_oks(keypoints[0], keypoints, (areas[0] + areas) / 2, COCO_17.sigmas)
    np.testing.assert_allclose(similarity, want[f"oks_iou_{case}"], rtol=1e-6)
    for threshold in (0.5, 0.9):
        kept = oks_nms(keypoints, scores, areas, np.zeros(len(scores)), sigmas=COCO_17.sigmas, threshold=threshold)
        assert kept.tolist() == want[f"oks_nms_{case}_t{threshold}"].tolist()


@pytest.mark.parametrize(
    ("case", "score_threshold", "nms_threshold"),
    [("hard_vis0.2", 0.2, 0.9), ("hard_vis0.01", 0.01, 0.9), ("hard_vis0.2_oks0.5", 0.2, 0.5)],
)
def test_coco_results_and_statistics(case: str, score_threshold: float, nms_threshold: float) -> None:
    want = golden("coco_eval")
    boxes = want["boxes"]
    predictions = Predictions(
        image_ids=np.array([int(path.split("/")[-1][-16:-4]) for path in want["paths"]]),
        keypoints=want["preds"],
        centers=boxes[:, :2],
        scales=np.sqrt(np.repeat(boxes[:, 4:5], 2, axis=1)) / 200,
        box_scores=boxes[:, 5],
    )
    results = to_results(predictions, COCO_17.sigmas, score_threshold=score_threshold, nms_threshold=nms_threshold)
    np.testing.assert_array_equal([result["image_id"] for result in results], want[f"{case}_image_id"])
    np.testing.assert_allclose([result["score"] for result in results], want[f"{case}_score"], rtol=1e-6)
    np.testing.assert_array_equal([result["keypoints"] for result in results], want[f"{case}_kpt"])

    annotations = json.loads((FIXTURES / "golden" / "coco_eval_gt.json").read_text())
    metrics = evaluate(load_ground_truth(annotations), results, COCO_17.sigmas)
    np.testing.assert_allclose([metrics[name] for name in STATISTICS], want[f"{case}_stats"], atol=1e-9)
