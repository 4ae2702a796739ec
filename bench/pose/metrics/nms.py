"""COCO results of predicted instances: rescoring, OKS between detections, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.oks import keypoint_similarity
from bench.pose.metrics.predictions import Predictions

__all__ = [
    "InstanceRules",
    "InstanceScore",
    "detection_oks",
    "list_results",
    "oks_nms",
    "rescore",
    "score_instances",
    "to_results",
]

Array = npt.NDArray[Any]

InstanceScore = Literal["mean", "rle"]
"""The box's score times the mean confidence of sure keypoints (E9), or plus mean and maximum of all, as for RLE."""


class InstanceRules(TypedDict):
    """How instances are scored and suppressed, see `rescore` and `oks_nms`."""

    score_threshold: float
    nms_threshold: float
    instance_score: NotRequired[InstanceScore]


def detection_oks(one: Array, other: Array, areas: Array, sigmas: Sequence[float]) -> Array:
    """OKS of detections with others, over all keypoints (behaviour E11).

    Args:
        one: (..., keypoints, 2 or more) px.
        other: (..., keypoints, 2 or more) px.
        areas: (...,) px^2, the mean of both areas.
        sigmas: per keypoint.

    Returns:
        (...,) similarities in 0..1.
    """
    points, others = (np.asarray(side, dtype=np.float64)[..., :2] for side in (one, other))
    return keypoint_similarity(((points - others) ** 2).sum(axis=-1), areas, sigmas).mean(axis=-1)


def oks_nms(
    keypoints: Array, scores: Array, areas: Array, image_ids: Array, *, sigmas: Sequence[float], threshold: float
) -> Array:
    """Positions of the detections to keep, (kept,): images in order of first appearance, an image's best first (E12).

    A detection is dropped if it is more similar than `threshold` to a better detection of its image that is kept.

    Args:
        keypoints: (instances, keypoints, 2 or more) px.
        scores: (instances,).
        areas: (instances,) px^2.
        image_ids: (instances,).
        sigmas: per keypoint.
        threshold: largest OKS with a better detection.
    """
    _, first, images = np.unique(image_ids, return_index=True, return_inverse=True)
    groups = np.split(np.argsort(images, kind="stable"), np.cumsum(np.bincount(images))[:-1])
    kept = [np.zeros(0, dtype=np.int64)]
    for image in first.argsort():
        # The order of equal scores is that of the reference's sort.
        left = groups[image][np.argsort(scores[groups[image]])[::-1]]
        while len(left):
            best, left = left[:1], left[1:]
            kept.append(best)
            similarity = detection_oks(keypoints[best], keypoints[left], (areas[best] + areas[left]) / 2, sigmas)
            left = left[similarity <= threshold]
    return np.concatenate(kept)


def rescore(confidence: Array, box_scores: Array, threshold: float, kind: InstanceScore = "mean") -> Array:
    """Scores of instances, (instances,).

    "mean" is the box score times the mean confidence of the keypoints strictly above `threshold`, or 0 (behaviour E9).
    "rle" is the box score plus the mean and the maximum of all confidences, as mmpose ranks instances of RLE.

    Args:
        confidence: (instances, keypoints).
        box_scores: (instances,).
        threshold: the reference's IN_VIS_THRE; makes no difference to "rle".
        kind: which of both.
    """
    if kind == "rle":
        exact = confidence.astype(np.float64)
        return box_scores + exact.mean(axis=1) + exact.max(axis=1)
    above = confidence > threshold
    total = np.where(above, confidence, 0).sum(axis=1, dtype=np.float64)
    return box_scores * total / np.maximum(above.sum(axis=1), 1)


def score_instances(predictions: Predictions, rules: InstanceRules) -> Array:
    """Scores of predicted instances, (instances,); see `rescore`."""
    kind = rules.get("instance_score", "mean")
    return rescore(predictions.keypoints[..., 2], predictions.box_scores, rules["score_threshold"], kind)


def to_results(
    predictions: Predictions, sigmas: Sequence[float], **rules: Unpack[InstanceRules]
) -> list[dict[str, Any]]:
    """COCO results of all images, rescored and suppressed per image, in order of first appearance.

    Args:
        predictions: instances of any number of images.
        sigmas: per keypoint.
        **rules: how they are scored and suppressed.
    """
    scores = score_instances(predictions, rules)
    kept = oks_nms(
        predictions.keypoints,
        scores,
        predictions.areas,
        predictions.image_ids,
        sigmas=sigmas,
        threshold=rules["nms_threshold"],
    )
    return list_results(predictions, kept, scores)


def list_results(predictions: Predictions, instances: Array, scores: Array) -> list[dict[str, Any]]:
    """Predicted instances in the COCO results format, with the crops' centers and scales (behaviour E15).

    Args:
        predictions: all predictions.
        instances: (n,) positions of the instances to list.
        scores: (instances,) scores of all predictions.
    """
    columns = {
        "image_id": predictions.image_ids,
        "category_id": np.ones(len(scores), dtype=np.int64),
        "keypoints": predictions.keypoints.astype(np.float64).reshape(len(scores), 3 * predictions.keypoints.shape[1]),
        "score": scores,
        "center": predictions.centers.astype(np.float64),
        "scale": predictions.scales.astype(np.float64),
    }
    rows = zip(*(column[instances].tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
