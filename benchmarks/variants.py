"""What `bench vary` takes: all variants of an evaluation as large as COCO val's, from stored outputs at 256x192.

    python -m benchmarks.variants [--instances 6352]

Drawn figures, and a network of one layer, which knows little: its outputs are as large as any network's and harder to
compress. Its own run over the figures is not counted. Wall seconds of whole commands. Ends 1 if one takes more than its
bound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate
from torch import Tensor, nn

from bench.extend import backbone
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import MapModel
from bench.pose.models.network import NetworkShape
from benchmarks.measuring import machine

BOUND = 120.0
"""Seconds that all variants of one evaluation may take."""

SUITE = """
name: variants
title: Evaluations as large as COCO val's
extensions: [benchmarks.variants]
dataset: {{name: synthetic, train: train320, eval: val{instances}}}
store_outputs: true
train:
  recipe: corrected
  axes: {{backbone: [one_layer], representation: [heatmap, simdr, simdr_star], input_size: [256x192]}}
  set: [{{initialization: kaiming, epochs: 1, milestones: [], selection: final}}]
evaluate: [{{boxes: gt}}]
tables: [{{id: variants}}]
"""


@backbone("one_layer", title="One layer", width=8)
class OneLayer(MapModel):
    """A convolution of stride 4."""

    def __init__(self, shape: NetworkShape, norm_layer: NormLayer, *, width: int) -> None:
        super().__init__(shape, channels=width)
        self.features = nn.Sequential(nn.Conv2d(3, width, kernel_size=8, stride=4, padding=2), norm_layer(width))

    def feature_maps(self, images: Tensor) -> Tensor:
        """Maps [B, width, H/4, W/4] of images [B, 3, H, W]."""
        return self.features(images)


def bench(command: str, *arguments: str) -> float:
    """Wall seconds of `python -m bench COMMAND`."""
    clock = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bench", command, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=6352, help="figures; COCO val2017 has 6,352 who count")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        suite = folder / "variants.yaml"
        suite.write_text(SUITE.format(instances=arguments.instances), encoding="utf-8")
        places = ("--data-root", str(folder / "data"), "--results", str(folder / "results"))
        bench("run", str(suite), *places)
        for kept in sorted(folder.glob("results/evaluations/*/outputs.json")):
            took = bench("vary", kept.parent.name, *places, "--extension", "benchmarks.variants")
            record = json.loads((kept.parent / "record.json").read_text(encoding="utf-8"))
            variants = json.loads((kept.parent / "variants.json").read_text(encoding="utf-8"))["variants"]
            megabytes = json.loads(kept.read_text(encoding="utf-8"))["bytes"] / 1e6
            rows.append((record["training"]["representation"], len(variants), megabytes, took))
    print(f"{machine()}; {arguments.instances:,} instances at 256x192, bound {BOUND:.0f} s")
    print(tabulate(rows, headers=("", "variants", "stored, MB", "seconds"), floatfmt=",.1f"))
    sys.exit(any(took > BOUND for *_, took in rows))


if __name__ == "__main__":
    main()
