"""Packing a split's images: in parallel, in shards so that it can be resumed, within a budget of bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from bench.pose.data.filling import filling, spread
from bench.pose.data.images import read_image
from bench.pose.data.instances import Instance
from bench.pose.data.pixels.packed import CHANNELS, Entry, Shard, read_shard, read_shards, stamp
from bench.pose.data.writing import PARTIAL, write_whole
from bench.pose.errors import DataError, ImageError

__all__ = ["Packing", "plan_packing"]

SHARD_IMAGES = 1000
"""Images per shard: about a gigabyte of COCO, which is what an interrupted packing loses of each worker's work."""

GIGA = 1e9

Say = Callable[[str], object]


@dataclass(frozen=True)
class Packing:
    """A planned pack of a split's images.

    Attributes:
        folder: folder of the shards.
        images: folder of the image files.
        shards: names of image files relative to it, by shard.
        bytes: size of their pixels.
        left_out: number of image files over the budget; they are decoded each time.
        left_out_bytes: size of the pixels of these.
    """

    folder: Path
    images: Path
    shards: tuple[tuple[str, ...], ...]
    bytes: int
    left_out: int
    left_out_bytes: int

    def describe(self) -> str:
        """The size in words."""
        count = sum(map(len, self.shards))
        text = f"{count:,} images, {self.bytes / GIGA:.2f} GB -> {self.folder}"
        if not self.left_out:
            return text
        return f"{text}; over the budget: {self.left_out:,} images, {self.left_out_bytes / GIGA:.2f} GB"

    def run(self, say: Say, workers: int = 1) -> list[str]:
        """Write shards that are missing or out of date and remove those that are no longer planned.

        If it is killed, complete shards remain, and another run keeps them.

        Args:
            say: called with lines of progress.
            workers: number of processes.

        Returns:
            Messages about image files that cannot be decoded.

        Raises:
            DataError: there is no room, the folder cannot be written, or another process packs the same split.
        """
        with filling(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self.folder / ".lock", timeout=0):
                    return self._write(say, workers)
            except Timeout:
                raise DataError(f"{self.folder}: another process is packing this split") from None

    def _write(self, say: Say, workers: int) -> list[str]:
        for file in self.folder.glob(f"*{PARTIAL}"):
            file.unlink(missing_ok=True)
        indices = [self.folder / f"{number:05d}.json" for number in range(len(self.shards))]
        kept = {index: self._current(index, names) for index, names in zip(indices, self.shards, strict=True)}
        free, needed = shutil.disk_usage(self.folder).free, self.bytes - sum(one.bytes for one in kept.values() if one)
        if free < needed:
            raise DataError(
                f"{self.folder}: {free / GIGA:.2f} GB free, but {needed / GIGA:.2f} GB are to be written;"
                " set a --budget"
            )
        planned = zip(indices, self.shards, strict=True)
        tasks = [(index, self.images, names) for index, names in planned if not kept[index]]
        problems: list[str] = []
        for done, found in enumerate(spread(_pack_shard, tasks, workers), start=1):
            problems += found
            say(f"{self.folder.name}: {done} of {len(tasks)} shards")
        for index in set(self.folder.glob("[0-9]*.json")) - set(indices):
            index.unlink()
        for file in set(self.folder.glob("*.pixels")) - {shard.pixels_file for shard in read_shards(self.folder)}:
            file.unlink()
        return problems

    def _current(self, index: Path, names: Sequence[str]) -> Shard | None:
        """The shard, if it is complete and holds exactly these images as their files are now."""
        now = {name: found for name in names if (found := stamp(self.images / name))}
        with contextlib.suppress(DataError):
            shard = read_shard(index)
            shard.map()
            return shard if shard.stamps == now else None
        return None


def plan_packing(folder: Path, images: Path, instances: Iterable[Instance], *, budget: int | None = None) -> Packing:
    """Plan to pack the images of instances; only the headers of the image files are read.

    Args:
        folder: folder of the shards.
        images: folder of the image files, links followed.
        instances: their images are packed.
        budget: most bytes of pixels; images with the most instances per byte come first. None for no limit.

    Raises:
        DataError: an image file lies outside the folder.
    """
    uses = Counter(instance.image for instance in instances)
    outside = next((image for image in uses if not image.is_relative_to(images)), None)
    if outside:
        raise DataError(f"{outside}: not in the image folder {images}")
    sizes = {image: _decoded_bytes(image) for image in uses}
    left, taken = sum(sizes.values()) if budget is None else budget, set()
    for image in sorted(uses, key=lambda image: -uses[image] / max(sizes[image], 1)):
        if sizes[image] <= left:
            taken.add(image)
            left -= sizes[image]
    chosen = [str(image.relative_to(images)) for image in uses if image in taken]
    total = sum(sizes[image] for image in taken)
    return Packing(
        folder,
        images,
        shards=tuple(tuple(chosen[at : at + SHARD_IMAGES]) for at in range(0, len(chosen), SHARD_IMAGES)),
        bytes=total,
        left_out=len(uses) - len(chosen),
        left_out_bytes=sum(sizes.values()) - total,
    )


def _decoded_bytes(path: Path) -> int:
    """Bytes of pixels according to an image file's header; 0 for an unreadable file."""
    try:
        with Image.open(path) as image:
            return image.width * image.height * CHANNELS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0


def _pack_shard(task: tuple[Path, Path, Sequence[str]]) -> list[str]:
    """Write one shard, the index last, and return messages about image files that cannot be decoded."""
    index, images, names = task
    entries: dict[str, Entry] = {}
    problems = []
    digest = hashlib.sha256()
    # The process in the name keeps apart a killed packing's worker that still writes.
    partial = index.with_name(f".{index.stem}-{os.getpid()}.pixels{PARTIAL}")
    with partial.open("wb") as file:
        for name in names:
            found, size = stamp(images / name), (0, 0)
            try:
                image = read_image(images / name)
                file.write(image.data)
                digest.update(image.data)
                size = image.shape[:2]
            except ImageError as error:
                problems.append(str(error))
            if found is not None:
                entries[name] = Entry(*size, found)
        file.flush()
        os.fsync(file.fileno())
    shard = Shard(index, digest.hexdigest(), entries)
    partial.replace(shard.pixels_file)
    write_whole(index, shard.as_json())
    return problems
