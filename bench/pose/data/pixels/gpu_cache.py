"""GPU cache: packed images in the memory of a device, which crops whole batches at once."""

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
class _CachedImage:
    """Position of an image's first byte on the device, and its size in px."""

    begin: int
    height: int
    width: int

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write what the device needs to make the crop; see `GpuCachedImages.room`."""
        into[:4] = self.begin, self.height, self.width, placement.flipped
        into[4:] = cv2.invertAffineTransform(placement.matrix).ravel()


class GpuCachedImages:
    """The packed images of a split on a device.

    Args:
        packed: all images that will be asked for, packed from their files as they are now.
        device: device with enough free memory.

    Raises:
        DataError: the packed images are unusable, or the device has too little memory.
    """

    name: PixelSource = "gpu_cache"

    def __init__(self, packed: PackedImages, device: torch.device) -> None:
        self._images: dict[Path, _CachedImage] = {}
        try:
            self._pixels: Tensor | None = torch.empty(packed.bytes, dtype=torch.uint8, device=device)
        except RuntimeError as error:
            raise DataError(f"{packed.folder}: {packed.bytes / 1e9:.1f} GB do not fit on {device}: {error}") from None
        begin = 0
        for shard, mapped in zip(packed.shards, packed.mapped, strict=True):
            for name, entry, offset in shard.offsets:
                self._images[packed.images / name] = _CachedImage(begin + offset, entry.height, entry.width)
            for at in range(0, shard.bytes, CHUNK):
                chunk = bytearray(mapped[at : at + CHUNK])  # torch takes no read-only memory
                self._pixels[begin + at : begin + at + len(chunk)].copy_(torch.frombuffer(chunk, dtype=torch.uint8))
            begin += shard.bytes

    def __getstate__(self) -> dict[str, Any]:
        # Loader processes only look up images; the pixels stay in this process.
        return self.__dict__ | {"_pixels": None}

    def room(self, instances: int, shape: CropShape) -> Taken:
        """An array (instances, 10) float64, which is exact for the positions of bytes.

        A row is the first byte, height and width of the image, whether it is flipped, and the inverse matrix (2, 3).
        """
        return np.empty((instances, 10), dtype=np.float64)

    def open(self, path: Path) -> ImagePixels:
        """The place of an image on the device.

        Raises:
            ImageError: its file cannot be read.
            DataError: its file can be read, but is not in the cache.
        """
        if path not in self._images:
            read_image(path)
            raise DataError(f"{path} is not among the images that the device holds; pack the split again")
        return self._images[path]

    def develop(self, taken: Tensor, shape: CropShape) -> Tensor:
        """Crops (instances, height, width, 3) uint8 on the device; `taken` is as in `room`."""
        assert self._pixels is not None, "only the process that holds the pixels develops"
        rows = taken.to(self._pixels.device, non_blocking=True)
        begins, heights, widths = rows[:, :3].long().unbind(1)
        sources = Sources(begins, heights, widths, rows[:, 3] > 0, rows[:, 4:].unflatten(1, (2, 3)))
        crops = sample(self._pixels, sources, shape.size)
        return crops if shape.color_order == "bgr" else crops.flip(-1)
