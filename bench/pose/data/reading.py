"""Reading untrusted files: JSON, its numbers, and file names that must stay in their folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

from bench.pose.errors import DataError

__all__ = ["is_id", "is_number", "normalized", "path_inside", "problem_summary", "read_id", "read_json"]

MAX_LISTED = 5

LARGEST_NUMBER = 1e9


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises `DataError` with the file and the place of the fault."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
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


def path_inside(folder: Path, name: str) -> Path | None:
    """The file of that name, links followed; None if it is outside the (resolved) folder."""
    path = Path(os.path.realpath(folder / name))
    return path if path.is_relative_to(folder) else None


def problem_summary(problems: Sequence[str]) -> str:
    """A clause with the number of problems and the first few, or nothing if there are none."""
    if not problems:
        return ""
    return f"; {len(problems)} problems, such as: {'; '.join(problems[:MAX_LISTED])}"
