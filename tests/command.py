"""The command line as users call it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["bench"]

SECONDS = 300


def bench(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m bench` with these words in a folder, to its end, whatever that is."""
    command = [sys.executable, "-m", "bench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=SECONDS, check=False)
