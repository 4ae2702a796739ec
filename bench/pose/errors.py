"""Errors that a user can fix: each says what was wrong, where, and what would be valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BenchError",
    "CheckpointError",
    "DataError",
    "ExtensionError",
    "ImageError",
    "UnknownNameError",
    "nearest",
]


class BenchError(Exception):
    """Base of every error that the command line prints without a traceback."""


class UnknownNameError(BenchError):
    """A name that is not registered; the message tells the nearest and lists the valid ones, or says which they are."""

    def __init__(self, kind: str, name: str, valid: Iterable[str], *, described: str | None = None) -> None:
        names = sorted(valid)
        super().__init__(f"unknown {kind} {name!r}{nearest(name, names)}; valid: {described or ', '.join(names)}")


class DataError(BenchError):
    """A dataset, box file or prediction file that cannot be used."""


class ImageError(DataError):
    """An image that cannot be read."""


class CheckpointError(BenchError):
    """A weights file that cannot be used."""


class ExtensionError(BenchError):
    """An extension that cannot be loaded, or that breaks what its kind promises."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """The clause " (did you mean 'x'?)" for the closest valid name, or nothing where none is close."""
    matches = difflib.get_close_matches(name, list(valid), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
