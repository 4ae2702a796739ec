"""PCK, the metric of Leeds Sports Pose: keypoints within a part of the torso's length of the truth.

The torso is the distance between left shoulder and right hip of the annotation, as in the evaluation of Leeds Sports
Pose by Wei Yang (eval_pose, demo_eval_lsp.m: joints 10 and 3), after the torso diameter of Sapp and Taskar, "MODEC:
Multimodal Decomposable Models for Human Pose Estimation", CVPR 2013, who take the other diagonal.

People count whose left shoulder and right hip are labelled and apart; nobody else has a torso to measure by. Each of
their labelled keypoints counts once, whichever person or keypoint it is of. As for the mean OKS, a person is judged by
the prediction in the image that has the best OKS with the annotation; without any prediction all keypoints are wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.average_precision import weighted_sum
from bench.pose.metrics.resample_counts import single_values
from bench.pose.skeletons import Skeleton

__all__ = ["PCK_THRESHOLDS", "pck_counts", "pck_metrics", "pck_values"]

Array = npt.NDArray[Any]

PCK_THRESHOLDS: Mapping[str, float] = {"PCK@0.2": 0.2, "PCK@0.1": 0.1}
"""Largest distance of a right keypoint in torsos, the limit included, by the metric's name."""


def pck_counts(judged: Iterable[tuple[int, Array, Array | None]], images: int, skeleton: Skeleton) -> Array | None:
    """Keypoints by image: the counted ones, and those within each of `PCK_THRESHOLDS`; None without a torso.

    Args:
        judged: for each person that counts, the position of the image, the annotation, (keypoints, 3) x, y in px and
            visibility, and the prediction in the same form; None where there is none.
        images: number of images.
        skeleton: keypoints of the annotations.

    Returns:
        (1 + thresholds, images) int64; None if the skeleton has no left shoulder or no right hip.
    """
    if skeleton.torso is None:
        return None
    counts = np.zeros((1 + len(PCK_THRESHOLDS), images), dtype=np.int64)
    thresholds = np.array([*PCK_THRESHOLDS.values()])[:, None]
    for image, truth, prediction in judged:
        (shoulder, hip), labelled = truth[list(skeleton.torso)], truth[:, 2] > 0
        torso = np.linalg.norm(shoulder[:2] - hip[:2])
        if shoulder[2] > 0 and hip[2] > 0 and torso > 0:
            counts[0, image] += labelled.sum()
            if prediction is not None:
                distances = np.linalg.norm(prediction[labelled, :2] - truth[labelled, :2], axis=1)
                counts[1:, image] += (distances <= thresholds * torso).sum(axis=1)
    return counts


def pck_values(counts: Array, draws: Array) -> dict[str, Array]:
    """PCK in 0..1 by name, (resamples,) each, NaN where no keypoint counts.

    Args:
        counts: result of `pck_counts`.
        draws: (resamples, images) how often each image counts.
    """
    total, *right = (weighted_sum(draws, row) for row in counts)
    return {name: hits / np.where(total > 0, total, np.nan) for name, hits in zip(PCK_THRESHOLDS, right, strict=True)}


def pck_metrics(counts: Array | None) -> dict[str, float | None]:
    """PCK over all images in 0..1 by name, None where no keypoint counts; empty for a skeleton without a torso."""
    return {} if counts is None else single_values(pck_values(counts, np.ones((1, counts.shape[1]))))
