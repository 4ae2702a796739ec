"""From predicted people to COCO results: rescoring, OKS between detections, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.oks import joint_similarity
from bench.pose.metrics.predictions import Predictions

__all__ = ["detection_oks", "oks_nms", "rescore", "to_result", "to_results"]

Array = npt.NDArray[Any]


def detection_oks(keypoints: Array, areas: Array, sigmas: Sequence[float]) -> Array:
    """OKS of every detection with every other, over all joints (behaviour E11).

    Args:
        keypoints: (people, joints, 2 or more) px.
        areas: (people,) px^2; a pair is judged by its mean area.
        sigmas: per joint.

    Returns:
        (people, people) similarities in 0..1.
    """
    points = np.asarray(keypoints, dtype=np.float64)[..., :2]
    squared = ((points[:, None] - points[None, :]) ** 2).sum(axis=-1)
    return joint_similarity(squared, (areas[:, None] + areas[None, :]) / 2, sigmas).mean(axis=-1)


def oks_nms(keypoints: Array, scores: Array, areas: Array, sigmas: Sequence[float], threshold: float) -> list[int]:
    """Indices to keep, best score first; a detection goes when a better one is more similar than `threshold` (E12)."""
    similarity = detection_oks(keypoints, areas, sigmas)
    order = np.argsort(scores)[::-1]
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[similarity[best, rest] <= threshold]
    return kept


def rescore(confidence: Array, box_scores: Array, threshold: float) -> Array:
    """Box score times the mean confidence of the joints strictly above `threshold`; 0 where none is (behaviour E9).

    Args:
        confidence: (people, joints).
        box_scores: (people,).
        threshold: the reference's IN_VIS_THRE.
    """
    above = confidence > threshold
    total = np.where(above, confidence, 0).sum(axis=1, dtype=np.float64)
    return box_scores * total / np.maximum(above.sum(axis=1), 1)


def to_results(
    predictions: Predictions, sigmas: Sequence[float], *, score_threshold: float, nms_threshold: float
) -> list[dict[str, Any]]:
    """COCO results of all images, rescored and suppressed per image, in order of first appearance.

    Args:
        predictions: people of any number of images.
        sigmas: per joint.
        score_threshold: see `rescore`.
        nms_threshold: see `oks_nms`.
    """
    scores = rescore(predictions.keypoints[..., 2], predictions.box_scores, score_threshold)
    results = []
    for image_id in dict.fromkeys(predictions.image_ids.tolist()):
        people = np.flatnonzero(predictions.image_ids == image_id)
        keep = oks_nms(predictions.keypoints[people], scores[people], predictions.areas[people], sigmas, nms_threshold)
        results += [to_result(predictions, int(person), float(scores[person])) for person in people[keep]]
    return results


def to_result(predictions: Predictions, person: int, score: float) -> dict[str, Any]:
    """One predicted person in the COCO results format, with the crop's centre and scale (behaviour E15)."""
    return {
        "image_id": int(predictions.image_ids[person]),
        "category_id": 1,
        "keypoints": predictions.keypoints[person].astype(np.float64).ravel().tolist(),
        "score": score,
        "center": predictions.centers[person].astype(np.float64).tolist(),
        "scale": predictions.scales[person].astype(np.float64).tolist(),
    }
