"""The command line as users call it, in a process of its own that need not import anything first.

It is forked from the fork server of jobs, which here has imported what commands import, too. Tests of how a process
starts, of what it imports and of signals to it start their own.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from unittest import mock

from bench.cli import main
from bench.execute import pool
from bench.pose.machine import safe_children

__all__ = ["PRELOAD", "bench"]

SECONDS = 300

PRELOAD = "tests.preload"
"""What the fork server imports before the first process."""


def bench(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `bench` with these words in a folder, to its end, whatever that is."""
    command = ["bench", *map(str, words)]
    with safe_children():  # the first call starts the server, which must find `PRELOAD`
        context = pool.job_context()
    with tempfile.TemporaryDirectory() as folder:
        said, errors = Path(folder, "said"), Path(folder, "errors")
        process = context.Process(target=_run, args=(command, cwd, dict(os.environ), said, errors))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, SECONDS, said.read_bytes(), errors.read_bytes())
        return subprocess.CompletedProcess(command, process.exitcode, said.read_text(), errors.read_text())


def _run(command: list[str], folder: Path, environment: Mapping[str, str], said: Path, errors: Path) -> None:
    """Be this command. Its jobs are forked from it, as it has imported what they need."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in ((1, said), (2, errors)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = command
    with mock.patch.object(pool, "job_context", partial(multiprocessing.get_context, "fork")):
        main()
