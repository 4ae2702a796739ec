"""What the control groups of Linux let this process have of its machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["core_limit", "memory_limit"]

UNLIMITED = 1 << 60
"""Bytes, above which the first version's "no limit" lies."""


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes of memory; None where no group sets a limit."""
    texts = [*_files(root, "memory", "memory.limit_in_bytes"), *_files(root, "", "memory.max")]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < UNLIMITED]
    return min(limits, default=None)


def core_limit(root: Path = Path("/")) -> float | None:
    """Cores' worth of processor time; None where no group sets a limit."""
    first = zip(_files(root, "cpu", "cpu.cfs_quota_us"), _files(root, "cpu", "cpu.cfs_period_us"), strict=False)
    pairs = [*first, *(text.split() for text in _files(root, "", "cpu.max"))]
    return min((int(quota) / int(period) for quota, period in pairs if quota.isdigit()), default=None)


def _files(root: Path, controller: str, name: str) -> Iterator[str]:
    """Contents of a file of this process's group and of those around it.

    Args:
        root: of the file system.
        controller: of the first version of control groups; empty for the second, whose groups have all controllers.
        name: of the file.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            group = PurePosixPath(path.lstrip("/"))
            for folder in (group, *group.parents):
                file = root / "sys/fs/cgroup" / controller / folder / name
                if file.is_file():
                    yield file.read_text(encoding="ascii").strip()
