"""A bad input and what must come of it."""

from __future__ import annotations

import contextlib
import io
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from bench.cli import main

__all__ = ["Case", "Meet", "check", "run"]

Build = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: of it.
        build: writes it, and what the command needs beside it, into a folder.
        command: of `bench`, run in that folder.
        says: what its output must contain.
        status: that it must end with.
    """

    name: str
    build: Build
    command: str
    says: tuple[str, ...]
    status: int = 3

    def __str__(self) -> str:
        return self.name


def run(command: str) -> tuple[int, str]:
    """Exit status and output of a command, in this process."""
    said = io.StringIO()
    status = 0
    with (
        mock.patch.object(sys, "argv", ["bench", *shlex.split(command)]),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    return status, said.getvalue()


def check(case: Case, folder: Path) -> None:
    """Build the input in a folder and have the command meet it; an error that gets past `main` is one of the test."""
    case.build(folder)
    with contextlib.chdir(folder):
        status, said = run(case.command)
    missing = [text for text in case.says if text not in said]
    assert not missing, f"{missing} is not in:\n{said}"
    assert "Traceback" not in said
    assert status == case.status, said


Meet = Callable[[Case], None]
"""The fixture that does so in a folder of the test's own."""
