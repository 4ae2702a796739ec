"""Instances and splits: the output of readers and the input of the loader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.layout import COCO_LAYOUT, Layout
from bench.pose.geometry import Size, box_to_center_scale
from bench.pose.skeletons import Skeleton

__all__ = ["Instance", "Split"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Instance:
    """One annotated or detected instance.

    Attributes:
        image: image file.
        image_id: the dataset's id of the image.
        annotation_id: the dataset's id of the instance, or the position in the box file for a detection.
        box: x, y, width, height in image px, (4,), after the protocol's clipping.
        keypoints: (keypoints, 2) image px; zeros for a detection.
        visible: (keypoints,) whether labelled; all False for a detection.
        area: annotated area in px^2; the box's for a detection.
        score: the detector's score, 1 for an annotation.
        given_crop: center in image px, (2,), and size in units of 200 px, (2,), for datasets that annotate the crop
            itself; used instead of the box.
        image_size: height and width of the image in px, as annotated; None if they are not.
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
    image_size: Size | None = None

    def crop(self, size: Size) -> tuple[Array, Array]:
        """Center (px) and scale (units of 200 px) of a crop of this height and width (behaviour D13, D27).

        A box grows to the aspect ratio and by the padding; a given crop is taken as it is, and as only the width of a
        scale counts (D14), its height follows the aspect ratio.
        """
        return self.given_crop or box_to_center_scale(self.box, size)


@dataclass
class Split(ABC):
    """One split of a dataset, opened for reading.

    Attributes:
        folder: the dataset's folder.
        split: name of the split.
        skeleton: keypoints of the annotations.
        layout: paths of annotations and images.
        protocol: "coco", "crowdpose" or "mpii", the way predictions are scored.
        subset: number of its images that are used, see `first_images`; None for all.
        allow_links: whether images may be links out of their folder.
        held_out: number of its first images that are not used; None for none.
        problems: messages about entries that are left out for a fault, or judged otherwise than they look; reading adds
            to it.
        notes: messages about what is left out by rule, or was understood although it is written otherwise.
    """

    folder: Path
    split: str
    skeleton: Skeleton
    layout: Layout = COCO_LAYOUT
    protocol: str = "coco"
    subset: int | None = None
    allow_links: bool = False
    held_out: int | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def annotation_file(self) -> Path:
        """File of the annotations."""
        return self.layout.annotation_file(self.folder, self.split)

    @property
    def truth_file(self) -> Path:
        """File that predictions are scored against."""
        return self.layout.truth_file(self.folder, self.split)

    @property
    def annotated(self) -> bool:
        """Whether the instances are published; if not, there are only images to predict."""
        return self.layout.annotated

    @cached_property
    def image_folder(self) -> Path:
        """The image folder, links followed. Raises `DataError` if there is none."""
        return self.layout.image_folder(self.folder, self.split)

    @abstractmethod
    def instances(self) -> list[Instance]:
        """Annotated instances, in file order. Raises `DataError` if there are none, or the files are unusable."""

    @abstractmethod
    def detections(self, box_file: Path) -> list[Instance]:
        """Detected instances, in the file's order. Raises `DataError` if the file or the split is unusable."""
