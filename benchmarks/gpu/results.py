"""Results of checks, one JSON line each, written so that a run that is cut off still tells what it found."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["begun", "ok", "measured", "wrong", "not possible", "crashed", "timed out", "not reached"]
"""`begun` is written before a check runs: if nothing follows, its process died."""

FAULTS = ("wrong", "crashed", "timed out")


@dataclass(frozen=True)
class Result:
    """What came of a check.

    Attributes:
        part: of the benchmark.
        check: name within the part.
        outcome: see `Outcome`.
        values: figures by name.
        note: reason, or what else is to be said, in one line.
        seconds: wall time.
    """

    part: str
    check: str
    outcome: Outcome
    values: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {shown(value)}" for name, value in self.values.items())
        said = "; ".join(text for text in (figures, self.note) if text)
        return f"[{self.part}] {self.check}: {self.outcome} ({self.seconds:.1f} s){': ' if said else ''}{said}"


class ResultFile:
    """A file of results, a JSON object per line."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, result: Result) -> None:
        """Write a result to the disk; an earlier line that was cut off is ended first."""
        text = json.dumps(asdict(result)) + "\n"
        with self.file.open("ab+") as stream:
            if stream.tell() and not _ends_line(stream.fileno(), stream.tell()):
                text = "\n" + text
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def read(self) -> list[Result]:
        """All results in order; a line that was cut off is left out."""
        if not self.file.exists():
            return []
        found = []
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Result(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def ended(self) -> list[Result]:
        """The last result of each check, in the order in which the checks were first met, without those under way."""
        last = {(result.part, result.check): result for result in self.read()}
        return [result for result in last.values() if result.outcome != "begun"]

    def unfinished(self, part: str) -> Result | None:
        """The check of a part that was begun last and has no result."""
        mine = [result for result in self.read() if result.part == part]
        return mine[-1] if mine and mine[-1].outcome == "begun" else None


def _ends_line(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"


def shown(value: Any) -> str:
    """A value in few characters."""
    if isinstance(value, bool) or not isinstance(value, float):
        return f"{value:,}" if type(value) is int else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
