"""What is used of an annotation file as columns: an array per field, which processes share instead of copying objects.

    DATASET/columns/NAME-KEY.columns    32 bytes sha256 of the rest, 8 bytes length of the header, header, arrays

The file of columns is a cache: it may be deleted at any time, and where it cannot be written nothing is lost but time.
It never gives another result than the annotation file itself. Its key is the sha256 of that file's contents, of the
rules of reading (skeleton, protocol, ...) and of the code that reads, so that a change of any of these finds no file.
Size and modification time would be faster, but a file that is edited within their resolution, or restored with its
time, would be taken for the old one; and hashing costs a fraction of a second, for a number that records state anyway.
A file that was damaged or cut fails its own hash, and is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ColumnCache", "Columns", "pack_names", "read_columns"]

Array = npt.NDArray[Any]

LARGE = 4_000_000
"""Bytes of an annotation file from which its columns are cached; smaller ones are read in a tenth of a second."""

HASH_BYTES, LENGTH_BYTES = 32, 8
ALIGNMENT = 64

OUTDATED = 30 * 24 * 3600
"""Seconds after which files of columns are removed when others of the same annotation file are written."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Instances of an annotation file, a row each, and its images. All arrays are read-only.

    Attributes:
        image: (instances,) int32 position of the instance's image.
        image_id: (instances,) int64; this and the following as in `Instance`.
        annotation_id: (instances,) int64.
        box: (instances, 4) float64.
        keypoints: (instances, keypoints, 2) float64.
        visible: (instances, keypoints) bool.
        area: (instances,) float64.
        score: (instances,) float64.
        given_crop: (instances, 2, 2) float64, center and size; NaN for none.
        names: (bytes,) uint8, the images' file names in UTF-8, one behind the other.
        name_ends: (images + 1,) int64, 0 and the end of each name.
        sizes: (images, 2) float64 height and width in px; NaN where they are not annotated.
        image_ids: (images,) int64 ids of the images; empty where images have none.
        listed: (annotations,) int32 position of the image of each usable annotation, instance or not, images in order.
        left_out: (annotations,) uint8, 0 for the instances, in order; otherwise the reader's reason.
        facts: what else is known, as JSON: `problems` and `notes` about entries of the file, and what readers add.
        source: file and key that these columns were read from; None for columns that no file has.
    """

    image: Array
    image_id: Array
    annotation_id: Array
    box: Array
    keypoints: Array
    visible: Array
    area: Array
    score: Array
    given_crop: Array
    names: Array
    name_ends: Array
    sizes: Array
    image_ids: Array
    listed: Array
    left_out: Array
    facts: dict[str, Any]
    source: tuple[Path, str] | None = None

    def __post_init__(self) -> None:
        for array in self.arrays.values():
            array.setflags(write=False)

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}

    def name(self, image: int) -> str:
        """File name of the image at a position."""
        begin, end = self.name_ends.item(image), self.name_ends.item(image + 1)
        return self.names[begin:end].tobytes().decode("utf-8", "surrogatepass")

    def path(self, folder: Path, image: int) -> Path:
        """File of the image at a position, given the folder of the images."""
        name = self.name(image)
        return folder / name if ".." not in name else Path(os.path.normpath(folder / name))

    def size(self, image: int) -> tuple[Any, Any] | None:
        """Height and width of the image at a position in px, whole numbers as such; None if they are not annotated."""
        height, width = self.sizes.item(image, 0), self.sizes.item(image, 1)
        if math.isnan(height):
            return None
        return int(height) if height.is_integer() else height, int(width) if width.is_integer() else width

    def __reduce__(self) -> Any:
        # A spawned process reads the same file, which takes less than to send the arrays.
        if self.source is not None and self.source[0].exists():
            return _read_again, self.source
        return _restored, (self.arrays, self.facts)


def pack_names(names: Iterable[str]) -> tuple[Array, Array]:
    """The columns `names` and `name_ends` of file names."""
    encoded = [name.encode("utf-8", "surrogatepass") for name in names]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def _restored(arrays: dict[str, Any], facts: dict[str, Any]) -> Columns:
    return Columns(**arrays, facts=facts)


def _read_again(path: Path, key: str) -> Columns:
    found = read_columns(path, key)
    if found is None:
        raise FileNotFoundError(f"{path}: was removed or damaged while processes that share it were started")
    return found


def read_columns(path: Path, key: str) -> Columns | None:
    """The columns of a file; None unless it is whole and of the key.

    They are read into memory, which forked processes share. A mapped file would be shared by all processes, but whoever
    damaged it later would change numbers of trainings under way, or end them.
    """
    try:
        contents = memoryview(path.read_bytes())
    except OSError:
        return None
    if hashlib.sha256(contents[HASH_BYTES:]).digest() != contents[:HASH_BYTES]:
        return None
    begin = HASH_BYTES + LENGTH_BYTES
    end = begin + int.from_bytes(contents[HASH_BYTES:begin], "little")
    header = json.loads(contents[begin:end].tobytes())
    if header["key"] != key:
        return None
    arrays = {
        name: np.ndarray(shape, kind, contents, _aligned(end) + offset)
        for name, (kind, shape, offset) in header["arrays"].items()
    }
    return Columns(**arrays, facts=header["facts"], source=(path, key))


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT


def _write_columns(path: Path, key: str, columns: Columns) -> None:
    """Write the file of columns under a temporary name."""
    placed, offset = {}, 0
    for name, array in columns.arrays.items():
        placed[name] = (array.dtype.str, array.shape, offset)
        offset = _aligned(offset + array.nbytes)
    header = json.dumps({"key": key, "facts": columns.facts, "arrays": placed}).encode()
    body = [len(header).to_bytes(LENGTH_BYTES, "little"), header]
    end = HASH_BYTES + LENGTH_BYTES + len(header)
    body.append(bytes(_aligned(end) - end))
    for array in columns.arrays.values():
        body += [array.tobytes(), bytes(_aligned(array.nbytes) - array.nbytes)]
    digest = hashlib.sha256()
    for piece in body:
        digest.update(piece)
    with path.open("wb") as file:
        file.writelines([digest.digest(), *body])


@dataclass(frozen=True)
class ColumnCache:
    """The cached columns of an annotation file.

    Attributes:
        folder: folder of the files of columns.
        name: name of the annotation file, without suffix.
        sha256: hash of its contents.
        rules: what else decides how it is read.
    """

    folder: Path
    name: str
    sha256: str
    rules: tuple[Any, ...]

    @property
    def key(self) -> str:
        """Hash of everything that decides the columns."""
        return hashlib.sha256(repr((self.sha256, self.rules, _code())).encode()).hexdigest()

    @property
    def file(self) -> Path:
        """The file of columns, which need not be there."""
        return self.folder / f"{self.name}-{self.key[:16]}.columns"

    def find(self) -> Columns | None:
        """The columns, if they are there."""
        found = read_columns(self.file, self.key)
        if found is None and os.access(self.file, os.R_OK):  # damaged, not another user's
            with contextlib.suppress(OSError):
                self.file.unlink()
        return found

    def keep(self, columns: Columns) -> Columns:
        """Write columns for other processes and later ones; returns them as read again, or as they are if that fails.

        The file appears complete or not at all, whoever else writes it. It is not synced: what a power cut leaves of it
        fails its hash.
        """
        partial = self.folder / f"{self.name}-{self.key[:16]}.{uuid.uuid4().hex}.partial"
        try:
            self.folder.mkdir(exist_ok=True)
            self._remove_outdated()
            _write_columns(partial, self.key, columns)
            if not self.file.exists():  # or another process was faster, and its file is in use
                partial.replace(self.file)
        except OSError:
            return columns  # no room, or no right to write
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        return read_columns(self.file, self.key) or columns

    def _remove_outdated(self) -> None:
        for file in self.folder.glob(f"{self.name}-*"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > OUTDATED:
                    file.unlink()


@cache
def _code() -> str:
    """Hash of the code that reads annotation files: no number of a version that someone must remember to raise."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "geometry.py", here.parent / "skeletons.py"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
