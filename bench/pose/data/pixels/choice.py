"""Choice of the source of a split's pixels. It affects speed only, never a pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.pose.data.instances import Instance, Instances, Split
from bench.pose.data.pixels.gpu_cache import GpuCachedImages
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.data.pixels.names import PixelSource
from bench.pose.data.pixels.packed import PackedImages, packed_folder
from bench.pose.errors import DataError
from bench.pose.precision import lacks_float64

__all__ = ["choose_images"]

CACHE_PART = 0.5
"""Part of a GPU's free memory that `auto` gives to pixels; the network needs the rest."""


def choose_images(split: Split, instances: Sequence[Instance], source: PixelSource, device: torch.device) -> ImageStore:
    """The source of a split's pixels.

    Args:
        split: opened split.
        instances: instances that will be cropped.
        source: "decoded" for the image files; "packed" for the packed images; "gpu_cache" for those in GPU memory;
            "auto" for the fastest available one: packed images if there are any, on a GPU with ample memory if they
            are complete.
        device: device of the network.

    Raises:
        DataError: the source is missing or does not fit, or packed images are unusable.
    """
    if source == "decoded":
        return DECODED
    if source == "gpu_cache" and lacks_float64(device):
        raise DataError(f"{device} has no float64, by which cached images are sampled; use packed pixels")
    packed = PackedImages(packed_folder(split.folder, split.split), split.image_folder)
    if not packed.shards:
        if source == "auto":
            return DECODED
        raise DataError(f"{packed.folder}: nothing is packed there; `bench data pack` does it")
    _ = packed.mapped  # refuse incomplete files here rather than in a loader process
    images = Instances.of(instances).images
    if source == "gpu_cache":
        absent = [path for path in images if not packed.holds(path)]
        if absent:
            more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
            raise DataError(f"not packed as they are now: {absent[0]}{more}; pack the split again")
    elif source == "packed" or not _has_room(device, packed.bytes) or not all(map(packed.holds, images)):
        return packed
    return GpuCachedImages(packed, device)


def _has_room(device: torch.device, size: int) -> bool:
    return device.type == "cuda" and size <= CACHE_PART * torch.cuda.mem_get_info(device)[0]
