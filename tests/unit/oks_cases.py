"""Annotations and predictions that are hard to evaluate: ties, crowds, empty images, instances without keypoints."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from bench.pose.metrics.coco import load_ground_truth, load_results
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, Skeleton

Truth = dict[str, Any]
Results = list[dict[str, Any]]

LIMIT = 20
"""Predictions per image that count."""


def case(seed: int, *, crowdpose: bool = False, images: int = 24, ties: bool = True) -> tuple[Truth, Results]:
    """An annotation file's contents and predictions.

    Args:
        seed: of everything.
        crowdpose: whether for CrowdPose's keypoints, with crowd indices and without areas.
        images: of which the third has no instances and the fifth no predictions; the second has more than count.
        ties: whether scores are so coarse that many are equal.
    """
    rng = np.random.default_rng(seed)
    skeleton = CROWDPOSE_14 if crowdpose else COCO_17
    annotations: list[dict[str, Any]] = []
    results: Results = []
    for image in range(1, images + 1):
        here = []
        for _ in range(0 if image == 3 else rng.integers(0, 5)):
            here.append(_instance(rng, skeleton, image, len(annotations) + len(here) + 1))
        annotations += here
        count = 0 if image == 5 else LIMIT + 6 if image == 2 else rng.integers(0, 6)
        for _ in range(count):
            score = float(rng.uniform(0.05, 1))
            results.append(_prediction(rng, skeleton, image, here, round(score, 1) if ties else score))
    if crowdpose:
        annotations = [{name: value for name, value in one.items() if name != "area"} for one in annotations]
    return {
        "images": [{"id": number, "crowdIndex": float(rng.choice([0.1, 0.5, 0.9]))} for number in range(1, images + 1)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}],
    }, results


def _instance(rng: np.random.Generator, skeleton: Skeleton, image: int, number: int) -> dict[str, Any]:
    extent = rng.uniform(20, 180, 2)
    corner = rng.uniform(0, 300, 2)
    points = corner + rng.uniform(0, 1, (skeleton.size, 2)) * extent
    labels = np.zeros(skeleton.size, dtype=int) if rng.random() < 0.15 else rng.integers(0, 3, skeleton.size)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [*corner.tolist(), *extent.tolist()],
        "area": float(extent.prod() * 0.6),
        "iscrowd": int(rng.random() < 0.1),
        # Some count for nothing although keypoints of theirs are labelled, as in CrowdPose.
        "num_keypoints": 0 if rng.random() < 0.1 else int((labels > 0).sum()),
        "keypoints": np.column_stack([points * (labels > 0)[:, None], labels]).ravel().tolist(),
    }


def _prediction(
    rng: np.random.Generator, skeleton: Skeleton, image: int, instances: Sequence[dict[str, Any]], score: float
) -> dict[str, Any]:
    """Of one of the instances more or less, or anywhere."""
    points = rng.uniform(0, 400, 2) + rng.uniform(0, 100, (skeleton.size, 2))
    if instances and rng.random() < 0.8:
        instance = instances[rng.integers(len(instances))]
        truth = np.reshape(instance["keypoints"], (-1, 3))
        size = np.sqrt(np.prod(instance["bbox"][2:]))
        near = truth[:, :2] + rng.normal(0, rng.choice([0.0, 0.01, 0.05, 0.1]) * size, (skeleton.size, 2))
        points = np.where(truth[:, 2:] > 0, near, points)
    keypoints = np.column_stack([points, np.ones(skeleton.size)]).ravel().tolist()
    return {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": score}


def duplicated(truth: Truth, results: Results, counts: Sequence[int]) -> tuple[Truth, Results]:
    """The dataset in which each image is there as often as counted, with its instances and predictions."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    predictions: Results = []
    for image, count in zip(truth["images"], counts, strict=True):
        for _ in range(count):
            new = {"image_id": len(images) + 1}
            images.append(image | {"id": new["image_id"]})
            for one in truth["annotations"]:
                if one["image_id"] == image["id"]:
                    annotations.append(one | new | {"id": len(annotations) + 1})
            predictions += [one | new for one in results if one["image_id"] == image["id"]]
    return truth | {"images": images, "annotations": annotations}, predictions


def by_pycocotools(truth: Truth, results: Results, sigmas: Sequence[float], *, any_size: bool = False) -> COCOeval:
    """pycocotools' own evaluation, accumulated; `any_size` leaves medium and large instances out."""
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = load_ground_truth(copy.deepcopy(truth))
        evaluation = COCOeval(ground_truth, load_results(ground_truth, results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        if any_size:
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation
