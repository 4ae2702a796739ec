"""The interface of all sources of pixels, and the plain one: decode the image file each time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from bench.pose.data.images import read_image
from bench.pose.data.pixels.names import PixelSource
from bench.pose.geometry import Size, warp, warp_mirrored

__all__ = [
    "DECODED",
    "CropShape",
    "DecodedPhotographs",
    "DecodedPixels",
    "Photograph",
    "Photographs",
    "Placement",
    "Taken",
]

Taken = npt.NDArray[Any]
"""What a loader takes of photographs: the crops themselves, or what a device needs to make them."""


class CropShape(NamedTuple):
    """What all crops have in common: height and width in px, and "rgb" or "bgr"."""

    size: Size
    color_order: str


class Placement(NamedTuple):
    """Where a crop lies: the matrix (2, 3) from image px to crop px; where `mirrored`, from the mirrored image's."""

    matrix: npt.NDArray[np.float64]
    mirrored: bool = False


class Photograph(Protocol):
    """One image, or what stands for it."""

    @property
    def width(self) -> int:
        """In px."""

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write what `Photographs.develop` makes a crop of into a row of `Photographs.room`."""


class Photographs(Protocol):
    """A source of pixels. Loader processes have copies of it."""

    @property
    def name(self) -> PixelSource:
        """Of the source."""

    def room(self, people: int, shape: CropShape) -> Taken:
        """An array with a row to fill for each person."""

    def open(self, path: Path) -> Photograph:
        """The photograph of an image file. Raises `ImageError` if it cannot be read."""

    def develop(self, taken: Tensor, shape: CropShape) -> Tensor:
        """Crops (people, height, width, 3) uint8 of what was taken; in the process that has the network."""


@dataclass(frozen=True)
class DecodedPixels:
    """A photograph in memory, (height, width, 3) BGR."""

    pixels: npt.NDArray[np.uint8]

    @property
    def width(self) -> int:
        """In px."""
        return self.pixels.shape[1]

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write the crop, (height, width, 3) uint8."""
        crop = warp_mirrored if placement.mirrored else warp
        crop(self.pixels, placement.matrix, shape.size, into)
        if shape.color_order == "rgb":
            cv2.cvtColor(into, cv2.COLOR_BGR2RGB, into)


class DecodedPhotographs:
    """Decodes the image file for each crop."""

    name: PixelSource = "decoded"

    def room(self, people: int, shape: CropShape) -> Taken:
        """Of crops, (people, height, width, 3) uint8."""
        return np.empty((people, *shape.size, 3), dtype=np.uint8)

    def open(self, path: Path) -> Photograph:
        """The decoded file. Raises `ImageError` if it cannot be read."""
        return DecodedPixels(read_image(path))

    def develop(self, taken: Tensor, shape: CropShape) -> Tensor:
        """The crops as they were taken."""
        return taken


DECODED = DecodedPhotographs()
"""The plain source, which needs nothing but the image files."""
