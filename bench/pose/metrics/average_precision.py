"""Average precision of matched detections, on any number of resamples of the images at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision", "recall", "weighted_sum"]

Array = npt.NDArray[Any]

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which precision is read, as in pycocotools."""

EPSILON = np.spacing(1)
"""Number that pycocotools adds to each denominator."""

BLOCK_CELLS = 1 << 18
"""Detections times resamples per block, which should fit into a cache."""

BLOCK = 128
"""Resamples that are converted to floating point at a time."""


def average_precision(counts: Array, images: Array, matched: Array, instances: Array) -> Array:
    """Mean precision at 101 recalls, as pycocotools accumulates it.

    An image that is drawn w times counts as w copies of it. Only at matched detections can precision reach a maximum,
    so it is computed at these alone; maxima between neighbouring recalls take the place of one over all that follows.

    Args:
        counts: (resamples, images) how often each image is drawn, int32.
        images: (detections,) image of each detection that is not ignored, best score first.
        matched: (detections,) whether it is matched to an instance that counts.
        instances: (resamples,) number of instances that count.

    Returns:
        (resamples,) in 0..1, NaN where no instance counts.
    """
    hits = np.flatnonzero(matched)
    found = np.zeros(len(counts))
    rows = max(BLOCK_CELLS // max(len(images), 1), 1)
    for first in range(0, len(counts), rows) if len(hits) else ():
        block = slice(first, first + rows)
        drawn = counts[block].take(images, axis=1)
        judged = drawn.cumsum(axis=1, dtype=np.int32).take(hits, axis=1)
        true = drawn.take(hits, axis=1).cumsum(axis=1, dtype=np.int32)
        found[block] = _interpolate(true / (judged + EPSILON), true, instances[block]).mean(axis=1)
    return np.where(instances > 0, found, np.nan)


def _interpolate(precision: Array, true: Array, instances: Array) -> Array:
    """The largest precision at each of `RECALLS` or a higher recall, (resamples, 101), 0 where it is not reached.

    Args:
        precision: (resamples, hits) at each hit.
        true: (resamples, hits) hits so far.
        instances: (resamples,) number of instances that count.
    """
    # One search for all resamples: each has a range of numbers of its own, as integers, so that nothing is rounded.
    offsets = np.arange(len(true))[:, None] * (int(true.max()) + int(instances.max()) + 2)
    positions = (true + offsets).ravel().searchsorted((_hits_for_recalls(instances) + offsets).ravel())
    reached = positions.reshape(len(true), -1) < np.arange(1, len(true) + 1)[:, None] * true.shape[1]
    found = np.zeros(reached.shape)
    # Where two recalls are reached by the same hit, the first of them has it alone, and the second what follows. No
    # stretch goes on into the next resample, as recall 0 is reached by the first hit of each.
    found[reached] = np.maximum.reduceat(precision.ravel(), positions[reached.ravel()])
    return np.maximum.accumulate(found[:, ::-1], axis=1)


def _hits_for_recalls(instances: Array) -> Array:
    """The fewest hits that reach each of `RECALLS`, (resamples, 101)."""
    total = np.maximum(instances, 1)[:, None]
    hits = np.floor(RECALLS * total)
    hits += hits / total < RECALLS  # the product may be rounded, and a quotient decides in pycocotools
    hits -= (hits - 1) / total >= RECALLS
    return np.maximum(hits, 0).astype(np.int64)


def recall(counts: Array, images: Array, matched: Array, instances: Array) -> Array:
    """Part of the counted instances that were found; arguments and result as in `average_precision`."""
    per_image = np.bincount(images[matched], minlength=counts.shape[1])
    return weighted_sum(counts, per_image) / np.where(instances > 0, instances, np.nan)


def weighted_sum(counts: Array, values: Array) -> Array:
    """Sum over images of a value times how often the image is drawn, (resamples,)."""
    rows = range(0, len(counts), BLOCK)
    values = values.astype(np.float64)
    return np.concatenate([np.zeros(0), *(counts[row : row + BLOCK].astype(np.float64) @ values for row in rows)])
