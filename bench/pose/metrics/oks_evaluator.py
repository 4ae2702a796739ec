"""The OKS evaluation of all images at once: the per-instance results of pycocotools, bit for bit, in a fraction of the
time.

It scores trainings after every epoch. Records are evaluated by pycocotools itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.coco import check_results
from bench.pose.metrics.matching import Pairs, match, pairs_within_images
from bench.pose.metrics.oks import keypoint_similarity, outside_box
from bench.pose.metrics.oks_per_instance import MAX_PREDICTIONS, OksPerInstance
from bench.pose.metrics.oks_truth import OksTruth

__all__ = ["judge_results"]

Array = npt.NDArray[Any]

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""Of the OKS, as pycocotools has them: its 0.9 is the number just below."""

BLOCK = 1 << 13
"""Pairs that are compared at a time: they should fit into a cache."""


@dataclass(frozen=True, eq=False)
class _Predictions:
    """Predictions that count, by image, an image's best first.

    Attributes:
        images: (predictions,) positions of their images.
        scores: (predictions,).
        points: (predictions, keypoints, 2) px.
        areas: (predictions,) px^2 of the smallest box around all keypoints.
    """

    images: Array
    scores: Array
    points: Array
    areas: Array


def judge_results(truth: OksTruth, results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> OksPerInstance:
    """Evaluate results as `run_coco` or `run_crowdpose` and `judge` do.

    Args:
        truth: whom to find.
        results: as `bench.pose.metrics.nms.to_results` makes them. pycocotools takes the areas of results with boxes or
            masks from these instead of from the keypoints.
        sigmas: per keypoint.

    Raises:
        DataError: as `run_coco`.
    """
    check_results(set(truth.image_ids.tolist()), results, len(sigmas))
    found = _read_predictions(truth, results, len(sigmas))
    pairs = pairs_within_images(found.images, truth.images)
    oks = _similarities(found.points, truth, pairs, np.asarray(sigmas, dtype=np.float64))
    instances = match(
        pairs,
        oks[:, None],
        ignored=truth.ignored,
        crowd=truth.crowd,
        thresholds=THRESHOLDS,
        predictions=len(found.scores),
    )
    order = np.argsort(-found.scores, kind="stable")
    matched, ignored = _verdicts(instances[order], truth, truth.outside(found.areas[order]))
    best = np.zeros(len(truth.areas))
    np.maximum.at(best, pairs.instances, oks)
    images = len(truth.image_ids)
    return OksPerInstance(
        protocol=truth.protocol,
        image_ids=truth.image_ids,
        detections=found.images[order],
        matched=matched,
        ignored=ignored,
        instances=np.array(
            [np.bincount(truth.images[~row], minlength=images) for row in truth.ignored.T], dtype=np.int32
        ),
        best_oks=best[truth.counted],
        best_images=truth.images[truth.counted],
        groups=truth.groups,
    )


def _read_predictions(truth: OksTruth, results: Sequence[dict[str, Any]], keypoints: int) -> _Predictions:
    """The predictions that count among results."""
    instances = [result for result in results if result["category_id"] == truth.category]
    images = truth.image_ids.searchsorted(np.array([one["image_id"] for one in instances], dtype=np.int64))
    scores = np.array([one["score"] for one in instances], dtype=np.float64)
    points = np.array([one["keypoints"] for one in instances], dtype=np.float64).reshape(-1, keypoints, 3)[..., :2]
    order = np.lexsort((-scores, images))
    places = np.arange(len(order)) - images[order].searchsorted(images[order])
    order = order[places < MAX_PREDICTIONS]
    extent = points[order].max(axis=1) - points[order].min(axis=1)
    return _Predictions(images[order], scores[order], points[order], extent[:, 0] * extent[:, 1])


def _similarities(points: Array, truth: OksTruth, pairs: Pairs, sigmas: Array) -> Array:
    """OKS of each pair, (pairs,).

    Pairs are grouped by how many keypoints of the instance are labelled, so that each sum has the terms, and the order
    of terms, that it has in pycocotools: of instances who are equally similar, or almost, rounding may choose.
    """
    found = np.empty(len(pairs.instances))
    counts = np.count_nonzero(truth.labelled, axis=1)
    labelled = np.argsort(~truth.labelled, axis=1, kind="stable")
    for count in np.unique(counts[pairs.instances]).tolist():
        group = np.flatnonzero(counts[pairs.instances] == count)
        for block in np.split(group, range(BLOCK, len(group), BLOCK)):
            predictions, instances = pairs.predictions[block], pairs.instances[block]
            if count:
                keypoints = labelled[instances, :count]
                offset = points[predictions[:, None], keypoints] - truth.keypoints[instances[:, None], keypoints]
            else:
                keypoints = labelled[instances]
                offset = outside_box(points[predictions], truth.boxes[instances][:, None])
            squared = offset[..., 0] ** 2 + offset[..., 1] ** 2
            similarity = keypoint_similarity(squared, truth.areas[instances], sigmas[keypoints])
            found[block] = similarity.sum(axis=1) / similarity.shape[1]
    return found


def _verdicts(instances: Array, truth: OksTruth, outside: Array) -> tuple[Array, Array]:
    """Whether predictions are matched, and whether they are ignored, (ranges, thresholds, predictions) bool each.

    Args:
        instances: (predictions, ranges, thresholds) whom they are matched to, -1 for nobody.
        truth: these instances.
        outside: (predictions, ranges) whether a prediction's own area is out of range.
    """
    # Nobody, the last of each, has no name and is not ignored.
    named = np.append(truth.named, False)
    ignored = np.pad(truth.ignored, ((0, 1), (0, 0)))
    matched = named[instances]
    left_out = ignored[instances, np.arange(ignored.shape[1])[:, None]] | (~matched & outside[..., None])
    return matched.transpose(1, 2, 0), left_out.transpose(1, 2, 0)
