"""Which source of pixels the crops of a split come from. None changes a pixel: only speed depends on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.pose.data.people import Person, Split
from bench.pose.data.pixels.held import HeldPhotographs
from bench.pose.data.pixels.names import PixelSource
from bench.pose.data.pixels.packed import PackedPhotographs, packed_folder
from bench.pose.data.pixels.source import DECODED, Photographs
from bench.pose.errors import DataError

__all__ = ["choose_photographs"]

HELD_PART = 0.5
"""Of a GPU's free memory that pixels may take unless asked for: the network needs the rest."""


def choose_photographs(
    split: Split, people: Sequence[Person], source: PixelSource, device: torch.device
) -> Photographs:
    """The source of a split's pixels.

    Args:
        split: opened.
        people: of it, who will be cropped.
        source: "decoded" for the image files; "packed" for the packed photographs; "held" for these on the device;
            "auto" for the fastest that is there: packed photographs if there are any, held by a GPU with ample room if
            they are complete.
        device: where the network lives.

    Raises:
        DataError: what was asked for is not there or does not fit, or packed photographs are unusable.
    """
    if source == "decoded":
        return DECODED
    packed = PackedPhotographs(packed_folder(split.folder, split.split), split.image_folder)
    if not packed.shards:
        if source == "auto":
            return DECODED
        raise DataError(f"{packed.folder}: nothing is packed there; `bench data pack` does it")
    packed.map()  # what is not whole is refused here rather than by a loader process
    images = dict.fromkeys(person.image for person in people)
    if source == "held":
        absent = [path for path in images if not packed.holds(path)]
        if absent:
            more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
            raise DataError(f"not packed as they are now: {absent[0]}{more}; pack the split again")
    elif source == "packed" or not _has_room(device, packed.bytes) or not all(map(packed.holds, images)):
        return packed
    return HeldPhotographs(packed, device)


def _has_room(device: torch.device, size: int) -> bool:
    return device.type == "cuda" and size <= HELD_PART * torch.cuda.mem_get_info(device)[0]
