"""COCO's greedy matching of predictions to people, for several similarities and thresholds at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["match"]

Array = npt.NDArray[Any]

HIGHEST = 1 - 1e-10
"""No threshold is higher, so that rounding cannot keep a perfect prediction from being matched."""


def match(similarity: Array, ignored: Array, crowd: Array, thresholds: Sequence[float]) -> Array:
    """Whom each prediction of an image is matched to, as in pycocotools.

    Predictions choose in turn, each the most similar person who is free and similar enough; of equals the last. People
    who are ignored are chosen only where nobody else can be, and a crowd stays free.

    Args:
        similarity: (predictions, people, kinds) in 0..1, best prediction first; each kind is matched by itself.
        ignored: (people, kinds) bool.
        crowd: (people,) bool; crowds must be ignored.
        thresholds: of the similarity.

    Returns:
        (predictions, kinds, thresholds) positions of people, -1 for nobody.
    """
    predictions, people, kinds = similarity.shape
    matches = np.full((predictions, kinds, len(thresholds)), -1)
    if not people:
        return matches
    limits = np.minimum(thresholds, HIGHEST)
    # People last and in reverse: `argmax` takes the first of equals.
    values = similarity[:, ::-1].transpose(0, 2, 1)[:, :, None, :]
    similar = values >= limits[:, None]
    # An ignored person is behind everybody who counts.
    ranks = values - 2.0 * ignored[::-1].T[:, None, :]
    closed = np.zeros(similar.shape[1:], dtype=bool)
    rows, columns = np.ogrid[:kinds, : len(limits)]
    once = ~crowd[::-1]
    for prediction in range(predictions):
        open_ = similar[prediction] & ~closed
        best = np.where(open_, ranks[prediction], -np.inf).argmax(axis=-1)
        found = open_[rows, columns, best]
        closed[rows, columns, best] |= found & once[best]
        matches[prediction] = np.where(found, people - 1 - best, -1)
    return matches
