"""How the C library treats memory that this process frees."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameter numbers of `mallopt` (malloc.h)."""

MAX_KEPT, MAX_PIECE = 2**31 - 1, 2**25
"""Bytes: most memory to keep, and the largest pieces that the C library is able to keep."""


def keep_freed_memory() -> None:
    """Have the C library keep memory that tensors free and reuse it for later ones.

    A training step frees and requests the same gigabyte again and again. By default glibc returns it to the kernel,
    which clears every page anew. Does nothing with other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MAX_PIECE)
        mallopt(TRIM_THRESHOLD, MAX_KEPT)
