"""Processes with a time limit, which take their children with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.checks import LEAST_SECONDS, Setting
from benchmarks.gpu.results import Result

TRIES = 40
"""Processes that a part may use up."""


def run_limited(command: Sequence[str], seconds: float, log: Path) -> int | None:
    """Run a command in a process group of its own; its errors go to `log`. Nothing of the group is left afterwards.

    Returns:
        The exit status; None if the time was up.
    """
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stderr=stream, start_new_session=True)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_part(part: str, setting: Setting, seconds: float) -> None:
    """Run the checks of a part within a time, in as many processes as it takes: each that dies costs one check."""
    until = time.monotonic() + seconds
    log = setting.out / "log.txt"
    for _ in range(TRIES):
        left = until - time.monotonic()
        if left < LEAST_SECONDS:
            break
        command = [sys.executable, "-m", "benchmarks.gpu.part", part, f"{left:.1f}", setting.to_json()]
        started, before = time.monotonic(), len(setting.results.read())
        status = run_limited(command, left + LEAST_SECONDS, log)
        if status == 0:
            break
        died = setting.results.unfinished(part)
        if died is None and len(setting.results.read()) > before:
            continue
        result = _death(part, died, status, time.monotonic() - started, log)
        setting.results.append(result)
        print(result, flush=True)
        if died is None:
            break


def _death(part: str, died: Result | None, status: int | None, seconds: float, log: Path) -> Result:
    """The result of a check whose process died, or of a part whose process could not begin."""
    limit = seconds if died is None else float(died.values["limit"])
    name = "start" if died is None else died.check
    if status is None or (status == 1 and died is not None):
        return Result(part, name, "timed out", note=f"did not end within {limit:.0f} s", seconds=limit)
    last = _last_line(log)
    ended = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return Result(part, name, "crashed", note=f"its process ended by {ended}: {last}", seconds=seconds)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it said nothing"
