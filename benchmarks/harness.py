"""What the harness itself costs: start-up, planning and status, in CPU seconds of whole processes.

    python -m benchmarks.harness

Each figure is the least of several runs, against its bound. Ends 1 if one is missed.
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

RUNS = 5

THOUSAND_CELLS = """
name: thousand
title: A thousand cells
dataset: {name: coco, train: train2017, eval: val2017}
train:
  axes:
    backbone: [simba_res50, simba_res101, hrnet_w32, hrnet_w48, simba_res152]
    representation: [simdr, simdr_star]
    input_size: [64x64, 128x128, 256x192, 384x288]
    split_ratio: [1, 1.5, 2, 2.5, 3]
    seed: [0, 1, 2, 3, 4]
evaluate:
  - {boxes: detector, flip_test: true}
tables:
  - {id: thousand}
"""


@dataclass(frozen=True)
class Figure:
    """A command and the CPU seconds that it may take."""

    name: str
    command: tuple[str, ...]
    bound: float

    def measure(self) -> float:
        """Least CPU seconds, user and system, of several runs."""
        return min(cpu_seconds(self.command) for _ in range(RUNS))


def cpu_seconds(command: tuple[str, ...]) -> float:
    """CPU seconds of one run of `python -m bench COMMAND`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "bench", *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "thousand.yaml"
        suite.write_text(THOUSAND_CELLS, encoding="utf-8")
        results = ("--results", folder)
        figures = (
            Figure("bench --help", ("--help",), 0.4),
            Figure("bench plan, 1,000 cells", ("plan", str(suite), *results), 1.0),
            Figure("bench plan --json, 1,000 cells", ("plan", str(suite), "--json", *results), 1.0),
            Figure("bench status, 1,000 cells", ("status", str(suite), *results), 1.0),
        )
        rows = [(figure.name, figure.measure(), figure.bound) for figure in figures]
    print(f"{platform.platform()}, Python {platform.python_version()}, least of {RUNS} runs")
    print(tabulate(rows, headers=("command", "CPU s", "bound"), floatfmt=".3f"))
    sys.exit(any(seconds > bound for _, seconds, bound in rows))


if __name__ == "__main__":
    main()
