"""Photographs from disk, whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bench.pose.errors import ImageError

__all__ = ["read_image"]

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"

OF_THE_PROCESS = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Errors of a process that has too much already, whatever file it turns to."""


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an image as (height, width, 3) BGR, EXIF orientation ignored (behaviour D18).

    Raises:
        ImageError: the file is missing, unreadable, empty, not an image, or a JPEG that ends early - OpenCV would
            decode the latter with a grey rest and no error.
        MemoryError: it does not fit into memory, which says nothing of the file: it must not count as broken.
        OSError: likewise, of files that the process has open.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        if error.errno in OF_THE_PROCESS:
            raise
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{path}: the file is empty")
    # Some cameras pad a JPEG after its end mark, so the mark may stand anywhere in the tail.
    if data.startswith(JPEG_START) and JPEG_END not in data[-4096:]:
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
