"""What the harness itself costs: start-up, planning and status, in CPU seconds of whole processes.

    python -m benchmarks.harness

Each figure is the least of several runs, against its bound. Growth is how many times as much 10,000 cells cost as 1,000
do, start-up and all; whether the work is linear is not for a clock to say, tests count it. Simulating the records takes
half a minute that no figure counts. Ends 1 if a bound is missed.
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

RUNS = 5

MANY, MOST = 1_000, 10_000
"""Cells of the suites."""

GROWTH = 10.0
"""How many times as much `MOST` cells may cost as `MANY`."""

SUITE = """
name: cells
title: Many cells
dataset: {{name: coco, train: train2017, eval: val2017}}
train:
  axes:
    backbone: [simba_res50, simba_res101, simba_res152, hrnet_w32, hrnet_w48]
    representation: [simdr, simdr_star]
    input_size: [64x64, 128x96, 128x128, 256x192, 384x288]
    split_ratio: [{split_ratios}]
evaluate:
  - {{boxes: detector, flip_test: true}}
tables:
  - {{id: cells}}
"""


@dataclass(frozen=True)
class Figure:
    """CPU seconds, or how many times as many, and how much it may be."""

    name: str
    value: float
    bound: float


def measured(name: str, bound: float, *command: str) -> Figure:
    """The least CPU seconds of several runs of `python -m bench COMMAND`."""
    return Figure(name, min(cpu_seconds(command) for _ in range(RUNS)), bound)


def cpu_seconds(command: Sequence[str]) -> float:
    """CPU seconds, user and system, of one run of `python -m bench COMMAND`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "bench", *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def growing(suites: Mapping[int, str], results: Path, *command: str) -> Iterator[Figure]:
    """What a command costs for both suites, by number of cells, and how that grows."""
    name = " ".join(["bench", *command])
    many, most = (
        measured(f"{name}, {cells:,} cells", bound, *command, suites[cells], "--results", str(results))
        for cells, bound in ((MANY, 1.0), (MOST, 3.0))
    )
    yield from (many, most, Figure(f"{name}, growth", most.value / many.value, GROWTH))


def write_suite(folder: Path, cells: int) -> str:
    """Write a suite of so many cells, a multiple of 50, no two of which share a network, and return its file."""
    file = folder / f"{cells}.yaml"
    ratios = ", ".join(f"{1 + number / 100:g}" for number in range(cells // 50))
    file.write_text(SUITE.format(split_ratios=ratios), encoding="utf-8")
    return str(file)


def figures(folder: Path) -> Iterator[Figure]:
    """All figures, with a folder for what they need."""
    suites = {cells: write_suite(folder, cells) for cells in (MANY, MOST)}
    yield measured("bench --help", 0.4, "--help")
    for command in (("plan",), ("plan", "--json"), ("status",)):
        yield from growing(suites, folder / "empty", *command)
    records = (suites[MANY], "--results", str(folder / "full"))
    cpu_seconds(("simulate", *records))
    yield measured(f"bench status, {MANY:,} records", 1.0, "status", *records)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = list(figures(Path(folder)))
    print(f"{platform.platform()}, Python {platform.python_version()}, least of {RUNS} runs")
    rows = [(figure.name, figure.value, figure.bound) for figure in found]
    print(tabulate(rows, headers=("command", "CPU s", "bound"), floatfmt=".3f"))
    sys.exit(any(figure.value > figure.bound for figure in found))


if __name__ == "__main__":
    main()
