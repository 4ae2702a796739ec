"""Finer readings of an OKS evaluation: AP by keypoint and by threshold, and what kinds of errors were made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from bench.pose.metrics.average_precision import average_precision
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.keypoint_errors import KINDS, count_errors, error_fractions
from bench.pose.metrics.oks_images import JudgedImage, judged_images, keypoint_instances, match_images
from bench.pose.metrics.oks_per_instance import OKS_THRESHOLDS, OksPerInstance

__all__ = ["oks_diagnostics"]

Array = npt.NDArray[Any]

BATCH = 256
"""Images whose predictions are matched at a time."""


def oks_diagnostics(evaluation: COCOeval, per_instance: OksPerInstance, keypoints: Sequence[str]) -> Diagnostics:
    """Diagnostics of an evaluation that was run.

    The AP of a keypoint is what pycocotools gives for instances of all sizes with that keypoint alone: an instance in
    whom it is not labelled is ignored, as pycocotools ignores an instance without any labelled keypoint. Who does not
    count otherwise does not count here. A keypoint that is labelled in nobody has no AP.

    Args:
        evaluation: of one category.
        per-instance results: of it.
        keypoints: names, in the order of the sigmas.
    """
    scores, judged = [np.zeros(0)], [np.zeros((0, 2, len(keypoints), len(OKS_THRESHOLDS)), dtype=bool)]
    errors = np.zeros(len(KINDS), dtype=np.int64)
    images = judged_images(evaluation)
    while batch := list(islice(images, BATCH)):
        similarities = [image.keypoint_similarity() for image in batch]
        scores += [image.scores for image in batch]
        judged += _judge_keypoints(batch, similarities)
        errors += count_errors(batch, similarities)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    precision = _keypoint_precision(np.concatenate(judged)[order], keypoint_instances(evaluation))
    return Diagnostics(
        measure="AP",
        keypoints={keypoint: float(ap) for keypoint, ap in zip(keypoints, precision, strict=True) if not np.isnan(ap)},
        curve={f"{threshold:.2f}": ap for threshold, ap in per_instance.curve().items()},
        errors=error_fractions(errors),
    )


def _judge_keypoints(images: Sequence[JudgedImage], similarities: Sequence[Array]) -> list[Array]:
    """Whether each predicted keypoint is matched, and whether ignored, (predictions, 2, keypoints, thresholds)."""
    ignored = [image.ignored[:, None] | ~image.labelled for image in images]
    instances = match_images(images, similarities, ignored, OKS_THRESHOLDS)
    return [*map(_verdicts, instances, ignored)]


def _verdicts(instances: Array, ignored: Array) -> Array:
    matched = instances >= 0
    if not len(ignored):
        return np.stack([matched, matched], axis=1)
    return np.stack([matched, matched & ignored[instances, np.arange(ignored.shape[1])[:, None]]], axis=1)


def _keypoint_precision(judged: Array, instances: Array) -> Array:
    """AP of each keypoint, (keypoints,), NaN where it is labelled in nobody.

    Args:
        judged: see `_judge_keypoints`; of all predictions, best score first.
        instances: (keypoints,) number of instances who count.
    """
    once = np.ones((1, 1), dtype=np.int32)
    found = np.zeros((len(instances), len(OKS_THRESHOLDS)))
    for keypoint, threshold in np.ndindex(found.shape):
        matched, ignored = judged[:, :, keypoint, threshold].T
        images = np.zeros(np.count_nonzero(~ignored), dtype=np.int64)
        found[keypoint, threshold] = average_precision(once, images, matched[~ignored], instances[[keypoint]])[0]
    return found.mean(axis=1)
