"""What a logger is: it shows trainings elsewhere while they run. The built-in ones are in `loggers/`.

A logger runs in a process of its own, see `bench.execute.logger_process`, so whatever it does or fails to do, a
training does not notice. Nothing in bench reads what loggers write. Imports no torch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from bench.pose.errors import BenchError
from bench.pose.registry import Registry

Scalar = str | int | float | bool | None

Outcome = Literal["done", "failed", "stopped", "killed"]
"""How a job ended; "stopped" and "killed" ones may go on later."""


@dataclass(frozen=True)
class LoggedRun:
    """The training that a logger is made for.

    Attributes:
        id: of the training: a training that goes on after a stop has the same.
        title: name for people.
        settings: settings of the training by name; those with parts as "codec.sigma", lists as JSON.
        command: command line that makes the same results again.
        provenance: code, versions and hardware, as text by name; they may differ when a training goes on.
        folder: for what the logger writes here, shared by all its runs. It need not exist.
        say: tells the user something on the terminal, in one line.
    """

    id: str
    title: str
    settings: Mapping[str, Scalar]
    command: str
    provenance: Mapping[str, str]
    folder: Path
    say: Callable[[str], None]


class Logger(Protocol):
    """Shows one training. Its methods are called in the order below, `end` once and last.

    All that is known of a training is told again whenever a job of it starts: all epochs so far, and all evaluations.
    A logger that adds to what it wrote earlier must leave out what is there. An exception ends the logger, not the job.
    """

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """An epoch ended, from 0: its `loss`, `learning_rate` and, if it was validated, `validation`."""

    def evaluation(self, name: str, metrics: Mapping[str, float], settings: Mapping[str, Scalar]) -> None:
        """An evaluation is finished. Its name is always the same, and has only letters, digits, "-" and "_"."""

    def end(self, outcome: Outcome) -> None:
        """The job is over. "killed" is also told when the job died without a word."""


@dataclass(frozen=True)
class LoggerKind:
    """A kind of loggers.

    Attributes:
        start: makes the logger of a run.
        package: module that it imports and bench does not require.
        install: what pip installs for it.
    """

    start: Callable[[LoggedRun], Logger]
    package: str | None = None
    install: str | None = None

    def require(self, name: str) -> None:
        """Raise `BenchError` unless its package is installed; a folder of that name is no package."""
        spec = importlib.util.find_spec(self.package) if self.package is not None else None
        if self.package is not None and (spec is None or spec.origin is None):
            raise BenchError(f"--logger {name} needs the package {self.package}: pip install {self.install!r}")


LOGGERS: Registry[LoggerKind] = Registry("logger", {})
"""What `--logger` accepts. `bench.execute.loggers` adds the built-in ones, `bench.extend.logger` others."""

StartT = TypeVar("StartT", bound=Callable[[LoggedRun], Logger])


def logger(name: str, *, package: str | None = None, install: str | None = None) -> Callable[[StartT], StartT]:
    """Add a class, or a function, that makes a `Logger` of a `LoggedRun`; `bench run --logger NAME` uses it.

    Args:
        name: of the logger.
        package: module that it imports when it is used, if bench does not require that.
        install: what pip installs for it, if not the package.
    """

    def add(start: StartT) -> StartT:
        LOGGERS.add(name, LoggerKind(start, package, install or package), start)
        return start

    return add
