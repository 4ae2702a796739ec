"""A part of the GPU benchmark in which everything happens that can. Its processes import no torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.gpu.checks import Check, NotPossibleError, Setting, WrongError


def checks(setting: Setting, until: float) -> list[Check]:
    """One check of each kind."""
    assert until > time.monotonic()
    return [
        Check("first", lambda: {"answer": 42, "note": "as expected"}, proves=True),
        Check("raises", partial(_raise, ValueError("a table has no legs\nand more"))),
        Check("dies", _die),
        Check("wrong", partial(_raise, WrongError("4 is not 5"))),
        Check("hangs", partial(_hang, setting), limit=1.0),
        Check("impossible", partial(_raise, NotPossibleError("there is no GPU"))),
        Check("too late", _die, needs=1000.0),
        Check("last", lambda: {"instances/s": 1234.5}),
    ]


def _raise(error: Exception) -> Mapping[str, Any]:
    raise error


def _die() -> Mapping[str, Any]:
    print("about to die", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _hang(setting: Setting) -> Mapping[str, Any]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (setting.work / "child").write_text(str(child.pid))
    time.sleep(60)
    return {}
