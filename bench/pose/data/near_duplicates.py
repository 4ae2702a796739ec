"""Groups of pictures that show nearly the same: one photograph in two sizes, or two moments of one scene.

Pictures are compared by the differences between neighbouring cells of a 16 x 16 grid of their grey values, as a
correlation: brightness, contrast, size and compression hardly matter, and smooth skies do not look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["ALIKE", "fingerprint", "near_duplicates"]

Array = npt.NDArray[Any]

ALIKE = 0.7
"""Least correlation of near-duplicates.

Measured by looking at pairs among 7,000 photographs of Leeds Sports Pose Extended: of 37 pairs from 0.75 on, 36 are one
photograph (mostly above 0.97) or two moments of one scene; of 12 from 0.7 to 0.75, 9 are, and the others share a broad
white frame; of 13 from 0.65 to 0.7, half have nothing in common.
"""

GRID = 16
ROWS = 1000
"""Pictures that are compared with all others at a time."""


def fingerprint(picture: Array) -> Array:
    """What a picture (height, width, 3) BGR uint8 is compared by: a unit vector, 0 for one without any contrast."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    steps = np.concatenate([np.diff(cells, axis=0).ravel(), np.diff(cells, axis=1).ravel()])
    return np.asarray(steps / max(float(np.linalg.norm(steps)), 1.0))


def near_duplicates(views: Sequence[Array]) -> Array:
    """The group of each picture, (pictures,) integers: equal for near-duplicates, and for those of near-duplicates.

    Args:
        views: fingerprints of the pictures, (pictures, length) float32 each: of the whole pictures, and of parts of
            them, which tell that one is a cutout of another. Pictures alike in one view are near-duplicates.
    """
    count = len(views[0])
    pairs = [
        np.argwhere(view[start : start + ROWS] @ view[start:].T >= ALIKE) + start
        for view in views
        for start in range(0, count, ROWS)
    ]
    rows, columns = np.concatenate([np.zeros((0, 2), dtype=np.int64), *pairs]).T
    alike = coo_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(count, count))
    return np.asarray(connected_components(alike, directed=False)[1])
