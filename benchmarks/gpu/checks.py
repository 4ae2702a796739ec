"""Checks of the GPU benchmark: what each part consists of, and the process that runs one part.

    python -m benchmarks.gpu.checks PART SECONDS SETTING

Checks run in order. One that raises is a line with its reason. One that hangs ends the process, whose parent then
starts another, which goes on behind it.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from benchmarks.gpu.results import Result, ResultFile

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


PARTS: Mapping[str, str] = {
    "ready": "benchmarks.gpu.ready",
    "correct": "benchmarks.gpu.correct",
    "fast": "benchmarks.gpu.fast",
    "many": "benchmarks.gpu.many",
    "real": "benchmarks.gpu.real",
}
"""Module of each part, in order of worth. Its `checks(setting, until)` gives the checks; `until` is on the monotonic
clock."""


def run_checks(part: str, checks: Sequence[Check], results: ResultFile, until: float) -> None:
    """Run those checks of a part that have not been begun yet."""
    begun = {result.check for result in results.read() if result.part == part}
    for check in checks:
        if check.name in begun:
            continue
        left = until - time.monotonic()
        if left < check.needs:
            _tell(results, Result(part, check.name, "not reached", note="no time was left"))
            continue
        limit = min(check.limit, left)
        results.append(Result(part, check.name, "begun", {"limit": limit}))
        faulthandler.dump_traceback_later(limit, exit=True)
        started = time.monotonic()
        result = _outcome(part, check)
        faulthandler.cancel_dump_traceback_later()
        _tell(results, replace(result, seconds=time.monotonic() - started))


def _outcome(part: str, check: Check) -> Result:
    try:
        values = dict(check.run())
        note = str(values.pop("note", ""))
        return Result(part, check.name, "ok" if check.proves else "measured", values, note)
    except NotPossibleError as error:
        return Result(part, check.name, "not possible", note=str(error))
    except WrongError as error:
        return Result(part, check.name, "wrong", note=str(error))
    except Exception as error:
        traceback.print_exc()
        return Result(part, check.name, "crashed", note=f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _tell(results: ResultFile, result: Result) -> None:
    results.append(result)
    print(result, flush=True)


def main() -> None:
    part, seconds, setting = sys.argv[1], float(sys.argv[2]), Setting.from_json(sys.argv[3])
    until = time.monotonic() + seconds
    checks = importlib.import_module(PARTS[part]).checks(setting, until)
    run_checks(part, checks, setting.results, until)


if __name__ == "__main__":
    main()
