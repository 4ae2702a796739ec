"""Finer readings of an OKS evaluation: AP by joint and by threshold, and what kinds of errors were made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from bench.pose.metrics.average_precision import average_precision
from bench.pose.metrics.instruments import Instruments
from bench.pose.metrics.joint_errors import KINDS, count_errors, error_fractions
from bench.pose.metrics.oks_images import JudgedImage, joint_people, judged_images, match_images
from bench.pose.metrics.oks_judgements import OKS_THRESHOLDS, OksJudgements

__all__ = ["oks_instruments"]

Array = npt.NDArray[Any]

BATCH = 256
"""Images whose predictions are matched at a time."""


def oks_instruments(evaluation: COCOeval, judgements: OksJudgements, joints: Sequence[str]) -> Instruments:
    """Instruments of an evaluation that was run.

    The AP of a joint is what pycocotools gives for people of all sizes with that joint alone: a person in whom it is
    not labelled is ignored, as pycocotools ignores a person without any labelled joint. Who does not count otherwise
    does not count here. A joint that is labelled in nobody has no AP.

    Args:
        evaluation: of one category.
        judgements: of it.
        joints: names, in the order of the sigmas.
    """
    scores, judged = [np.zeros(0)], [np.zeros((0, 2, len(joints), len(OKS_THRESHOLDS)), dtype=bool)]
    errors = np.zeros(len(KINDS), dtype=np.int64)
    images = judged_images(evaluation)
    while batch := list(islice(images, BATCH)):
        similarities = [image.joint_similarity() for image in batch]
        scores += [image.scores for image in batch]
        judged += _judge_joints(batch, similarities)
        errors += count_errors(batch, similarities)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    precision = _joint_precision(np.concatenate(judged)[order], joint_people(evaluation))
    return Instruments(
        measure="AP",
        joints={joint: float(ap) for joint, ap in zip(joints, precision, strict=True) if not np.isnan(ap)},
        curve={f"{threshold:.2f}": ap for threshold, ap in judgements.curve().items()},
        errors=error_fractions(errors),
    )


def _judge_joints(images: Sequence[JudgedImage], similarities: Sequence[Array]) -> list[Array]:
    """Whether each joint of a prediction is matched, and whether ignored, (predictions, 2, joints, thresholds)."""
    ignored = [image.ignored[:, None] | ~image.labelled for image in images]
    people = match_images(images, similarities, ignored, OKS_THRESHOLDS)
    return [*map(_verdicts, people, ignored)]


def _verdicts(people: Array, ignored: Array) -> Array:
    matched = people >= 0
    if not len(ignored):
        return np.stack([matched, matched], axis=1)
    return np.stack([matched, matched & ignored[people, np.arange(ignored.shape[1])[:, None]]], axis=1)


def _joint_precision(judged: Array, people: Array) -> Array:
    """AP of each joint, (joints,), NaN where it is labelled in nobody.

    Args:
        judged: see `_judge_joints`; of all predictions, best score first.
        people: (joints,) number of people who count.
    """
    once = np.ones((1, 1), dtype=np.int32)
    found = np.zeros((len(people), len(OKS_THRESHOLDS)))
    for joint, threshold in np.ndindex(found.shape):
        matched, ignored = judged[:, :, joint, threshold].T
        images = np.zeros(np.count_nonzero(~ignored), dtype=np.int64)
        found[joint, threshold] = average_precision(once, images, matched[~ignored], people[[joint]])[0]
    return found.mean(axis=1)
