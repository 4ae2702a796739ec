"""Packed images held in the memory of a device, where whole batches are cropped at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from bench.pose.data.images import read_image
from bench.pose.data.pixels.image_source import CropShape, ImagePixels, Placement, Taken
from bench.pose.data.pixels.names import PixelSource
from bench.pose.data.pixels.packed import PackedImages
from bench.pose.data.pixels.sampling import Sources, sample
from bench.pose.errors import DataError

__all__ = ["GpuCachedImages"]

CHUNK = 1 << 28
"""Bytes copied to the device at a time."""


@dataclass(frozen=True)
class _GpuCachedImage:
    """Where an image lies among the bytes on the device, and its size in px."""

    begin: int
    height: int
    width: int

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write the device's order."""
        into[:4] = self.begin, self.height, self.width, placement.flipped
        into[4:] = cv2.invertAffineTransform(placement.matrix).ravel()


class GpuCachedImages:
    """The packed images of a split on a device.

    Args:
        packed: images; they must be all that are asked for, their files as they were packed.
        device: with room for them.

    Raises:
        DataError: the packed images are unusable, or the device has not the room.
    """

    name: PixelSource = "held"

    def __init__(self, packed: PackedImages, device: torch.device) -> None:
        self._images: dict[Path, _GpuCachedImage] = {}
        begin = 0
        for shard in packed.shards:
            for name, entry, offset in shard.offsets:
                found = _GpuCachedImage(begin + offset, entry.height, entry.width)
                self._images[packed.images / name] = found
            begin += shard.bytes
        self._pixels: Tensor | None = _on_device(packed, device)

    def __getstate__(self) -> dict[str, Any]:
        # Loader processes look up images; the pixels stay where they are.
        return self.__dict__ | {"_pixels": None}

    def room(self, instances: int, shape: CropShape) -> Taken:
        """Of orders, (instances, 10) float64, which hold whole numbers up to 2**53: more bytes than any device has."""
        return np.empty((instances, 10), dtype=np.float64)

    def open(self, path: Path) -> ImagePixels:
        """Where the image lies.

        Raises:
            ImageError: its file cannot be read.
            DataError: its file can be read, but is not held.
        """
        if path not in self._images:
            read_image(path)
            raise DataError(f"{path} is not among the images that the device holds; pack the split again")
        return self._images[path]

    def develop(self, taken: Tensor, shape: CropShape) -> Tensor:
        """Crops (instances, height, width, 3) uint8 on the device, of orders (instances, 10)."""
        assert self._pixels is not None, "only the process that holds the pixels develops"
        orders = taken.to(self._pixels.device, non_blocking=True)
        begins, heights, widths = orders[:, :3].long().unbind(1)
        sources = Sources(begins, heights, widths, orders[:, 3] > 0, orders[:, 4:].unflatten(1, (2, 3)))
        crops = sample(self._pixels, sources, shape.size)
        return crops if shape.color_order == "bgr" else crops.flip(-1)


def _on_device(packed: PackedImages, device: torch.device) -> Tensor:
    """All pixels in one row of bytes. Raises `DataError` if the device has not the room."""
    try:
        pixels = torch.empty(packed.bytes, dtype=torch.uint8, device=device)
    except RuntimeError as error:
        raise DataError(f"{packed.folder}: {packed.bytes / 1e9:.1f} GB do not fit on {device}: {error}") from None
    begin = 0
    for shard in packed.shards:
        mapped = shard.map()
        for at in range(0, len(mapped), CHUNK):
            # A copy, because torch takes no read-only memory.
            chunk = torch.from_numpy(mapped[at : at + CHUNK].copy())
            pixels[begin + at : begin + at + len(chunk)].copy_(chunk)
        begin += len(mapped)
    return pixels
