"""Reading untrusted files: JSON, its numbers, and file names that must stay in their folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

from bench.pose.data.left_out import summarize
from bench.pose.errors import DataError

__all__ = [
    "dangling_link",
    "is_id",
    "is_number",
    "normalized",
    "path_inside",
    "problem_summary",
    "read_id",
    "read_json",
]

MAX_LISTED = 5

LARGEST_NUMBER = 1e9


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises `DataError` with the file and the place of the fault."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(dangling_link(path) or f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error


def is_id(value: object) -> TypeGuard[int]:
    """Whether it is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def read_id(value: object) -> int | None:
    """The whole number that an id is or spells (7, 7.0, "7", "007"); None for anything else."""
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"-?[0-9]{1,19}", value) else None
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return number if is_id(number) else None


def is_number(value: object) -> bool:
    """Whether it is a finite number of a size that occurs in images."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


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
    target = Path(os.path.realpath(path))
    if allow_links or target.is_relative_to(folder):
        return path
    if reason := dangling_link(path):
        raise DataError(f"{name!r}: {reason}")
    raise DataError(f"{name!r} is a link out of the image folder, to {target}; if you trust it, use --allow-links")


def dangling_link(path: Path) -> str | None:
    """Why a path leads nowhere, if it or a folder on its way is a link to something that is not there."""
    for part in (path, *path.parents):
        if part.is_symlink() and not part.exists():
            return f"{part} is a link to {os.readlink(part)}, which is not there"
    return None


def problem_summary(problems: Sequence[str]) -> str:
    """A clause with the number of problems and the first few, or nothing if there are none."""
    if not problems:
        return ""
    return f"; problems ({len(problems):,}): {'; '.join(summarize(problems)[:MAX_LISTED])}"
