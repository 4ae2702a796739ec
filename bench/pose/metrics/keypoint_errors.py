"""What kinds of errors predicted keypoints have, after Ronchi and Perona.

"Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV 2017, section 3.1: a keypoint of a prediction
is judged by its similarity, the term that it adds to the OKS, to the same keypoint of the instance that the prediction
is matched to; where that is low, by its similarity to all other keypoints of all instances in the image.

- good: at least 0.85;
- jitter: at least 0.5;
- inversion: below, but at least 0.5 to another keypoint of the same instance;
- swap: below, but at least 0.5 to any keypoint of another instance;
- miss: below 0.5 to every keypoint of everybody.

A keypoint that could be inverted as well as swapped is taken for what it is more similar to. The authors' own tool
looks for a keypoint at its mirror counterpart only; here, as in the definitions, any other keypoint counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.oks_images import JudgedImage, match_images

__all__ = ["KINDS", "count_errors", "error_fractions"]

Array = npt.NDArray[Any]

KINDS = ("good", "jitter", "inversion", "swap", "miss")
"""Of keypoints, from right to wrong."""

GOOD, NEAR = 0.85, 0.5
"""Similarity of a good keypoint, and of one that is in the proximity of a place."""

MATCHED = 0.1
"""OKS from which a prediction is meant for an instance, as the authors have it."""


def count_errors(images: Sequence[JudgedImage], similarities: Sequence[Array]) -> Array:
    """Number of keypoints of each of `KINDS`, (5,), labelled ones of instances who count and whom a prediction is
    matched to.

    Args:
        images: with predictions.
        similarities: `keypoint_similarity()` of each.
    """
    oks, ignored = [image.oks[..., None] for image in images], [image.ignored[:, None] for image in images]
    instances = match_images(images, oks, ignored, [MATCHED])
    return np.sum([*map(_count_errors, images, similarities, instances)], axis=0)


def _count_errors(image: JudgedImage, similarity: Array, instances: Array) -> Array:
    counts = np.zeros(len(KINDS), dtype=np.int64)
    for prediction, instance in enumerate(instances[:, 0, 0].tolist()):
        if instance >= 0 and not image.ignored[instance]:
            own = similarity[prediction, instance][image.labelled[instance]]
            lost = int((own < NEAR).sum())
            counts[:2] += (own >= GOOD).sum(), len(own) - (own >= GOOD).sum() - lost
            if lost:
                counts[2:] += _count_lost(image, prediction, instance, similarity[prediction, instance] < NEAR)
    return counts


def _count_lost(image: JudgedImage, prediction: int, instance: int, lost: Array) -> tuple[int, int, int]:
    """Numbers of inversions, swaps and misses among the misplaced keypoints (keypoints,) of an instance."""
    nearest = image.cross_similarity(prediction).max(axis=-1)[lost & image.labelled[instance]]
    near = nearest.max(axis=-1) >= NEAR
    # Of equals the person's own.
    inverted = near & (nearest[:, instance] == nearest.max(axis=-1))
    return int(inverted.sum()), int((near & ~inverted).sum()), int((~near).sum())


def error_fractions(counts: Array) -> dict[str, float]:
    """Part of the keypoints that is of each kind, from numbers of them (5,); empty where there are no keypoints."""
    total = int(counts.sum())
    return {kind: count / total for kind, count in zip(KINDS, counts.tolist(), strict=True)} if total else {}
