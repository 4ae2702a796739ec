"""From predicted instances to COCO results: rescoring, OKS between detections, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.matching import pairs_within_images
from bench.pose.metrics.oks import keypoint_similarity
from bench.pose.metrics.predictions import Predictions

__all__ = ["detection_oks", "list_results", "oks_nms", "rescore", "to_results"]

Array = npt.NDArray[Any]

BLOCK = 1 << 13
"""Pairs of detections that are compared at a time: they should fit into a cache."""


def detection_oks(one: Array, other: Array, areas: Array, sigmas: Sequence[float]) -> Array:
    """OKS of detections with others, over all keypoints (behaviour E11).

    Args:
        one: (..., keypoints, 2 or more) px.
        other: likewise.
        areas: (...,) px^2, the mean of both.
        sigmas: per keypoint.

    Returns:
        (...,) similarities in 0..1.
    """
    points, others = (np.asarray(side, dtype=np.float64)[..., :2] for side in (one, other))
    return keypoint_similarity(((points - others) ** 2).sum(axis=-1), areas, sigmas).mean(axis=-1)


def oks_nms(
    keypoints: Array, scores: Array, areas: Array, image_ids: Array, *, sigmas: Sequence[float], threshold: float
) -> Array:
    """Whom to keep: a detection goes when a better one of its image stays and is more similar than `threshold` (E12).

    Args:
        keypoints: (instances, keypoints, 2 or more) px.
        scores: (instances,).
        areas: (instances,) px^2.
        image_ids: (instances,).
        sigmas: per keypoint.
        threshold: of the OKS.

    Returns:
        (kept,) positions, images in order of first appearance, an image's best first.
    """
    instances, images = _ranked(image_ids, scores)
    pairs = pairs_within_images(images, images)
    ordered = np.flatnonzero(pairs.predictions < pairs.instances)
    gone: set[int] = set()
    for block in np.split(ordered, range(BLOCK, len(ordered), BLOCK)):
        better, worse = pairs.predictions[block], pairs.instances[block]
        one, other = instances[better], instances[worse]
        similarity = detection_oks(keypoints[one], keypoints[other], (areas[one] + areas[other]) / 2, sigmas)
        close = ~(similarity <= threshold)
        for first, second in zip(better[close].tolist(), worse[close].tolist(), strict=True):
            if first not in gone:
                gone.add(second)
    return instances[[rank for rank in range(len(instances)) if rank not in gone]]


def _ranked(image_ids: Array, scores: Array) -> tuple[Array, Array]:
    """Instances by image, an image's best first, and the number of the image of each, in order of first appearance."""
    _, first, codes = np.unique(image_ids, return_index=True, return_inverse=True)
    images = first.argsort().argsort()[codes]
    instances = np.argsort(images, kind="stable")
    groups = np.split(instances, np.flatnonzero(np.diff(images[instances])) + 1)
    # One by one as in the reference: how equal scores come out depends on how many there are.
    ranked = np.concatenate([group[np.argsort(scores[group])[::-1]] for group in groups])
    return ranked, images[ranked]


def rescore(confidence: Array, box_scores: Array, threshold: float) -> Array:
    """Box score times the mean confidence of the keypoints strictly above `threshold`; 0 where none is (behaviour E9).

    Args:
        confidence: (instances, keypoints).
        box_scores: (instances,).
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
        predictions: instances of any number of images.
        sigmas: per keypoint.
        score_threshold: see `rescore`.
        nms_threshold: see `oks_nms`.
    """
    scores = rescore(predictions.keypoints[..., 2], predictions.box_scores, score_threshold)
    kept = oks_nms(
        predictions.keypoints,
        scores,
        predictions.areas,
        predictions.image_ids,
        sigmas=sigmas,
        threshold=nms_threshold,
    )
    return list_results(predictions, kept, scores)


def list_results(predictions: Predictions, instances: Array, scores: Array) -> list[dict[str, Any]]:
    """Predicted instances in the COCO results format, with the crops' centers and scales (behaviour E15).

    Args:
        predictions: of everybody.
        instances: (n,) positions of those to list.
        scores: of everybody.
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
