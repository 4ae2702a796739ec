"""The interface of all sources of pixels, and the plain source, which decodes the image file each time."""

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
from bench.pose.geometry import Size, warp, warp_flipped

__all__ = [
    "DECODED",
    "CropShape",
    "DecodedImages",
    "DecodedPixels",
    "ImagePixels",
    "ImageStore",
    "Placement",
    "Taken",
]

Taken = npt.NDArray[Any]
"""Output of a loader process: the crops themselves, or what a device needs to make them."""


class CropShape(NamedTuple):
    """Height and width of all crops in px, and their color order, "rgb" or "bgr"."""

    size: Size
    color_order: str


class Placement(NamedTuple):
    """Matrix (2, 3) from image px to crop px; if `flipped`, from the px of the flipped image."""

    matrix: npt.NDArray[np.float64]
    flipped: bool = False


class ImagePixels(Protocol):
    """One opened image."""

    @property
    def height(self) -> int:
        """Height in px."""

    @property
    def width(self) -> int:
        """Width in px."""

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write the input of `ImageStore.develop` for one crop into a row of `ImageStore.room`."""


class ImageStore(Protocol):
    """A source of pixels. Each loader process has a copy of it."""

    @property
    def name(self) -> PixelSource:
        """Name of the source."""

    def room(self, instances: int, shape: CropShape) -> Taken:
        """An array with a row to fill for each instance."""

    def open(self, path: Path) -> ImagePixels:
        """The image of an image file. Raises `ImageError` if it cannot be read."""

    def develop(self, taken: Tensor, shape: CropShape) -> Tensor:
        """Crops (instances, height, width, 3) uint8; called in the process that has the network."""


@dataclass(frozen=True)
class DecodedPixels:
    """An image in memory, (height, width, 3) BGR."""

    pixels: npt.NDArray[np.uint8]

    @property
    def height(self) -> int:
        """Height in px."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Width in px."""
        return self.pixels.shape[1]

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write the crop, (height, width, 3) uint8."""
        crop = warp_flipped if placement.flipped else warp
        crop(self.pixels, placement.matrix, shape.size, into)
        if shape.color_order == "rgb":
            cv2.cvtColor(into, cv2.COLOR_BGR2RGB, into)


class DecodedImages:
    """Decodes the image file for each crop."""

    name: PixelSource = "decoded"

    def room(self, instances: int, shape: CropShape) -> Taken:
        """An array of crops, (instances, height, width, 3) uint8."""
        return np.empty((instances, *shape.size, 3), dtype=np.uint8)

    def open(self, path: Path) -> ImagePixels:
        """The decoded file. Raises `ImageError` if it cannot be read."""
        return DecodedPixels(read_image(path))

    def develop(self, taken: Tensor, shape: CropShape) -> Tensor:
        """The crops, unchanged."""
        return taken


DECODED = DecodedImages()
"""The plain source."""
