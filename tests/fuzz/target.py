"""What is fuzzed: a parser with inputs for it, and the property that holds of all of them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

from bench.pose.errors import BenchError

__all__ = ["Target", "accepts"]

PATIENCE = 60
"""Seconds after which a parser hangs: thousands of times what any takes."""


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        inputs: what it may be given.
        read: gives it one.
        named: what the message of a refusal must name: the file, or the option.
    """

    inputs: SearchStrategy[Any]
    read: Callable[[Any], object]
    named: str


def accepts(target: Target, given: Any) -> bool:
    """Whether the parser takes an input; it may refuse it with an error that names the file, and nothing else."""
    refusal = _refusal(target, given)
    assert refusal is None or target.named in refusal, f"{target.named} is not named in: {refusal}"
    return refusal is None


def _refusal(target: Target, given: Any) -> str | None:
    try:
        with _patience():
            target.read(given)
    except BenchError as error:
        return str(error)
    return None


@contextmanager
def _patience() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise AssertionError("the parser hangs")

    earlier = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)
