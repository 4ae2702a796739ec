"""Reading untrusted files: JSON, its numbers, and file names that must stay in their folder."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import pydantic_core

from bench.pose.errors import DataError

__all__ = [
    "are_numbers",
    "dangling_link",
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
    "without_collection",
]

LARGEST_NUMBER = 1e9
NUMBERS = frozenset({int, float})


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises `DataError` with the file and the place of the fault."""
    return parse_json(read_bytes(path), path)


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


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Hold back the collector, which would search millions of parsed objects again and again; they have no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@without_collection()
def parse_json(data: bytes, path: Path) -> Any:
    """Parse the contents of a JSON file; errors as in `read_json`."""
    # In a third of the time; what this refuses, such as half a surrogate pair or UTF-16, may still be JSON to Python.
    with contextlib.suppress(ValueError):
        return pydantic_core.from_json(data)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error


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


def is_number(value: object, limit: float = LARGEST_NUMBER) -> bool:
    """Whether it is a finite number below a limit; the default is of a size that occurs in images."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < limit


def are_numbers(values: list[Any], limit: float = LARGEST_NUMBER) -> bool:
    """Whether all values are `is_number`."""
    if set(map(type, values)) <= NUMBERS:
        with contextlib.suppress(OverflowError):
            if sum(map(abs, values)) < limit:  # nearly always, and never with NaN
                return True
    return all(is_number(value, limit) for value in values)


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
