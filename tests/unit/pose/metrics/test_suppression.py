"""From predictions to results: instances of many images suppressed at once as one image after the other."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pose.metrics.nms import detection_oks, oks_nms, rescore, to_results
from bench.pose.metrics.predictions import Predictions
from bench.pose.skeletons import COCO_17


def made_up(seed: int, instances: int, images: int) -> Predictions:
    """Instances who may look alike, with scores that may be equal; images in any order."""
    rng = np.random.default_rng(seed)
    poses = rng.uniform(0, 100, (instances, 17, 3))[rng.integers(0, instances, instances)]
    poses[..., :2] += rng.normal(0, rng.choice([0.0, 1.0, 4.0]), (instances, 17, 2))
    poses[..., 2] /= 100
    return Predictions(
        image_ids=rng.integers(0, images, instances),
        keypoints=poses.astype(np.float32),
        centers=rng.uniform(0, 100, (instances, 2)),
        scales=rng.uniform(0.1, 1, (instances, 2)),
        box_scores=rng.uniform(0, 1, instances).round(int(rng.choice([0, 1, 6]))),
    )


def one_by_one(predictions: Predictions, threshold: float) -> list[tuple[int, float]]:
    """Image and score of who stays: each in turn, unless somebody better who stays is too similar."""
    scores = rescore(predictions.keypoints[..., 2], predictions.box_scores, 0.2)
    found = []
    for image in dict.fromkeys(predictions.image_ids.tolist()):
        instances = np.flatnonzero(predictions.image_ids == image)
        kept: list[int] = []
        for instance in instances[np.argsort(scores[instances])[::-1]].tolist():
            areas = (predictions.areas[kept] + predictions.areas[instance]) / 2
            poses = predictions.keypoints
            if (detection_oks(poses[kept], poses[instance], areas, COCO_17.sigmas) <= threshold).all():
                kept.append(instance)
        found += [(image, float(scores[instance])) for instance in kept]
    return found


@given(
    seed=st.integers(0, 10**6),
    instances=st.integers(1, 60),
    images=st.integers(1, 8),
    threshold=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_images_are_suppressed_one_by_one(seed: int, instances: int, images: int, threshold: float) -> None:
    predictions = made_up(seed, instances, images)
    results = to_results(predictions, COCO_17.sigmas, score_threshold=0.2, nms_threshold=threshold)
    found = [(result["image_id"], result["score"]) for result in results]
    assert found == one_by_one(predictions, threshold)


def test_who_is_suppressed_suppresses_nobody() -> None:
    """Three in a row: the second is near both others, which are not near each other."""
    poses = np.zeros((3, 17, 2))
    poses[:, :, 0] = np.array([0.0, 7.0, 14.0])[:, None]
    areas = np.full(3, 10_000.0)
    near, far = (detection_oks(poses[0], poses[other], 1e4, COCO_17.sigmas) for other in (1, 2))
    threshold = float(near + far) / 2
    assert far < threshold < near
    for scores, kept in (([0.9, 0.8, 0.7], [0, 2]), ([0.8, 0.9, 0.7], [1])):
        found = oks_nms(poses, np.array(scores), areas, np.zeros(3), sigmas=COCO_17.sigmas, threshold=threshold)
        assert found.tolist() == kept


def test_results_are_plain_numbers_as_predicted() -> None:
    predictions = made_up(0, 20, 4)
    results = to_results(predictions, COCO_17.sigmas, score_threshold=0.2, nms_threshold=1.0)
    assert len(results) == 20
    for result in results:
        (instance,) = np.flatnonzero((predictions.centers == result["center"]).all(axis=1))
        assert result["keypoints"] == predictions.keypoints[instance].astype(float).ravel().tolist()
        assert result["scale"] == predictions.scales[instance].tolist()
        assert (result["image_id"], result["category_id"]) == (predictions.image_ids[instance], 1)
        values = [*result["keypoints"], *result["center"], *result["scale"], result["score"]]
        assert {*map(type, values)} == {float}
        assert type(result["image_id"]) is int


def test_nobody_gives_no_results() -> None:
    nobody = Predictions(np.zeros(0, int), np.zeros((0, 17, 3)), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    assert to_results(nobody, COCO_17.sigmas, score_threshold=0.2, nms_threshold=0.9) == []
