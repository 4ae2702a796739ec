"""Packed images: the decoded pixels of a split's images in a few files, which are mapped into memory.

    DATASET/packed/SPLIT/    00000.json  00000-HASH.pixels  00001.json ...

A file of pixels has the first digits of its sha256 in its name. It holds (height, width, 3) BGR bytes as `read_image`
decodes them, one image after another, in the order of its index. An image file whose size or modification time has
changed since it was packed is decoded again.
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
from bench.pose.geometry import transform_points

__all__ = [
    "PackedImages",
    "PackedPixels",
    "Shard",
    "Stamp",
    "packed_folder",
    "packed_problems",
    "read_shard",
    "read_shards",
    "stamp",
]

SCHEMA = 2
CHANNELS = 3
CACHE_LINE = 64
"""Bytes."""

HASH = re.compile(r"[0-9a-f]{64}")

OPENED_BYTES = 1 << 28
"""Bytes of images that a process opens before it releases their memory; the system keeps them in its page cache."""

Mapped = mmap.mmap | bytes
"""Bytes of a file; an empty file cannot be mapped."""


class Stamp(NamedTuple):
    """Size of an image file in bytes and its modification time in ns since the epoch."""

    bytes: int
    modified: int


def stamp(path: Path) -> Stamp | None:
    """The stamp of an image file; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


class Entry(NamedTuple):
    """Height and width of a packed image in px, both 0 if it could not be decoded, and its file's stamp."""

    height: int
    width: int
    stamp: Stamp

    @property
    def bytes(self) -> int:
        """Number of bytes of its pixels."""
        return self.height * self.width * CHANNELS


@dataclass(frozen=True)
class Shard:
    """One index and its file of pixels.

    Attributes:
        index: index file.
        sha256: hash of the pixels.
        entries: images by file name relative to the image folder, in the order of their pixels.
    """

    index: Path
    sha256: str
    entries: dict[str, Entry]

    @property
    def pixels_file(self) -> Path:
        """Path of the pixels."""
        return self.index.with_name(f"{self.index.stem}-{self.sha256[:12]}.pixels")

    @property
    def bytes(self) -> int:
        """Number of bytes of all pixels."""
        return sum(entry.bytes for entry in self.entries.values())

    @property
    def stamps(self) -> dict[str, Stamp]:
        """Stamps of the image files by name."""
        return {name: entry.stamp for name, entry in self.entries.items()}

    @property
    def offsets(self) -> Iterator[tuple[str, Entry, int]]:
        """Name and entry of each decodable image, and the byte at which its pixels begin."""
        begin = 0
        for name, entry in self.entries.items():
            if entry.bytes:
                yield name, entry, begin
            begin += entry.bytes

    def map(self) -> Mapped:
        """The pixels, read-only and shared by all processes. Raises `DataError` if the file is incomplete."""
        size = self.pixels_file.stat().st_size if self.pixels_file.is_file() else -1
        if size != self.bytes:
            found = "is missing" if size < 0 else f"has {size:,} bytes instead of {self.bytes:,}"
            raise DataError(f"{self.pixels_file}: {found}; pack the split again, or remove {self.index.parent}")
        if not size:
            return b""
        with self.pixels_file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def as_json(self) -> str:
        """Contents of the index file."""
        images = {name: [entry.height, entry.width, *entry.stamp] for name, entry in self.entries.items()}
        return json.dumps({"schema": SCHEMA, "sha256": self.sha256, "images": images})


def packed_folder(dataset_folder: Path, split: str) -> Path:
    """Folder of a split's packed images."""
    return dataset_folder / "packed" / split


def read_shards(folder: Path) -> list[Shard]:
    """The shards in a folder; empty if there is no such folder. Raises `DataError` for an unusable index."""
    return [read_shard(index) for index in sorted(folder.glob("[0-9]*.json"))]


