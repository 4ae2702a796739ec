"""Which source of pixels the crops of a split come from. None changes a pixel: only speed depends on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.pose.data.instances import Instance, Split
from bench.pose.data.pixels.gpu_cache import GpuCachedImages
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.data.pixels.names import PixelSource
from bench.pose.data.pixels.packed import PackedImages, packed_folder
from bench.pose.errors import DataError

__all__ = ["choose_images"]

HELD_PART = 0.5
"""Of a GPU's free memory that pixels may take unless asked for: the network needs the rest."""


def choose_images(split: Split, instances: Sequence[Instance], source: PixelSource, device: torch.device) -> ImageStore:
    """The source of a split's pixels.

    Args:
        split: opened.
        instances: of it, who will be cropped.
        source: "decoded" for the image files; "packed" for the packed images; "held" for these on the device;
            "auto" for the fastest that is there: packed images if there are any, held by a GPU with ample room if
            they are complete.
        device: where the network lives.

    Raises:
        DataError: what was asked for is not there or does not fit, or packed images are unusable.
    """
    if source == "decoded":
        return DECODED
    packed = PackedImages(packed_folder(split.folder, split.split), split.image_folder)
    if not packed.shards:
        if source == "auto":
            return DECODED
        raise DataError(f"{packed.folder}: nothing is packed there; `bench data pack` does it")
    packed.map()  # what is not whole is refused here rather than by a loader process
    images = dict.fromkeys(instance.image for instance in instances)
    if source == "held":
        absent = [path for path in images if not packed.holds(path)]
        if absent:
            more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
            raise DataError(f"not packed as they are now: {absent[0]}{more}; pack the split again")
    elif source == "packed" or not _has_room(device, packed.bytes) or not all(map(packed.holds, images)):
        return packed
    return GpuCachedImages(packed, device)


def _has_room(device: torch.device, size: int) -> bool:
    return device.type == "cuda" and size <= HELD_PART * torch.cuda.mem_get_info(device)[0]
