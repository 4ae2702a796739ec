"""One prepared command for the day that there is a GPU: is everything right on it, how fast is it, what does it learn?

    python -m benchmarks.gpu [--device cuda] [--quick] [--data-root DIR] [--out DIR] [--minutes 8] [--parts real]

Parts run in order of worth, each in processes of its own with a time limit; time that one leaves goes to the next. Each
result is printed and written to OUT/results.jsonl at once, OUT/table.md is written anew after each part, and
OUT/log.txt has what the processes said. A check that crashes, hangs or is not possible costs one line. Ends 1 if a
result is wrong, if a check of correctness did not come to its end, or if none was possible.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.checks import LEAST_SECONDS, Setting
from benchmarks.gpu.processes import run_part
from benchmarks.gpu.results import FAULTS, Result
from benchmarks.gpu.table import markdown

SHARES = {"ready": 0.08, "correct": 0.27, "fast": 0.38, "many": 0.10, "real": 0.17}
"""Parts, and of the time that is left each one's share, relative to those of the parts behind it."""


def main(words: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(words)
    if not 0 < arguments.minutes < math.inf:
        parser.error(f"--minutes must be above 0, found {arguments.minutes}")
    if arguments.out.exists() and not arguments.out.is_dir():
        parser.error(f"--out must be a folder, {arguments.out} is a file")
    until = time.monotonic() + arguments.minutes * 60
    with tempfile.TemporaryDirectory(prefix="gpu", ignore_cleanup_errors=True) as work:
        out = arguments.out.absolute()
        out.mkdir(parents=True, exist_ok=True)
        setting = Setting(arguments.device, arguments.quick, arguments.data_root.absolute(), out, Path(work))
        setting.results.file.unlink(missing_ok=True)
        shares = {part: share for part, share in SHARES.items() if part in {"ready", *arguments.parts}}
        for part in list(shares):
            left = until - time.monotonic()
            seconds = left * shares[part] / sum(shares.values())
            del shares[part]
            if seconds < LEAST_SECONDS:
                setting.results.append(Result(part, "start", "not reached", note="no time was left"))
            else:
                run_part(part, setting, seconds)
            found = setting.results.ended()
            (out / "table.md").write_text(markdown(found), encoding="utf-8")
    faults = [result for result in found if result.outcome in FAULTS]
    proven = [result for result in found if result.part == "correct" and result.outcome == "ok"]
    print(f"{len(found)} checks, {len(proven)} proofs, {len(faults)} faults; see {out / 'table.md'}")
    unproven = "correct" in arguments.parts and not proven
    return unproven or any(result.outcome == "wrong" or result.part == "correct" for result in faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny networks, for a test on a CPU")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder with lspet/, if it is there")
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), help="folder of the results")
    parser.add_argument("--parts", nargs="+", choices=SHARES, default=list(SHARES), help="`ready` always runs")
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything")
    return parser


if __name__ == "__main__":
    sys.exit(main())
