"""Checks, what they find, and how errors of the code under test are told. Imports no torch."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import bench
from bench.extensions import line_in, place_of

__all__ = ["Check", "NotApplicableError", "PromiseError", "Result", "Verdict", "require", "run_checks", "source_of"]

Verdict = Literal["ok", "FAIL", "skipped"]
"""It holds; it does not, or looking raised an error; there is nothing to hold."""

BENCH = Path(bench.__file__).parent


class PromiseError(Exception):
    """Something does not hold; the message says what was found."""


class NotApplicableError(Exception):
    """There is nothing to look at; the message says why."""


@dataclass(frozen=True)
class Check:
    """One promise.

    Attributes:
        name: short, different from the others of the same entry.
        promise: what is to hold, in words.
        look: finds out; returns the figure found. Raises `PromiseError` if it does not hold and `NotApplicableError` if
            there is nothing to look at; any other exception is the fault of the entry under test.
    """

    name: str
    promise: str
    look: Callable[[], str]


@dataclass(frozen=True)
class Result:
    """What became of a check; `found` is the figure, or what is wrong."""

    name: str
    promise: str
    verdict: Verdict
    found: str


def require(holds: object, problem: str) -> None:
    """Raise `PromiseError` with the problem unless something holds."""
    if not holds:
        raise PromiseError(problem)


def run_checks(checks: Iterable[Check], source: Path) -> Iterator[Result]:
    """Make all checks, each whatever becomes of the others. What they print goes to where errors go.

    Args:
        checks: to make.
        source: file or folder of the code under test, whose lines messages name; see `source_of`.
    """
    for check in checks:
        with contextlib.redirect_stdout(sys.stderr):
            verdict, found = _look(check, source)
        yield Result(check.name, check.promise, verdict, found)


def source_of(module: str | None) -> Path:
    """File or folder of the top-level package that an entry comes from; bench's for a built-in one."""
    return BENCH if module is None else place_of(module.partition(".")[0])


def _look(check: Check, source: Path) -> tuple[Verdict, str]:
    try:
        return "ok", check.look()
    except PromiseError as error:
        return "FAIL", str(error)
    except NotApplicableError as error:
        return "skipped", str(error)
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        return "FAIL", f"{type(error).__name__}: {message}{_place(error, source)}"


def _place(error: BaseException, source: Path) -> str:
    """File and line of the code under test that an error comes from; of bench's, if it came through nothing else."""
    line = line_in(error, {source}) or line_in(error, {BENCH})
    return f" ({line})" if line else ""
