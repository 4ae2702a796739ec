"""The suites that are installed with the package, by name, and their baselines."""

from __future__ import annotations

import os
from pathlib import Path

from bench.pose.errors import nearest
from bench.suite.source import SuiteError

_PACKAGE = Path(__file__).parents[1]

FOLDER = _PACKAGE / "suites"
"""In a checkout a link to `suites/` at its root."""

BASELINES = _PACKAGE / "baselines"
"""In a checkout a link to `results/baselines/`."""


def shipped_suites() -> dict[str, Path]:
    """Files of the installed suites by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}


def find_suite(given: Path) -> Path:
    """The file that is meant by a path or by the name of an installed suite; a file of that name comes first.

    Raises:
        SuiteError: it is neither; the message has the nearest name.
    """
    if given.is_file():
        return given
    shipped, name = shipped_suites(), str(given)
    if name in shipped:
        return shipped[name]
    if given.is_dir():
        raise SuiteError(f"{given}: is a directory, expected a suite file or the name of an installed suite")
    if os.path.lexists(given):
        return given  # whoever reads it says what is wrong with it
    if given.suffix in {".yaml", ".yml"} or len(given.parts) > 1:
        hint = f"; the installed suite of that name is called {given.stem!r}" if given.stem in shipped else ""
        raise SuiteError(f"{given}: No such file or directory{hint}")
    known = f"valid: {', '.join(shipped)}, or the path of a suite file"
    raise SuiteError(f"{given}: neither a suite file nor an installed suite{nearest(name, shipped)}; {known}")


def suite_argument(file: Path) -> str:
    """What a command line calls a suite: the name of an installed one, else its path."""
    return file.stem if file.parent == FOLDER else str(file)


def shipped_baseline(file: Path) -> Path | None:
    """The installed baseline of a suite's file, if the suite is an installed one and has one."""
    baseline = BASELINES / f"{file.stem}.yaml"
    is_shipped = file.resolve().parent == FOLDER.resolve()
    return baseline if is_shipped and baseline.is_file() else None
