"""People to crop: the records that readers produce and the loader consumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["Person"]


@dataclass(frozen=True, eq=False)
class Person:
    """One annotated or detected person.

    Attributes:
        image: file of the photograph.
        image_id: the dataset's id of it.
        annotation_id: the dataset's id of the person, or the position in the box file for a detection.
        box: x, y, width, height in image px, (4,), after the protocol's clipping.
        joints: (joints, 2) image px; zeros for a detection.
        visible: (joints,) whether labelled; all False for a detection.
        area: in px^2 as annotated; of the box for a detection.
        score: of the detector, 1 for an annotation.
    """

    image: Path
    image_id: int
    annotation_id: int
    box: npt.NDArray[np.float64]
    joints: npt.NDArray[np.float64]
    visible: npt.NDArray[np.bool_]
    area: float
    score: float = 1.0
