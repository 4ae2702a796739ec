"""People to crop: the records that readers produce and the loader consumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bench.pose.geometry import Size, box_to_center_scale
from bench.pose.skeletons import Skeleton

__all__ = ["Person", "Split"]

Array = npt.NDArray[Any]


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
        given_crop: centre in image px, (2,), and size in units of 200 px, (2,), of datasets that annotate the crop
            itself; wins over the box.
    """

    image: Path
    image_id: int
    annotation_id: int
    box: npt.NDArray[np.float64]
    joints: npt.NDArray[np.float64]
    visible: npt.NDArray[np.bool_]
    area: float
    score: float = 1.0
    given_crop: tuple[Array, Array] | None = None

    def crop(self, size: Size) -> tuple[Array, Array]:
        """Centre (px) and scale (units of 200 px) of the person's crop of a height and width (behaviour D13, D27).

        A box grows to the aspect ratio and by the padding; a given crop is taken as it is, and as only the width of a
        scale counts (D14), its height follows the aspect ratio.
        """
        return self.given_crop or box_to_center_scale(self.box, size)


class Split(Protocol):
    """One split of a dataset, opened for reading.

    Attributes:
        folder: the dataset's.
        split: name of the split.
        skeleton: the joints that the annotations list.
        protocol: how predictions are scored.
        problems: what was wrong with single entries, which are left out. Reading adds to it.
    """

    folder: Path
    split: str
    skeleton: Skeleton
    protocol: str
    problems: list[str]

    @property
    def image_folder(self) -> Path:
        """The image folder, links followed. Raises `DataError` if there is none."""

    @property
    def annotation_file(self) -> Path:
        """Where the people are read from."""

    @property
    def truth_file(self) -> Path:
        """What predictions are scored against."""

    @property
    def annotated(self) -> bool:
        """Whether the people are known; if not, there are only images to predict."""

    def people(self) -> list[Person]:
        """Annotated people, in file order. Raises `DataError` if there are none, or the files are unusable."""

    def detections(self, box_file: Path) -> list[Person]:
        """People found by a detector, in the order of its file. Raises `DataError` if it or the split is unusable."""
