"""Average precision of detections that were matched already, on any number of resamples of the images at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision", "recall", "weighted_sum"]

Array = npt.NDArray[Any]

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where precision is read off, as pycocotools does."""

EPSILON = np.spacing(1)
"""What pycocotools adds to each denominator."""

BLOCK = 128
"""Resamples that are converted to floating point at a time."""


def average_precision(counts: Array, images: Array, matched: Array, people: Array) -> Array:
    """Mean precision at 101 recalls, as pycocotools accumulates it.

    An image that is drawn w times counts as w copies of it. Only at matched detections can precision reach a maximum,
    so it is computed at these alone; maxima between neighbouring recalls take the place of one over all that follows.

    Args:
        counts: (resamples, images) how often each image is drawn, int32.
        images: (detections,) image of each detection that is not ignored, best score first.
        matched: (detections,) whether it is matched to a person who counts.
        people: (resamples,) number of people who count.

    Returns:
        (resamples,) in 0..1, NaN where nobody counts.
    """
    hits = np.flatnonzero(matched)
    hit_images = images[hits]
    found = np.zeros((len(counts), len(RECALLS)))
    for resample in np.flatnonzero(people) if len(hits) else ():
        count = counts[resample]
        true = count.take(hit_images).cumsum(dtype=np.int32)
        judged = count.take(images).cumsum(dtype=np.int32).take(hits)
        _interpolate(true / (judged + EPSILON), true / people[resample], found[resample])
    return np.where(people > 0, found.mean(axis=1), np.nan)


def _interpolate(precision: Array, recalls: Array, out: Array) -> None:
    """Put the largest precision at each of `RECALLS` or a higher recall into `out`, (101,), as far as it is reached."""
    first = recalls.searchsorted(RECALLS)
    reached = first[: first.searchsorted(len(recalls))]
    # Where two recalls are reached by the same detection, the first of them has it alone, and the second what follows.
    stretches = np.maximum.reduceat(precision, reached)
    out[: len(reached)] = np.maximum.accumulate(stretches[::-1])[::-1]


def recall(counts: Array, images: Array, matched: Array, people: Array) -> Array:
    """Part of the people who count that were found; arguments and result as in `average_precision`."""
    per_image = np.bincount(images[matched], minlength=counts.shape[1])
    return weighted_sum(counts, per_image) / np.where(people > 0, people, np.nan)


def weighted_sum(counts: Array, values: Array) -> Array:
    """Sum over images of a value times how often the image is drawn, (resamples,)."""
    rows = range(0, len(counts), BLOCK)
    values = values.astype(np.float64)
    return np.concatenate([np.zeros(0), *(counts[row : row + BLOCK].astype(np.float64) @ values for row in rows)])
