"""Packed images: the decoded pixels of a split's images in a few files, which are mapped into memory.

    DATASET/packed/SPLIT/    00000.json  00000-HASH.pixels  00001.json ...

An index lists the images in its file of pixels, which bears the first digits of its own sha256: one behind the
other, (height, width, 3) BGR bytes as `read_image` decodes them. An image file that has changed since it was packed, by
its size or its time of modification, is decoded from its file.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bench.pose.data.pixels.image_source import (
    DECODED,
    CropShape,
    DecodedImages,
    DecodedPixels,
    ImagePixels,
    Placement,
    Taken,
)
from bench.pose.data.pixels.names import PixelSource
from bench.pose.data.reading import is_id, read_json
from bench.pose.errors import DataError
from bench.pose.geometry import Size

__all__ = [
    "SCHEMA",
    "PackedImages",
    "PackedPixels",
    "Shard",
    "Stamp",
    "packed_folder",
    "packed_problems",
    "read_shards",
    "stamp",
]

SCHEMA = 1
CHANNELS = 3
CACHE_LINE = 64
"""Bytes."""

HASH = re.compile(r"[0-9a-f]{64}")

OPENED_BYTES = 1 << 28
"""Of images that a process opens before it lets go of their memory. The system still has it for who asks next."""

Array = npt.NDArray[np.uint8]


class Stamp(NamedTuple):
    """What tells an image file from a changed one: its bytes, and when it was modified, in ns since the epoch."""

    bytes: int
    modified: int


def stamp(path: Path) -> Stamp | None:
    """Of an image file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


class Entry(NamedTuple):
    """A packed image: its size in px, and the stamp of the file that it was decoded from."""

    height: int
    width: int
    stamp: Stamp

    @property
    def bytes(self) -> int:
        """That it takes."""
        return self.height * self.width * CHANNELS


@dataclass(frozen=True)
class Shard:
    """One index and its file of pixels.

    Attributes:
        index: file.
        sha256: of the pixels.
        entries: images by file name, relative to the image folder, in the order of their pixels.
        unreadable: stamps of image files that could not be decoded, by name.
    """

    index: Path
    sha256: str
    entries: dict[str, Entry]
    unreadable: dict[str, Stamp]

    @property
    def pixels_file(self) -> Path:
        """Where the pixels lie."""
        return self.index.with_name(f"{self.index.stem}-{self.sha256[:12]}.pixels")

    @property
    def bytes(self) -> int:
        """Of the pixels."""
        return sum(entry.bytes for entry in self.entries.values())

    @property
    def stamps(self) -> dict[str, Stamp]:
        """Of all image files, readable or not."""
        return {name: entry.stamp for name, entry in self.entries.items()} | self.unreadable

    @property
    def offsets(self) -> Iterator[tuple[str, Entry, int]]:
        """Name and entry of each image, and the byte at which its pixels begin."""
        begin = 0
        for name, entry in self.entries.items():
            yield name, entry, begin
            begin += entry.bytes

    def map(self) -> Array:
        """The pixels as one read-only row, shared by all processes. Raises `DataError` if the file is not whole."""
        mapping = self.mapping()
        return np.zeros(0, np.uint8) if mapping is None else np.frombuffer(mapping, np.uint8)

    def mapping(self) -> mmap.mmap | None:
        """The mapped file; None if it has no pixels. Raises `DataError` if it is not whole."""
        size = self.pixels_file.stat().st_size if self.pixels_file.is_file() else -1
        if size != self.bytes:
            found = "is missing" if size < 0 else f"has {size:,} bytes instead of {self.bytes:,}"
            raise DataError(f"{self.pixels_file}: {found}; pack the split again, or remove {self.index.parent}")
        if not size:
            return None
        with self.pixels_file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def as_json(self) -> str:
        """Contents of the index."""
        document = {
            "schema": SCHEMA,
            "sha256": self.sha256,
            "images": {name: [entry.height, entry.width, *entry.stamp] for name, entry in self.entries.items()},
            "unreadable": {name: list(found) for name, found in self.unreadable.items()},
        }
        return json.dumps(document)


def packed_folder(dataset_folder: Path, split: str) -> Path:
    """Where a split's images are packed."""
    return dataset_folder / "packed" / split


def read_shards(folder: Path) -> list[Shard]:
    """The shards in a folder, none if there is no such folder. Raises `DataError` for an index that is not one."""
    return [_read_shard(index) for index in sorted(folder.glob("[0-9]*.json"))]


def packed_problems(folder: Path, images: Path) -> Iterator[str]:
    """What is wrong with packed images, read in full: pixels that have rotted, image files that have changed.

    Raises `DataError` if an index is unusable.
    """
    for shard in read_shards(folder):
        try:
            shard.map()
        except DataError as error:
            yield str(error)
            continue
        with shard.pixels_file.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                yield f"{shard.pixels_file}: its pixels are not those that were packed; remove it and pack again"
        changed = [name for name, found in shard.stamps.items() if stamp(images / name) != found]
        if changed:
            yield f"{shard.index}: {len(changed):,} image files have changed since, such as {changed[0]}; pack again"


