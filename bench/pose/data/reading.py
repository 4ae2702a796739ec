"""Reading untrusted files: JSON, its numbers, and file names that must stay in their folder."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from bench.pose.errors import DataError

__all__ = [
    "are_numbers",
    "dangling_link",
    "decode_json",
    "file_sha256",
    "is_id",
    "is_number",
    "normalized",
    "parse_json",
    "path_inside",
    "paths_outside",
    "read_bytes",
    "read_id",
    "read_json",
]

LARGEST_NUMBER = 1e9


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises `DataError` with the file and the place of the fault."""
    return parse_json(decode_json(read_bytes(path), path), path)


def read_bytes(path: Path) -> bytes:
    """Contents of a file. Raises `DataError` if it is missing or unreadable."""
    with _readable(path):
        return path.read_bytes()


def file_sha256(path: Path) -> str:
    """Hash of a file's contents. Raises `DataError` if it is missing or unreadable."""
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(dangling_link(path) or f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def decode_json(data: bytes, path: Path) -> str:
    """The text of a JSON file; errors as in `read_json`."""
    try:
        return data.decode(json.detect_encoding(data), "surrogatepass")
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error


def parse_json(text: str, path: Path, keep: Callable[[dict[str, Any]], object] | None = None) -> Any:
    """Parse JSON; errors as in `read_json`. `keep` gives what is kept of each object as soon as it is parsed."""
    with _without_collection():
        try:
            return json.loads(text, object_hook=keep)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not valid JSON ({error})") from error


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Parsed JSON has millions of objects and no cycles; the collector would search it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def is_id(value: object) -> TypeGuard[int]:
    """Whether it is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def read_id(value: object) -> int | None:
    """The whole number that an id is or spells (7, 7.0, "7", "007"); None for anything else."""
    if type(value) is int and abs(value) < 2**63:
        return value  # nearly always
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"-?[0-9]{1,19}", value) else None
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return number if is_id(number) else None


def is_number(value: object) -> bool:
    """Whether it is a finite number of a size that occurs in images."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def are_numbers(values: list[Any]) -> bool:
    """Whether all values are `is_number`."""
    if not set(map(type, values)) <= {int, float}:
        return all(map(is_number, values))
    # A sum of these is finite unless one of them is not a number, which min and max may pass over.
    return not values or (
        max(values) < LARGEST_NUMBER and min(values) > -LARGEST_NUMBER and math.isfinite(math.fsum(values))
    )


def normalized(points: Sequence[Sequence[float]]) -> bool:
    """Whether all of several labelled points (x, y) lie in an image's first pixel: as parts of the image, not px."""
    return len(points) > 1 and min(map(min, points)) >= 0 and 0 < max(map(max, points)) <= 1


def path_inside(folder: Path, name: str, *, allow_links: bool = False) -> Path:
    """The file of that name in a folder.

    Args:
        folder: the folder, links followed.
        name: a path from the folder.
        allow_links: whether the file may be a link out of the folder, or lie in a folder that is one.

    Raises:
        DataError: the file is outside the folder.
    """
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(folder):
        raise DataError(f"file name {name!r} leaves the image folder")
    if allow_links:
        return path
    target = Path(os.path.realpath(path))
    if target.is_relative_to(folder):
        return path
    if reason := dangling_link(path):
        raise DataError(f"{name!r}: {reason}")
    raise DataError(f"{name!r} is a link out of the image folder, to {target}; if you trust it, use --allow-links")


def paths_outside(folder: Path, names: Sequence[str], *, allow_links: bool = False) -> dict[int, str]:
    """What is wrong with file names that `path_inside` refuses, by position; other arguments as there.

    Each folder is listed once; a file in it that is no link, or does not exist, is not looked up by itself.
    """
    plain: dict[str, set[str] | None] = {}
    found = {}
    for position, name in enumerate(names):
        head, tail = os.path.split(name)
        if head not in plain:
            plain[head] = _plain_files(folder, head)
        files = plain[head]
        if files is not None and (tail in files or not os.path.lexists(os.path.join(folder, name))):
            continue
        try:
            path_inside(folder, name, allow_links=allow_links)
        except DataError as error:
            found[position] = str(error)
    return found


def _plain_files(folder: Path, within: str) -> set[str] | None:
    """Names in a folder of a folder that are no links; None if it is outside or cannot be listed."""
    try:
        with os.scandir(path_inside(folder, within)) as entries:
            return {entry.name for entry in entries if not entry.is_symlink()}
    except (DataError, OSError):
        return None


def dangling_link(path: Path) -> str | None:
    """Why a path leads nowhere, if it or a folder on its way is a link to something that is not there."""
    for part in (path, *path.parents):
        if part.is_symlink() and not part.exists():
            return f"{part} is a link to {os.readlink(part)}, which is not there"
    return None
