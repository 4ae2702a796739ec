"""Checks of the GPU benchmark, and what all of them are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.gpu.results import ResultFile

LEAST_SECONDS = 3.0
"""With less time left no check is begun."""


class NotPossibleError(Exception):
    """A check cannot be made here; the message says why."""


class WrongError(Exception):
    """A result is wrong."""


@dataclass(frozen=True)
class Setting:
    """What all parts are told.

    Attributes:
        device: "cuda" or "cpu".
        quick: tiny networks and few steps.
        data_root: folder with one folder per dataset.
        out: folder of the results.
        work: folder for everything that is not kept.
    """

    device: str
    quick: bool
    data_root: Path
    out: Path
    work: Path

    @property
    def results(self) -> ResultFile:
        """The file of results."""
        return ResultFile(self.out / "results.jsonl")

    def to_json(self) -> str:
        """The same as text, for a process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        found = json.loads(text)
        return cls(**found | {name: Path(found[name]) for name in ("data_root", "out", "work")})


@dataclass(frozen=True)
class Check:
    """One thing to find out.

    Attributes:
        name: within its part.
        run: returns figures by name; raises `WrongError` or `NotPossibleError`. A figure "note" is a remark.
        limit: seconds after which it counts as hanging.
        proves: whether its figures prove something right, rather than measure.
        needs: seconds; with less time left it is not begun.
    """

    name: str
    run: Callable[[], Mapping[str, Any]]
    limit: float = 60.0
    proves: bool = False
    needs: float = LEAST_SECONDS
