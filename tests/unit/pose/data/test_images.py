"""An image that cannot be read is broken; one for which there is no room is not."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.pose.data.images import read_image


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """An image of 192 MB when it is decoded."""
    file = tmp_path / "large.png"
    cv2.imwrite(str(file), np.zeros((8000, 8000, 3), np.uint8))
    return file


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Room for 64 MB more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (64 << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_an_image_without_room_is_not_broken(large: Path, little_memory: None) -> None:
    with pytest.raises(MemoryError, match=r"large\.png"):
        read_image(large)


def test_a_process_with_too_many_open_files_calls_none_broken(large: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files") as error:
            read_image(large)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert error.value.errno == errno.EMFILE
