"""Scores and suppression of instances against mmpose's."""

import numpy as np
import pytest

from bench.pose.metrics.nms import InstanceScore, to_results
from bench.pose.metrics.predictions import Predictions
from tests.parity.golden import golden

PEOPLE = golden("rescoring", "golden_mmpose")


@pytest.mark.parametrize(("mode", "kind"), [("bbox_keypoint", "mean"), ("bbox_rle", "rle")])
@pytest.mark.parametrize(("suppression", "threshold"), [("oks_nms", 0.9), ("none", 1.0)])
def test_instances_are_scored_and_suppressed_as_by_mmpose(
    mode: str, kind: InstanceScore, suppression: str, threshold: float
) -> None:
    predictions = Predictions(
        image_ids=PEOPLE["image_id"],
        keypoints=np.concatenate([PEOPLE["keypoints"], PEOPLE["keypoint_scores"][..., None]], axis=2),
        centers=np.arange(36.0).reshape(18, 2),  # tells people apart
        scales=PEOPLE["bbox_scales"] / 200,
        box_scores=PEOPLE["bbox_scores"],
    )
    results = to_results(
        predictions, PEOPLE["sigmas"], score_threshold=0.2, nms_threshold=threshold, instance_score=kind
    )
    people = [int(result["center"][0]) // 2 for result in results]
    kept, scores = (PEOPLE[f"{mode}_{suppression}_{what}"] for what in ("kept", "scores"))
    assert (people if suppression == "oks_nms" else sorted(people)) == kept.tolist()
    found = dict(zip(people, (result["score"] for result in results), strict=True))
    np.testing.assert_allclose([found[person] for person in kept.tolist()], scores, rtol=1e-6)