def read_shard(index: Path) -> Shard:
    """The shard of an index file. Raises `DataError` if the file is missing or unusable."""
    document: Any = read_json(index)
    try:
        if document["schema"] != SCHEMA:
            raise DataError(f"{index}: schema {document['schema']}, expected {SCHEMA}; pack the split again")
        entries = {
            name: Entry(height, width, Stamp(*found)) for name, (height, width, *found) in document["images"].items()
        }
        for value in (value for entry in entries.values() for value in (entry.height, entry.width, *entry.stamp)):
            if not is_id(value) or value < 0:
                raise ValueError(f"{value!r:.80} is not a whole number from 0")
        if not HASH.fullmatch(document["sha256"]):
            raise ValueError("its sha256 is not a hash")
        return Shard(index, document["sha256"], entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{index}: not an index of packed images ({error!r}); pack the split again") from None


def packed_problems(folder: Path, images: Path) -> Iterator[str]:
    """Problems of packed images, which are read in full: damaged pixels and changed image files.

    Raises `DataError` if an index is unusable.
    """
    for shard in read_shards(folder):
        try:
            pixels = shard.map()
        except DataError as error:
            yield str(error)
            continue
        if hashlib.sha256(pixels).hexdigest() != shard.sha256:
            yield f"{shard.pixels_file}: its pixels are not those that were packed; remove it and pack again"
        changed = [name for name, found in shard.stamps.items() if stamp(images / name) != found]
        if changed:
            yield f"{shard.index}: {len(changed):,} image files have changed since, such as {changed[0]}; pack again"


@dataclass(frozen=True)
class PackedPixels(DecodedPixels):
    """A packed image: pixels that are in memory, but seldom in the processor's cache."""

    def take(self, placement: Placement, shape: CropShape, into: Taken) -> None:
        """Write the crop, (height, width, 3) uint8."""
        # Read a byte of each cache line around the crop in order. The warp jumps and would wait for each line.
        height, width = shape.size
        inverse = np.asarray(cv2.invertAffineTransform(placement.matrix), dtype=np.float64)
        corners = transform_points([[0, 0], [width, 0], [0, height], [width, height]], inverse)
        if placement.flipped:
            corners[:, 0] = self.width - 1 - corners[:, 0]
        left, top = np.maximum(corners.min(axis=0), 0).astype(int)
        right, bottom = np.maximum(corners.max(axis=0) + 2, 0).astype(int)
        rows = self.pixels.reshape(len(self.pixels), -1)
        rows[top:bottom, left * CHANNELS : right * CHANNELS : CACHE_LINE].copy()
        super().take(placement, shape, into)


@dataclass
class PackedImages(DecodedImages):
    """The packed images of a split; images that are not packed, or have changed, are decoded from their files.

    Attributes:
        folder: folder of the shards.
        images: folder of the image files, links followed.
    """

    folder: Path
    images: Path
    name: PixelSource = field(default="packed", init=False)
    _opened: dict[Path, PackedPixels | None] = field(default_factory=dict, init=False, repr=False)
    _opened_bytes: int = field(default=0, init=False, repr=False)

    @cached_property
    def shards(self) -> list[Shard]:
        """The folder's shards. Raises `DataError` if an index is unusable."""
        return read_shards(self.folder)

    @property
    def bytes(self) -> int:
        """Number of bytes of all pixels."""
        return sum(shard.bytes for shard in self.shards)

    @cached_property
    def mapped(self) -> list[Mapped]:
        """Pixels of each shard, mapped for this process and its forks, which no longer need the files.

        Raises:
            DataError: a file is incomplete.
        """
        return [shard.map() for shard in self.shards]

    @cached_property
    def _entries(self) -> dict[Path, tuple[Entry, int, int]]:
        """Entry of each packed image, the position of its shard, and the byte at which its pixels begin."""
        return {
            self.images / name: (entry, number, begin)
            for number, shard in enumerate(self.shards)
            for name, entry, begin in shard.offsets
        }

    @cached_property
    def _stamps(self) -> dict[Path, Stamp]:
        return {self.images / name: found for shard in self.shards for name, found in shard.stamps.items()}

    def holds(self, path: Path) -> bool:
        """Whether the pack still describes an image file: packed and unchanged, undecodable, or missing."""
        return self._stamps.get(path) == stamp(path)

    def __reduce__(self) -> tuple[type[PackedImages], tuple[Path, Path]]:
        # The receiver maps the same files; pickled arrays would be copies.
        return PackedImages, (self.folder, self.images)

    def open(self, path: Path) -> ImagePixels:
        """The packed image, or the decoded file. Raises `ImageError` if it cannot be read."""
        if path not in self._opened:
            self._opened[path] = self._find(path)
        found = self._opened[path]
        if found is None:
            return DECODED.open(path)
        self._opened_bytes += found.pixels.nbytes
        if self._opened_bytes > OPENED_BYTES:
            # Release the pages that were read, or they count as this process's own memory.
            self._opened_bytes = 0
            for pixels in self.mapped:
                if isinstance(pixels, mmap.mmap):
                    pixels.madvise(mmap.MADV_DONTNEED)
        return found

    def _find(self, path: Path) -> PackedPixels | None:
        if path not in self._entries:
            return None
        entry, shard, begin = self._entries[path]
        if stamp(path) != entry.stamp:
            return None
        pixels = np.frombuffer(self.mapped[shard], np.uint8, entry.bytes, begin)
        return PackedPixels(pixels.reshape(entry.height, entry.width, CHANNELS))
