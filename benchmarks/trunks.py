"""Measure the trunk of every backbone, for the planner's cost formulas.

    python -m benchmarks.trunks            print the table
    python -m benchmarks.trunks --write    write it to bench/trunks.json

Networks are built without weights, so this takes seconds. Run it after a change to a backbone; a test
compares the committed file with a fresh measurement.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

import bench
from bench.cost import TRUNKS_FILE, Trunk
from bench.pose.complexity import measure
from bench.pose.models.build import build_model
from bench.pose.models.spec import BACKBONES, CELL


def measure_trunks() -> dict[str, Trunk]:
    """The trunk of each backbone, measured on one cell."""
    return {backbone: measure_trunk(backbone) for backbone in BACKBONES}


def measure_trunk(backbone: str) -> Trunk:
    """What is left of a heatmap network without its final layer, measured on one cell."""
    cell = (CELL, CELL)
    with torch.device("meta"):  # spends no time on weights, which do not matter
        model = build_model(backbone, "heatmap", joints=1, input_size=cell)
    model.final_layer = nn.Identity()
    model.eval()  # one position at the coarsest resolution has no batch statistics
    _, channels, height, _ = model(torch.zeros(1, 3, *cell, device="meta")).shape
    complexity = measure(model.to_empty(device="cpu"), cell)
    return Trunk(**asdict(complexity), channels=channels, stride=CELL // height)


def as_json(trunks: dict[str, Trunk]) -> str:
    """The content of the committed file."""
    return json.dumps({backbone: asdict(trunk) for backbone, trunk in trunks.items()}, indent=2) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into the package")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the maps of one cell are too small to share
    table = as_json(measure_trunks())
    if arguments.write:
        Path(bench.__file__).with_name(TRUNKS_FILE).write_text(table, encoding="utf-8")
    else:
        print(table, end="")


if __name__ == "__main__":
    main()
