"""The process that runs the checks of a part.

    python -m benchmarks.gpu.part PART SECONDS SETTING

Checks run in order. One that raises is a line with its reason; one that hangs ends the process. The parent then starts
another process, which goes on behind it.
"""

from __future__ import annotations

import faulthandler
import importlib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.gpu.checks import Check, NotPossibleError, Setting, WrongError
from benchmarks.gpu.results import Result, ResultFile

PARTS: Mapping[str, str] = {
    "ready": "benchmarks.gpu.ready",
    "correct": "benchmarks.gpu.correct",
    "fast": "benchmarks.gpu.fast",
    "many": "benchmarks.gpu.many",
    "real": "benchmarks.gpu.real",
}
"""Module of each part; other parts are called as their modules are. Its `checks(setting, until)` gives the checks.
`until` is on the monotonic clock."""


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
        if result.outcome == "crashed":  # a GPU may be out of order for the rest of the process
            sys.exit(1)


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
    try:
        checks = importlib.import_module(PARTS.get(part, part)).checks(setting, until)
    except NotPossibleError as error:
        _tell(setting.results, Result(part, "start", "not possible", note=str(error)))
    else:
        run_checks(part, checks, setting.results, until)


if __name__ == "__main__":
    main()
