"""Numeric arrays of MATLAB files of level 5, which MATLAB writes up to -v7 and scipy too.

Written for untrusted files: scipy's own reader crashes the process on some damaged ones.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.pose.errors import DataError

__all__ = ["read_arrays"]

HEADER = 128
"""Bytes."""

MATRIX, COMPRESSED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of stored numbers by their codes in the file."""

CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Types of arrays by MATLAB's class codes; their numbers may be stored in smaller types."""

COMPLEX = 0x800
MOST_BYTES = 1 << 26
"""Largest size of a compressed array: ten times the predictions for all of MPII."""


class _Element(NamedTuple):
    kind: int
    data: bytes


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The real numeric arrays of a file by name, in MATLAB's types and shapes; texts, cells and others are left out.

    Raises:
        DataError: the file is missing, damaged, or of another format.
    """
    try:
        contents = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    try:
        return dict(_arrays(contents))
    except (ValueError, zlib.error) as error:
        raise DataError(f"{path}: not a readable MATLAB file ({error})") from None


def _arrays(contents: bytes) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    order = {b"IM": "<", b"MI": ">"}.get(contents[HEADER - 2 : HEADER])
    if order is None or len(contents) <= HEADER:
        raise ValueError("its header is not that of level 5")
    if contents[HEADER - 4 : HEADER - 2] not in {b"\x00\x01", b"\x01\x00"}:
        raise ValueError("of level 7.3; save it with -v7")
    for found in _elements(contents[HEADER:], order):
        element = next(_elements(_inflated(found.data), order)) if found.kind == COMPRESSED else found
        if element.kind != MATRIX:
            raise ValueError(f"an element of type {element.kind} where an array is expected")
        named = _array(element.data, order)
        if named is not None:
            yield named


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(data, MOST_BYTES)
    if not stream.eof:
        raise ValueError(f"a compressed array is cut off, or has more than {MOST_BYTES:,} bytes")
    return inflated


def _elements(data: bytes, order: str) -> Iterator[_Element]:
    """The consecutive elements of a buffer."""
    place = 0
    while place < len(data):
        if place + 8 > len(data):
            raise ValueError("it ends within an element")
        kind, size = np.frombuffer(data, f"{order}u4", 2, place).tolist()
        small = kind >> 16  # up to four bytes stand in the tag itself
        start, end = (place + 4, place + 4 + small) if small else (place + 8, place + 8 + size)
        if small > 4 or end > len(data):
            raise ValueError("it ends within an element")
        yield _Element(kind & 0xFFFF, data[start:end])
        place = end if kind == COMPRESSED else place + 8 if small else end + -size % 8


def _array(data: bytes, order: str) -> tuple[str, npt.NDArray[Any]] | None:
    """Name and values of a real numeric array; None for any other."""
    flags, *rest = _elements(data, order)
    (word,) = _numbers(flags, order)[:1].tolist() or [0]
    kind = CLASSES.get(word & 0xFF)
    if kind is None or word & COMPLEX:
        return None
    if len(rest) != 3:
        raise ValueError(f"an array of {len(rest)} parts instead of 3")
    shape, name, values = _numbers(rest[0], order).tolist(), rest[1].data.decode("ascii"), _numbers(rest[2], order)
    sound = len(shape) > 1 and all(isinstance(side, int) and side >= 0 for side in shape)
    if not sound or len(values) != math.prod(shape):
        raise ValueError(f"{name!r:.40} has {len(values)} values, which its shape {tuple(shape)!s:.80} does not hold")
    return name, values.astype(kind).reshape(shape, order="F")


def _numbers(element: _Element, order: str) -> npt.NDArray[Any]:
    if element.kind not in STORED:
        raise ValueError(f"numbers of the unknown type {element.kind}")
    return np.frombuffer(element.data, order + STORED[element.kind])
