"""The CrowdPose evaluation: COCO's with the person's size taken from the box, and a split by crowding.

Differences from COCO: the area is 0.53 x width x height of the box, only one area range is reported, and AP is measured
again on the easy, medium and hard images, which the images' crowd index tells apart.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from bench.pose.data.datasets import CROWDPOSE_AREA
from bench.pose.errors import DataError
from bench.pose.metrics.coco import check_results, load_ground_truth, load_results, mean_oks

__all__ = ["evaluate_crowdpose"]

CROWDING = {"AP_E": (0.0, 0.2), "AP_M": (0.2, 0.8), "AP_H": (0.8, np.inf)}
"""Crowd index of easy, medium and hard images: at least the first, below the second number."""

MAX_DETECTIONS = 20
ANY_SIZE = (0.0, 1e5**2)


def evaluate_crowdpose(
    annotations: Mapping[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> dict[str, float]:
    """Score results in the COCO format as crowdposetools does.

    Args:
        annotations: contents of a CrowdPose annotation file; images carry `crowdIndex`.
        results: predicted people.
        sigmas: per joint.

    Returns:
        AP, AP50, AP75, AR, AR50, AR75 in 0..1, AP_E, AP_M, AP_H, rounded to four decimals, and `mean_oks` as in
        `bench.pose.metrics.coco.evaluate`; -1 where there are no such images or people.

    Raises:
        DataError: an image lacks its crowd index, an annotation its box, or a result is unusable.
    """
    truth = _with_areas(annotations)
    check_results(load_ground_truth(truth), results, len(sigmas))
    evaluation = _evaluated(truth, results, sigmas)
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    metrics = {
        "AP": _mean_of_valid(precision),
        "AP50": _mean_of_valid(precision[0]),
        "AP75": _mean_of_valid(precision[5]),
        "AR": _mean_of_valid(recall),
        "AR50": _mean_of_valid(recall[0]),
        "AR75": _mean_of_valid(recall[5]),
    }
    crowded = {name: _crowded(truth, results, sigmas, low, high) for name, (low, high) in CROWDING.items()}
    return metrics | crowded | {"mean_oks": mean_oks(evaluation)}


def _with_areas(annotations: Mapping[str, Any]) -> dict[str, Any]:
    try:
        people = [
            person | {"area": CROWDPOSE_AREA * person["bbox"][2] * person["bbox"][3]}
            for person in annotations["annotations"]
        ]
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"the annotations are not CrowdPose's: a person without a box ({error!r})") from None
    if not all(isinstance(image.get("crowdIndex"), int | float) for image in annotations["images"]):
        raise DataError("the annotations are not CrowdPose's: an image without crowdIndex")
    return {**annotations, "annotations": people}


def _evaluated(truth: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> COCOeval:
    """Holds precision (thresholds, recalls, 1, 1, 1) and recall (thresholds, 1, 1, 1), -1 where undefined."""
    ground_truth = load_ground_truth(truth)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(ground_truth, load_results(ground_truth, results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [list(ANY_SIZE)], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _mean_of_valid(values: np.ndarray) -> float:
    valid = values[values > -1]
    return float(valid.mean()) if valid.size else -1.0


def _crowded(
    truth: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float], low: float, high: float
) -> float:
    """AP on the images of a range of crowding. Undefined precisions count as -1 in the mean, as in the original."""
    images = [image for image in truth["images"] if low <= image["crowdIndex"] < high]
    if not images:
        return -1.0
    ids = {image["id"] for image in images}
    people = [person for person in truth["annotations"] if person["image_id"] in ids]
    subset = {**truth, "images": images, "annotations": people}
    evaluation = _evaluated(subset, [result for result in results if result["image_id"] in ids], sigmas)
    return round(float(evaluation.eval["precision"].mean()), 4)
