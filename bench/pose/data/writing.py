"""Text files that are whole or absent, whatever kills the process that writes them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["PARTIAL", "write_whole"]

PARTIAL = ".partial"
"""What the names of unfinished files end in."""


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that at any moment it is the old one or the new one."""
    partial = path.with_name(f".{path.name}-{os.getpid()}{PARTIAL}")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
