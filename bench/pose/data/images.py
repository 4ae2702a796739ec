"""Complete images from disk."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.pose.data.reading import dangling_link
from bench.pose.errors import ImageError
from bench.pose.geometry import Size

__all__ = ["MOST_PIXELS", "check_size", "exif_orientation", "read_image"]

MOST_PIXELS = 1 << 28
"""Largest number of pixels, more than any camera has. A file of a megabyte can claim a thousand times as many."""

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of segments that say how large a JPEG is."""

JPEG_SCAN = 0xDA
JPEG_TAIL = 4096
"""Bytes in which a JPEG's end mark may stand: some cameras pad behind it."""

PNG_START = b"\x89PNG\r\n\x1a\n"


EXIF_ORIENTATION = 0x0112
EXIF_QUARTER_TURNS = frozenset({5, 6, 7, 8})
"""Orientations that exchange height and width."""


class _Header(NamedTuple):
    """What a file says of itself: the number of its pixels, 0 where that is not known, and where they begin."""

    pixels: int = 0
    start: int = 0


OF_THE_PROCESS = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Errors of a process that has too much already, whatever file it turns to."""


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an image as (height, width, 3) BGR, EXIF orientation ignored (behaviour D18).

    Raises:
        ImageError: the file is missing, unreadable, empty, not an image, larger than any image, or a JPEG
            that ends early - OpenCV would decode the latter with a grey rest and no error.
        MemoryError: it does not fit into memory, which says nothing of the file: it must not count as broken.
        OSError: likewise, of files that the process has open.
    """
    data = _read(path)
    header = _header(data)
    if header.pixels > MOST_PIXELS:
        raise ImageError(f"{path}: {header.pixels:,} pixels; at most {MOST_PIXELS:,} are decoded")
    if data.startswith(JPEG_START) and JPEG_END not in data[max(header.start, len(data) - JPEG_TAIL) :]:
        raise ImageError(f"{path}: the JPEG is truncated ({len(data)} bytes, no end mark)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"{path}: {error.err}") from error
        raise ImageError(f"{path}: {error.err or error}") from error
    if image is None:
        raise ImageError(f"{path}: not an image that OpenCV can decode ({len(data)} bytes)")
    return np.asarray(image, dtype=np.uint8)


def check_size(path: Path, found: Size, annotated: Size | None) -> None:
    """Raise `ImageError` if an image is not of the height and width that its annotations were made for.

    Args:
        path: image file.
        found: height and width of its pixels as they are stored, in px.
        annotated: those in the annotation file; None if it has none.
    """
    if annotated is None or found == annotated:
        return
    stored, wanted = (f"{width:g} x {height:g}" for height, width in (found, annotated))
    fix = "scale the images or the annotations"
    orientation = exif_orientation(path)
    if found == annotated[::-1] and orientation in EXIF_QUARTER_TURNS:
        fix = (
            f"its EXIF orientation {orientation} turns it, but pixels are used as they are stored: turn the files"
            " themselves, for example by `mogrify -auto-orient`, or annotate the stored pixels"
        )
    raise ImageError(f"{path}: its pixels are {stored} (width x height), but it is annotated as {wanted}; {fix}")


def exif_orientation(path: Path) -> int:
    """The orientation in an image file's EXIF data: 1 for upright or unknown, 2 to 8 for mirrored or turned."""
    try:
        with Image.open(path) as image:
            found = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # Pillow raises anything for damaged metadata, which says nothing of the pixels
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        if error.errno in OF_THE_PROCESS:
            raise
        raise ImageError(dangling_link(path) or f"{path}: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{path}: the file is empty")
    return data


def _header(data: bytes) -> _Header:
    """The header of a PNG or JPEG. Other formats hold few more pixels than bytes, or are bounded by OpenCV."""
    if data.startswith(PNG_START):
        return _Header(int.from_bytes(data[16:20]) * int.from_bytes(data[20:24]))
    return _jpeg_header(data) if data.startswith(JPEG_START) else _Header()


def _jpeg_header(data: bytes) -> _Header:
    """Goes from segment to segment, past previews that are JPEGs themselves."""
    pixels, place = 0, len(JPEG_START)
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, end = data[place + 1], place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if marker in JPEG_SIZES:
            pixels = int.from_bytes(data[place + 5 : place + 7]) * int.from_bytes(data[place + 7 : place + 9])
        if marker == JPEG_SCAN:
            return _Header(pixels, end)
        place = place + 1 if marker == 0xFF else end  # any number of 0xFF may stand before a marker
    return _Header(pixels, place if place >= len(data) else 0)
