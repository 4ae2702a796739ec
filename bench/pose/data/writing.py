"""Text files that are complete or absent, even if the process that writes them is killed."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["PARTIAL", "write_whole"]

PARTIAL = ".partial"
"""Suffix of unfinished files."""


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that at any moment it is the old one or the new one."""
    partial = path.with_name(f".{path.name}-{os.getpid()}{PARTIAL}")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
