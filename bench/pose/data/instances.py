"""Instances to crop: the records that readers produce and the loader consumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bench.pose.geometry import Size, box_to_center_scale
from bench.pose.skeletons import Skeleton

__all__ = ["Instance", "Split"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Instance:
    """One annotated or detected instance.

    Attributes:
        image: file of the image.
        image_id: the dataset's id of it.
        annotation_id: the dataset's id of the instance, or the position in the box file for a detection.
        box: x, y, width, height in image px, (4,), after the protocol's clipping.
        keypoints: (keypoints, 2) image px; zeros for a detection.
        visible: (keypoints,) whether labelled; all False for a detection.
        area: in px^2 as annotated; of the box for a detection.
        score: of the detector, 1 for an annotation.
        given_crop: center in image px, (2,), and size in units of 200 px, (2,), of datasets that annotate the crop
            itself; wins over the box.
    """

    image: Path
    image_id: int
    annotation_id: int
    box: npt.NDArray[np.float64]
    keypoints: npt.NDArray[np.float64]
    visible: npt.NDArray[np.bool_]
    area: float
    score: float = 1.0
    given_crop: tuple[Array, Array] | None = None

    def crop(self, size: Size) -> tuple[Array, Array]:
        """Center (px) and scale (units of 200 px) of the person's crop of a height and width (behaviour D13, D27).

        A box grows to the aspect ratio and by the padding; a given crop is taken as it is, and as only the width of a
        scale counts (D14), its height follows the aspect ratio.
        """
        return self.given_crop or box_to_center_scale(self.box, size)


class Split(Protocol):
    """One split of a dataset, opened for reading.

    Attributes:
        folder: the dataset's.
        split: name of the split.
        skeleton: the keypoints that the annotations list.
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
        """Where the instances are read from."""

    @property
    def truth_file(self) -> Path:
        """What predictions are scored against."""

    @property
    def annotated(self) -> bool:
        """Whether the instances are known; if not, there are only images to predict."""

    def instances(self) -> list[Instance]:
        """Annotated instances, in file order. Raises `DataError` if there are none, or the files are unusable."""

    def detections(self, box_file: Path) -> list[Instance]:
        """Instances found by a detector, in the file's order. Raises `DataError` if it or the split is unusable."""
