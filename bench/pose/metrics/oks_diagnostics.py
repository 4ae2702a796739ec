"""Diagnostics of an OKS evaluation: AP by keypoint and by threshold, and the kinds of errors that keypoints have.

The kinds follow Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV 2017,
section 3.1. Each labelled keypoint of a matched instance is classified by similarity, its term of the OKS:

- good: at least 0.85;
- jitter: at least 0.5;
- inversion: below, but at least 0.5 to another keypoint of the same instance;
- swap: below, but at least 0.5 to any keypoint of another instance;
- miss: below 0.5 to every keypoint in the image.

Between inversion and swap the more similar keypoint decides. The authors' own tool compares a keypoint only with its
left or right counterpart; here, as in their definitions, any other keypoint counts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from hotcoco import COCO
from pycocotools.cocoeval import COCOeval

from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.oks import keypoint_similarity
from bench.pose.metrics.oks_evaluator import quick_precision
from bench.pose.metrics.oks_per_instance import OksPerInstance

__all__ = ["KINDS", "MatchedResult", "match_loosely", "oks_diagnostics"]

Array = npt.NDArray[Any]

KINDS = ("good", "jitter", "inversion", "swap", "miss")

GOOD, NEAR = 0.85, 0.5
"""Least similarity of a good keypoint, and of a keypoint near a place."""

MATCHED = 0.1
"""Least OKS of a prediction with its instance in the error analysis, as in the paper."""


def oks_diagnostics(evaluation: COCOeval, per_instance: OksPerInstance, keypoints: Sequence[str]) -> Diagnostics:
    """Diagnostics of a finished evaluation of one category.

    The AP of a keypoint is what pycocotools computes if instances of all sizes have that keypoint alone. Instances
    without it are ignored. Keypoints that are never labelled are left out.

    Args:
        evaluation: after `evaluate()`.
        per_instance: results of the same evaluation.
        keypoints: names, in the order of the sigmas.
    """
    precision = {name: _keypoint_precision(evaluation, keypoint) for keypoint, name in enumerate(keypoints)}
    counts = _count_errors(evaluation)
    total = sum(counts)
    return Diagnostics(
        measure="AP",
        keypoints={name: value for name, value in precision.items() if value is not None},
        curve={f"{threshold:.2f}": ap for threshold, ap in per_instance.curve().items()},
        errors={kind: count / total for kind, count in zip(KINDS, counts, strict=True)} if total else {},
    )


def _keypoint_precision(evaluation: COCOeval, keypoint: int) -> float | None:
    """AP of one keypoint in 0..1; None if it is labelled nowhere."""
    columns = slice(3 * keypoint, 3 * keypoint + 3)
    images = {image_id: number for number, image_id in enumerate(evaluation.params.imgIds)}
    instances = [
        {
            "id": number,
            "image_id": images[instance["image_id"]],
            "category_id": 1,
            "keypoints": instance["keypoints"][columns],
            "num_keypoints": int(not instance["ignore"] and instance["keypoints"][columns][2] > 0),
            "area": instance["area"],
            "bbox": instance["bbox"],
            "iscrowd": instance["iscrowd"],
        }
        for number, instance in enumerate(chain.from_iterable(evaluation._gts.values()), start=1)
    ]
    results = [
        {
            "image_id": images[result["image_id"]],
            "category_id": 1,
            "keypoints": result["keypoints"][columns],
            "score": result["score"],
        }
        for result in chain.from_iterable(evaluation._dts.values())
    ]
    categories = [{"id": 1, "name": "person"}]
    truth = COCO(
        {"images": [{"id": id_} for id_ in images.values()], "annotations": instances, "categories": categories}
    )
    return quick_precision(truth, results, evaluation.params.kpt_oks_sigmas[[keypoint]].tolist())


def _count_errors(evaluation: COCOeval) -> list[int]:
    """Number of keypoints of each of `KINDS`, over labelled keypoints of instances that count and are matched."""
    kinds = np.concatenate([np.zeros(0, dtype=np.int64), *(pair.kinds for pair in match_loosely(evaluation))])
    return [int(count) for count in np.bincount(kinds[kinds >= 0], minlength=len(KINDS))]


@dataclass(frozen=True)
class MatchedResult:
    """A result and the instance that it is matched to.

    Attributes:
        id: of the result in pycocotools' numbering, from 1.
        points: (keypoints, 2) px, predicted.
        truth: (keypoints, 2) px.
        kinds: (keypoints,) positions in `KINDS`, -1 where the keypoint is not labelled.
    """

    id: int
    points: Array
    truth: Array
    kinds: Array


def match_loosely(evaluation: COCOeval) -> Iterator[MatchedResult]:
    """The results of an evaluation that are matched, at an OKS of `MATCHED`, to an instance that counts."""
    loose = copy.copy(evaluation)
    loose.params = copy.copy(evaluation.params)
    loose.params.iouThrs = np.array([MATCHED])
    (category,), everything, limit = loose.params.catIds, loose.params.areaRng[0], loose.params.maxDets[-1]
    sigmas = loose.params.kpt_oks_sigmas
    for image_id in loose.params.imgIds:
        matched = loose.evaluateImg(image_id, category, everything, limit)
        instances = evaluation._gts[image_id, category]
        if matched is None or not instances:
            continue
        positions = {instance["id"]: position for position, instance in enumerate(instances)}
        predictions = {result["id"]: result["keypoints"] for result in evaluation._dts[image_id, category]}
        truth = np.array([instance["keypoints"] for instance in instances]).reshape(len(instances), -1, 3)
        areas = np.array([instance["area"] for instance in instances])
        for prediction, instance_id in zip(matched["dtIds"], matched["dtMatches"][0].astype(int).tolist(), strict=True):
            if instance_id in positions and not instances[positions[instance_id]]["ignore"]:
                own = positions[instance_id]
                points = np.reshape(predictions[prediction], (-1, 3))[:, :2]
                kinds = _classify(points, truth, areas, sigmas, own)
                yield MatchedResult(prediction, points, truth[own, :, :2], kinds)


def _classify(points: Array, truth: Array, areas: Array, sigmas: Array, instance: int) -> Array:
    """The kind of each keypoint of a prediction that is matched to an instance, as in `MatchedResult`.

    Args:
        points: (keypoints, 2) px, predicted.
        truth: (instances, keypoints, 3) x, y in px, and visibility, of all instances in the image.
        areas: (instances,) px^2.
        sigmas: (keypoints,).
        instance: position of the matched instance.
    """
    good, jitter, inversion, swap, miss = range(len(KINDS))
    labelled = truth[..., 2] > 0
    own = keypoint_similarity(((points - truth[instance, :, :2]) ** 2).sum(-1), areas[instance], sigmas)
    kinds = np.where(own >= GOOD, good, jitter)
    lost = labelled[instance] & (own < NEAR)
    # Similarity of each lost keypoint with the nearest keypoint of each instance, (lost, instances).
    squared = ((points[lost, None, None] - truth[..., :2]) ** 2).sum(-1)
    others = np.where(labelled, keypoint_similarity(squared, areas, sigmas), 0).max(-1)
    inverted = others[:, instance] == others.max(-1)
    kinds[lost] = np.where(others.max(-1) < NEAR, miss, np.where(inverted, inversion, swap))
    kinds[~labelled[instance]] = -1
    return kinds
