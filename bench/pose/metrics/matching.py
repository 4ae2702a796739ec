"""COCO's greedy matching of predictions to instances, for many images, similarities and thresholds at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Pairs", "match", "pairs_within_images"]

Array = npt.NDArray[Any]

HIGHEST = 1 - 1e-10
"""No threshold is higher, so that rounding cannot keep a perfect prediction from being matched."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Each prediction with each instance of its image, the pairs of a prediction together and its instances ascending.

    Attributes:
        predictions: (pairs,) positions of predictions.
        instances: (pairs,) positions of instances.
        turns: (pairs,) how many predictions of the image are better.
    """

    predictions: Array
    instances: Array
    turns: Array


def pairs_within_images(prediction_images: Array, instance_images: Array) -> Pairs:
    """All pairs of images.

    Args:
        prediction_images: (predictions,) image of each prediction, ascending; an image's best prediction is first.
        instance_images: (instances,) image of each instance, ascending.
    """
    turns = np.arange(len(prediction_images)) - prediction_images.searchsorted(prediction_images)
    first, last = (instance_images.searchsorted(prediction_images, side) for side in ("left", "right"))
    predictions = np.repeat(np.arange(len(prediction_images)), last - first)
    # Position among the pairs of the same prediction.
    places = np.arange(len(predictions)) - predictions.searchsorted(predictions)
    return Pairs(predictions, first[predictions] + places, turns[predictions])


def match(
    pairs: Pairs,
    similarity: Array,
    *,
    ignored: Array,
    crowd: Array,
    thresholds: Sequence[float],
    predictions: int,
) -> Array:
    """Whom each prediction is matched to, as in pycocotools.

    The predictions of an image choose in turn, each the most similar instance who is free and similar enough; of equals
    the last. Instances who are ignored are chosen only where nobody else can be, and a crowd stays free.

    Args:
        pairs: of predictions and instances.
        similarity: (pairs, kinds); each kind is matched by itself.
        ignored: (instances, kinds) bool.
        crowd: (instances,) bool; crowds must be ignored.
        thresholds: of the similarity.
        predictions: how many there are.

    Returns:
        (predictions, kinds, thresholds) positions of instances, -1 for nobody.
    """
    limits = np.minimum(thresholds, HIGHEST)
    matches = np.full((predictions, ignored.shape[1], len(limits)), -1)
    taken = np.zeros((len(crowd), *matches.shape[1:]), dtype=bool)
    # Few pairs are similar, and no others matter. Those of a turn are of different images, hence of different
    # instances.
    near = np.flatnonzero((similarity >= limits.min()).any(axis=1))
    near = near[np.argsort(pairs.turns[near], kind="stable")]
    similarity, instances = similarity[near], pairs.instances[near]
    # A pair that is preferred has the higher number: the more similar, or the later; above all one who is not ignored.
    order = similarity.argsort(axis=0, kind="stable")
    preference = order.argsort(axis=0) + len(near) * ~ignored[instances]
    similar = similarity[..., None] >= limits
    columns = np.arange(ignored.shape[1])[:, None]
    ends = np.flatnonzero(np.diff(pairs.turns[near], append=-1)) + 1
    for begin, end in pairwise([0, *ends.tolist()]):
        now = slice(begin, end)
        chosen, first = np.unique(pairs.predictions[near[now]], return_index=True)
        free = similar[now] & ~taken[instances[now]]
        best = np.maximum.reduceat(np.where(free, preference[now, :, None], -1), first, axis=0)
        found = best >= 0
        matched = instances[order[best % len(near), columns]]
        matches[chosen] = np.where(found, matched, -1)
        who, kinds, levels = np.nonzero(found & ~crowd[matched])
        taken[matched[who, kinds, levels], kinds, levels] = True
    return matches
