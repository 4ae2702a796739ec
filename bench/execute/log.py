"""The log of a training as the standard output of a process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

__all__ = ["write_to_log"]


class _Log(io.TextIOBase):
    """Standard output without a buffer. What a full disk does not take is lost and stops nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Of the file."""
        return self._descriptor

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Append a text."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, text.encode(errors="backslashreplace"))
        return len(text)


def write_to_log(file: Path) -> int:
    """Have whatever this process writes appended to a file from now on; where that cannot be, all stays as it is.

    Returns:
        A descriptor of what was standard error before.
    """
    before = os.dup(sys.stderr.fileno())
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab", buffering=0) as log:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
                os.dup2(log.fileno(), stream.fileno())
        sys.stdout, sys.stderr = _Log(sys.stdout.fileno()), _Log(sys.stderr.fileno())
    return before
