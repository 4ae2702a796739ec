"""Redirects the output of a process to the log of its training."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path


class _Log(io.TextIOBase):
    """Unbuffered output. On a full disk it is lost, without an error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Descriptor of the file."""
        return self._descriptor

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Append text."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, text.encode(errors="backslashreplace"))
        return len(text)


def write_to_log(file: Path) -> int:
    """Append standard output and error of this process to a file; if it cannot be opened, nothing changes.

    Returns:
        A descriptor of the previous standard error.
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
