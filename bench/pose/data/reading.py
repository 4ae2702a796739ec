"""Reading untrusted files: JSON, its numbers, and file names that must stay in their folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from bench.pose.errors import DataError

__all__ = ["grouped", "is_id", "is_number", "path_inside", "problem_summary", "read_id", "read_json"]

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


def path_inside(folder: Path, name: str) -> Path | None:
    """The file of that name, links followed; None if it is outside the (resolved) folder."""
    path = Path(os.path.realpath(folder / name))
    return path if path.is_relative_to(folder) else None


def grouped(faults: Iterable[tuple[str, str]], file: Path) -> Iterator[str]:
    """Messages about entries of a file, one for those with the same fault.

    Args:
        faults: name and fault of each entry.
        file: the file.
    """
    by_fault: dict[str, list[str]] = {}
    for entry, fault in faults:
        by_fault.setdefault(fault, []).append(entry)
    for fault, entries in by_fault.items():
        more = f" and {len(entries) - MAX_LISTED:,} more" if len(entries) > MAX_LISTED else ""
        yield f"{file}: {', '.join(entries[:MAX_LISTED])}{more}: {fault}"


def problem_summary(problems: Sequence[str]) -> str:
    """A clause with the number of problems and the first few, or nothing if there are none."""
    if not problems:
        return ""
    return f"; problems ({len(problems):,}): {'; '.join(problems[:MAX_LISTED])}"
