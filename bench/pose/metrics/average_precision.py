"""Average precision of matched detections, on any number of resamples of the images at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision", "recall", "weighted_sum"]

Array = npt.NDArray[Any]

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which precision is read, as in pycocotools."""

EPSILON = np.spacing(1)
"""Number that pycocotools adds to each denominator."""

BLOCK_CELLS = 1 << 20
"""Detections times resamples per block, which should fit into a cache."""

BLOCK = 128
"""Resamples that are converted to floating point at a time."""


def average_precision(counts: Array, images: Array, judged: Array, matched: Array, instances: Array) -> Array:
    """Mean precision at 101 recalls at each threshold, as pycocotools accumulates it.

    An image that is drawn w times counts as w copies of it. Along a run of matched detections, precision rises, so only
    at the ends of runs can it reach a maximum and is it computed; maxima between neighbouring recalls take the place of
    one over all that follows. Most detections are judged at every threshold: these are counted once for all.

    Args:
        counts: (resamples, images) how often each image is drawn, int32.
        images: (detections,) image of each detection, best score first.
        judged: (thresholds, detections) whether it is not ignored.
        matched: (thresholds, detections) whether it is matched to an instance, which counts if it is judged.
        instances: (resamples,) number of instances that count.

    Returns:
        (thresholds, resamples) in 0..1, NaN where no instance counts.
    """
    always = np.all(judged, axis=0)
    runs = [_Runs.of(*flags, always=always) for flags in zip(judged, matched, strict=True)]
    found = np.zeros((len(runs), len(counts)))
    in_all = images[always]
    rows = max(BLOCK_CELLS // max(len(images), 1), 1)
    for first in range(0, len(counts), rows):
        block = slice(first, first + rows)
        totals = _totals(counts[block], in_all)
        for values, ends in zip(found, runs, strict=True):
            if ends.last.size:
                true, all_judged = ends.counted(counts[block], images, totals)
                precision = true / (all_judged + EPSILON)
                values[block] = _interpolate(precision, true, instances[block]).mean(axis=1)
    return np.where(instances > 0, found, np.nan)


@dataclass(frozen=True)
class _Runs:
    """Runs of matched detections, with nothing judged between them, at one threshold.

    Attributes:
        first: (2, runs) how many detections are before the first of each run: of those that are judged at every
            threshold, and of the others.
        last: (2, runs) how many there are up to its last, likewise.
        others: (others,) positions of detections that are judged at this threshold and not at every one.
    """

    first: Array
    last: Array
    others: Array

    @classmethod
    def of(cls, judged: Array, matched: Array, *, always: Array) -> _Runs:
        """Runs of one threshold; all arguments (detections,) bool."""
        positions = np.flatnonzero(judged)
        hits = np.concatenate([[False], matched[positions], [False]])
        begins = positions[np.flatnonzero(hits[1:-1] & ~hits[:-2])]
        ends = positions[np.flatnonzero(hits[1:-1] & ~hits[2:])] + 1
        others = judged & ~always
        before = np.zeros((2, len(judged) + 1), dtype=np.int64)
        np.stack([always, others]).cumsum(axis=1, out=before[:, 1:])
        return cls(before[:, begins], before[:, ends], np.flatnonzero(others))

    def counted(self, counts: Array, images: Array, totals: Array) -> tuple[Array, Array]:
        """The hits and the judged detections up to the end of each run, both (resamples, runs)."""
        judged = totals.take(self.last[0], axis=1)
        in_runs = judged - totals.take(self.first[0], axis=1)
        if len(self.others):
            others = _totals(counts, images[self.others])
            up_to_last = others.take(self.last[1], axis=1)
            judged += up_to_last
            in_runs += up_to_last - others.take(self.first[1], axis=1)
        return in_runs.cumsum(axis=1, dtype=np.int32), judged


def _totals(counts: Array, images: Array) -> Array:
    """How often the first 0, 1, 2, ... detections are drawn, (resamples, 1 + detections)."""
    totals = np.zeros((len(counts), 1 + len(images)), dtype=np.int32)
    counts.take(images, axis=1).cumsum(axis=1, out=totals[:, 1:])
    return totals


def _interpolate(precision: Array, true: Array, instances: Array) -> Array:
    """The largest precision at each of `RECALLS` or a higher recall, (resamples, 101), 0 where it is not reached.

    Args:
        precision: (resamples, runs) at the end of each run.
        true: (resamples, runs) hits so far.
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


def recall(counts: Array, images: Array, judged: Array, matched: Array, instances: Array) -> Array:
    """Part of the counted instances that were found; arguments and result as in `average_precision`."""
    found = [np.bincount(images[hits], minlength=counts.shape[1]) for hits in judged & matched]
    return weighted_sum(counts, np.stack(found, axis=1)).T / np.where(instances > 0, instances, np.nan)


def weighted_sum(counts: Array, values: Array) -> Array:
    """Sums over images of values, (images, ...), times how often the image is drawn, (resamples, ...)."""
    rows = range(0, len(counts), BLOCK)
    values = values.astype(np.float64)
    sums = [counts[row : row + BLOCK].astype(np.float64) @ values for row in rows]
    return np.concatenate([np.zeros((0, *values.shape[1:])), *sums])
