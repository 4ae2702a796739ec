"""How this process deals with memory that it no longer needs."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The C library's numbers of its settings (malloc.h)."""

KEPT, SMALL = 2**31 - 1, 2**25
"""Bytes: what is kept at the most, and the largest pieces that the C library is willing to keep."""


def keep_freed_memory() -> None:
    """Have the C library keep what tensors free for the next ones.

    A step frees and asks for the same gigabyte again and again. Left to itself the library gives it back, and the
    kernel clears each page anew. Does nothing where the library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, SMALL)
        mallopt(TRIM_THRESHOLD, KEPT)
