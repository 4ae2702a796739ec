"""Fuzz every parser, or some: `python -m tests.fuzz --inputs 10000 [--only NAME]`. Ends with 1 where one fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.fuzz.target import accepts
from tests.fuzz.targets import TARGETS


def fuzz(name: str, inputs: int, *, derandomize: bool = False) -> Counter[bool]:
    """Give a parser so many inputs. Returns how many it took (True) and refused (False)."""
    tally: Counter[bool] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        target = TARGETS[name](Path(folder))

        @settings(
            max_examples=inputs,
            deadline=None,
            database=None,
            derandomize=derandomize,
            suppress_health_check=list(HealthCheck),
        )
        @given(target.inputs)
        def hold(given_input: Any) -> None:
            tally[accepts(target, given_input)] += 1

        hold()
    return tally


def main() -> int:
    """Run and print a line per parser."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    arguments.add_argument("--inputs", type=int, default=10_000, help="per parser")
    arguments.add_argument("--only", action="append", choices=[*TARGETS], help="may be repeated")
    asked = arguments.parse_args()
    failed = 0
    print(f"{'parser':<24}{'inputs':>10}{'accepted':>10}{'refused':>10}{'seconds':>10}", flush=True)
    for name in asked.only or TARGETS:
        started = time.monotonic()
        try:
            tally = fuzz(name, asked.inputs)
        except Exception:
            failed += 1
            print(f"{name:<24}FAILED", flush=True)
            traceback.print_exc()
            continue
        seconds = time.monotonic() - started
        print(f"{name:<24}{tally.total():>10,}{tally[True]:>10,}{tally[False]:>10,}{seconds:>10.0f}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