def _read_shard(index: Path) -> Shard:
    document: Any = read_json(index)
    try:
        if document["schema"] != SCHEMA:
            raise DataError(f"{index}: of schema {document['schema']}, expected {SCHEMA}; pack the split again")
        entries = {
            name: Entry(_whole(height, least=1), _whole(width, least=1), Stamp(*map(_whole, found)))
            for name, (height, width, *found) in document["images"].items()
        }
        unreadable = {name: Stamp(*map(_whole, found)) for name, found in document["unreadable"].items()}
        if not HASH.fullmatch(document["sha256"]):
            raise ValueError("its sha256 is none")
        return Shard(index, document["sha256"], entries, unreadable)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{index}: no index of packed images ({error!r}); pack the split again") from None


def _whole(value: object, least: int = 0) -> int:
    """A number of px, bytes or ns. Raises `ValueError` if it is none."""
    if not is_id(value) or value < least:
        raise ValueError(f"{value!r:.80} is no whole number from {least}")
    return value


@dataclass(frozen=True)
class PackedPixels(DecodedPixels):
    """A packed image: pixels that lie in memory, but far from the processor."""

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write the crop, (height, width, 3) uint8."""
        self._fetch(placement, shape.size)
        super().take(placement, shape, into)

    def _fetch(self, placement: Placement, size: Size) -> None:
        """Read a byte of each cache line around the crop, row by row.

        A warp jumps through memory and waits for each line; reading ahead in order takes a fraction of that.
        """
        (a, b, x), (c, d, y) = cv2.invertAffineTransform(placement.matrix).tolist()
        height, width = size
        if placement.flipped:
            a, b, x = -a, -b, self.width - 1 - x
        left, right = _span(x, a * width, b * height, self.width)
        top, bottom = _span(y, c * width, d * height, len(self.pixels))
        rows = self.pixels.reshape(len(self.pixels), -1)
        rows[top:bottom, left * CHANNELS : right * CHANNELS : CACHE_LINE].copy()


def _span(start: float, across: float, down: float, end: int) -> tuple[int, int]:
    """First and last but one of the whole px that a parallelogram's side covers, from 0 to `end`."""
    low, high = start + min(across, 0) + min(down, 0), start + max(across, 0) + max(down, 0)
    return max(int(low), 0), max(min(int(high) + 2, end), 0)


@dataclass
class PackedImages(DecodedImages):
    """The packed images of a split; those that are not packed, or have changed, are decoded from their files.

    Attributes:
        folder: of the shards.
        images: folder of the image files, links followed.
    """

    folder: Path
    images: Path
    name: PixelSource = field(default="packed", init=False)
    _opened: dict[Path, PackedPixels | None] = field(default_factory=dict, repr=False)
    _allowance: int = field(default_factory=lambda: OPENED_BYTES, init=False, repr=False)

    @cached_property
    def shards(self) -> list[Shard]:
        """Of the folder. Raises `DataError` if an index is unusable."""
        return read_shards(self.folder)

    @property
    def bytes(self) -> int:
        """Of all pixels."""
        return sum(shard.bytes for shard in self.shards)

    @cached_property
    def _stamps(self) -> dict[Path, Stamp]:
        """Of all image files when they were packed, readable or not."""
        return {self.images / name: found for shard in self.shards for name, found in shard.stamps.items()}

    def holds(self, path: Path) -> bool:
        """Whether an image file was packed as it is now, or found unreadable, or is not there at all."""
        return self._stamps.get(path) == stamp(path)

    def map(self) -> int:
        """Map the shards for this process and those that it forks: from now on the files may be removed.

        Returns:
            How many files are mapped.

        Raises:
            DataError: one is not whole.
        """
        return len(self._mapped)

    @cached_property
    def _mapped(self) -> list[tuple[Shard, mmap.mmap]]:
        """The shards with pixels. Raises `DataError` if a file of pixels is not whole."""
        return [(shard, mapping) for shard in self.shards if (mapping := shard.mapping()) is not None]

    @cached_property
    def _places(self) -> dict[Path, tuple[Array, Entry]]:
        """The bytes and the entry of each packed image. Raises `DataError` if a file of pixels is not whole."""
        return {
            self.images / name: (pixels[begin : begin + entry.bytes], entry)
            for shard, mapping in self._mapped
            for pixels in [np.frombuffer(mapping, np.uint8)]
            for name, entry, begin in shard.offsets
        }

    def __reduce__(self) -> tuple[type[PackedImages], tuple[Path, Path]]:
        # Whoever receives it maps the same files; pickled arrays would be copies.
        return PackedImages, (self.folder, self.images)

    def open(self, path: Path) -> ImagePixels:
        """The packed image, or the decoded file. Raises `ImageError` if it cannot be read."""
        if path not in self._opened:
            self._opened[path] = self._look_up(path)
        found = self._opened[path]
        if found is None:
            return DECODED.open(path)
        self._allowance -= found.pixels.nbytes
        if self._allowance < 0:
            self._let_go()
        return found

    def _let_go(self) -> None:
        """Give back the memory of what was read, which would else count as this process's until all of it is there."""
        self._allowance = OPENED_BYTES
        for _, mapping in self._mapped:
            mapping.madvise(mmap.MADV_DONTNEED)

    def _look_up(self, path: Path) -> PackedPixels | None:
        """The image, if it is packed and its file is as it was then."""
        if path not in self._places:
            return None
        pixels, entry = self._places[path]
        return PackedPixels(pixels.reshape(entry.height, entry.width, CHANNELS)) if stamp(path) == entry.stamp else None
