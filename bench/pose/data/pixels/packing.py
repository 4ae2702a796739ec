"""Packing a split's images: in parallel, in shards so that it can be resumed, within a budget of bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from bench.pose.data.filling import filling, spread
from bench.pose.data.images import read_image
from bench.pose.data.instances import Instance
from bench.pose.data.pixels.packed import CHANNELS, Entry, Shard, Stamp, read_shards, stamp
from bench.pose.data.writing import PARTIAL, write_whole
from bench.pose.errors import DataError, ImageError

__all__ = ["Packing", "plan_packing"]

SHARD_IMAGES = 1000
"""Images per shard: about a gigabyte of COCO, which is what an interrupted packing loses of each worker's work."""

GIGA = 1e9

Say = Callable[[str], object]


@dataclass(frozen=True)
class Packing:
    """What is to be packed.

    Attributes:
        folder: of the shards.
        images: folder of the image files.
        shards: names of image files relative to it, by shard.
        bytes: that their pixels take.
        left_out: image files for which the budget has no room; they are decoded each time.
        left_out_bytes: that these would take.
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
        """Write the shards that are missing or out of date and remove what is no longer wanted.

        Killed at any moment it leaves whole shards, which another run keeps.

        Args:
            say: hears how far it is.
            workers: processes.

        Returns:
            What is wrong with image files that cannot be decoded; readers find out the same.

        Raises:
            DataError: there is no room, the folder cannot be written, or another process packs the same.
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
        there = {shard.index.name: shard for shard in _sound_shards(self.folder)}
        kept = {number: there.get(_index_name(number)) for number in range(len(self.shards))}
        todo = [number for number, shard in kept.items() if shard is None or not self._current(number, shard)]
        kept_bytes = sum(shard.bytes for number, shard in kept.items() if shard and number not in todo)
        self._check_room(self.bytes - kept_bytes)
        problems: list[str] = []
        for done, found in enumerate(self._packed(todo, workers), start=1):
            problems += found
            say(f"{self.folder.name}: {done} of {len(todo)} shards")
        self._tidy()
        return problems

    def _current(self, number: int, shard: Shard) -> bool:
        """Whether a shard holds just these images, and their files are as they were."""
        now = {name: stamp(self.images / name) for name in self.shards[number]}
        return shard.stamps == {name: found for name, found in now.items() if found}

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise DataError(
                f"{self.folder}: {free / GIGA:.2f} GB free, but {needed / GIGA:.2f} GB are to be written;"
                " set a --budget"
            )

    def _packed(self, numbers: Sequence[int], workers: int) -> Iterator[list[str]]:
        """Write shards; what was wrong with each, as they are done."""
        tasks = [(self.folder, number, self.images, self.shards[number]) for number in numbers]
        yield from spread(_pack_shard, tasks, workers)

    def _tidy(self) -> None:
        """Remove shards beyond the last, and files of pixels that no index names."""
        wanted = {_index_name(number) for number in range(len(self.shards))}
        for index in set(self.folder.glob("[0-9]*.json")):
            if index.name not in wanted:
                index.unlink()
        named = {shard.pixels_file for shard in read_shards(self.folder)}
        for file in set(self.folder.glob("*.pixels")) - named:
            file.unlink()


def plan_packing(folder: Path, images: Path, instances: Sequence[Instance], *, budget: int | None = None) -> Packing:
    """What packing the images of instances takes; only the headers of the image files are read.

    Args:
        folder: for the shards.
        images: folder of the image files, links followed.
        instances: whose images are wanted.
        budget: bytes of pixels at the most; images with the most instances per byte come first. None for no limit.

    Raises:
        DataError: an image file lies outside the folder.
    """
    uses = Counter(_name(instance.image, images) for instance in instances)
    sizes = {name: _decoded_bytes(images / name) for name in uses}
    chosen = list(uses) if budget is None else _affordable(uses, sizes, budget)
    total = sum(sizes[name] for name in chosen)
    return Packing(
        folder,
        images,
        shards=tuple(tuple(chosen[at : at + SHARD_IMAGES]) for at in range(0, len(chosen), SHARD_IMAGES)),
        bytes=total,
        left_out=len(uses) - len(chosen),
        left_out_bytes=sum(sizes.values()) - total,
    )


def _affordable(uses: Mapping[str, int], sizes: Mapping[str, int], budget: int) -> list[str]:
    """Names, in the order that they came in, of what saves the most decoding within the budget."""
    taken, left = set(), budget
    for name in sorted(uses, key=lambda name: -uses[name] / max(sizes[name], 1)):
        if sizes[name] <= left:
            taken.add(name)
            left -= sizes[name]
    return [name for name in uses if name in taken]


def _name(image: Path, images: Path) -> str:
    if not image.is_relative_to(images):
        raise DataError(f"{image}: not in the image folder {images}")
    return str(image.relative_to(images))


def _decoded_bytes(path: Path) -> int:
    """Bytes of pixels that an image file's header promises; 0 for one that cannot be read."""
    try:
        with Image.open(path) as image:
            return image.width * image.height * CHANNELS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0


def _sound_shards(folder: Path) -> list[Shard]:
    """Shards whose pixels are there in full; none where an index is unusable, so that all are made anew."""
    try:
        shards = read_shards(folder)
    except DataError:
        return []
    sound = []
    for shard in shards:
        with contextlib.suppress(DataError):
            shard.map()
            sound.append(shard)
    return sound


def _index_name(number: int) -> str:
    return f"{number:05d}.json"


def _pack_shard(task: tuple[Path, int, Path, Sequence[str]]) -> list[str]:
    """Write one shard, the index last; what is wrong with image files that cannot be decoded."""
    folder, number, images, names = task
    entries: dict[str, Entry] = {}
    unreadable: dict[str, Stamp] = {}
    problems = []
    digest = hashlib.sha256()
    # A file of its own, should a killed packing's process still write.
    pixels_file = folder / f".{number:05d}-{os.getpid()}.pixels{PARTIAL}"
    with pixels_file.open("wb") as file:
        for name in names:
            found = stamp(images / name)
            try:
                image = read_image(images / name)
            except ImageError as error:
                problems.append(str(error))
                if found is not None:
                    unreadable[name] = found
                continue
            assert found is not None, "a file that was read is there"
            file.write(image.data)
            digest.update(image.data)
            height, width, _ = image.shape
            entries[name] = Entry(height, width, found)
        file.flush()
        os.fsync(file.fileno())
    shard = Shard(folder / _index_name(number), digest.hexdigest(), entries, unreadable)
    pixels_file.replace(shard.pixels_file)
    write_whole(shard.index, shard.as_json())
    return problems
