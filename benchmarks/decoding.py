"""Instances decoded per second, from the outputs for both views to keypoints in images, against the plain path.

    python -m benchmarks.decoding [--threads 2] [--batch 32]

256x192, 17 keypoints, outputs drawn at random. Our networks put out the maps of all keypoints side by side, the plain
way's one after the other. Both ways must find the same keypoints. Wall seconds. The limit is how fast this machine
reads both outputs once. Beside the ratio stands that to the rates of the reference's own code on two other cores. Ends
1 if keypoints differ.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from bench.pose.codecs.representation import build_codec, codec_settings
from bench.pose.locating import locate
from bench.pose.machine import keep_freed_memory
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17
from benchmarks import plain
from benchmarks.measuring import compare, machine, seconds

SIZE = (256, 192)
SPLIT_RATIO = 2.0
HEATMAP = codec_settings("heatmap", SIZE, sigma=2.0, weight_bounds="reference", post_process="quarter")
SIMDR = codec_settings("simdr", SIZE, split_ratio=SPLIT_RATIO, label_smoothing=0.1, loss_reduction="sum")
REFERENCE_RATES = {"heatmap": 3595, "simdr": 8888}
"""Instances per second of the reference's code on two cores, measured elsewhere."""

REPEATS = 20


@dataclass(frozen=True)
class Case:
    """Outputs of both views, and how each way decodes them."""

    name: str
    outputs: tuple[Tensor, ...]
    plain: Callable[[], Any]
    ours: Callable[[], Tensor]


def cases(instances: int) -> list[Case]:
    generator = torch.Generator().manual_seed(0)
    keypoints = COCO_17.size
    centers, scales = (
        300 * torch.rand(instances, 2, generator=generator),
        0.5 + torch.rand(instances, 2, generator=generator),
    )
    crops = plain.Crops(centers.numpy(), scales.numpy(), SIZE, list(COCO_17.flip_indices))
    shape = (instances, keypoints, SIZE[0] // 4, SIZE[1] // 4)
    maps = tuple(torch.rand(shape, generator=generator) for _ in range(2))
    side_by_side = [view.contiguous(memory_format=torch.channels_last) for view in maps]
    bins = [int(SIZE[1] * SPLIT_RATIO), int(SIZE[0] * SPLIT_RATIO)]
    views = [
        Coordinates(*(4 * torch.randn(instances, keypoints, size, generator=generator) for size in bins)) for _ in "12"
    ]
    x, y = (tuple(view.numpy() for view in axis) for axis in zip(*views, strict=True))
    heatmap, simdr = (build_codec(settings, COCO_17.flip_indices) for settings in (HEATMAP, SIMDR))
    return [
        Case(
            "heatmap",
            maps,
            lambda: plain.heatmap_keypoints(maps[0].numpy(), maps[1].numpy(), crops),
            lambda: locate(heatmap, side_by_side, centers, scales, SIZE),
        ),
        Case(
            "simdr",
            tuple(axis for view in views for axis in view),
            lambda: plain.simdr_keypoints(x, y, crops, SPLIT_RATIO),
            lambda: locate(simdr, views, centers, scales, SIZE),
        ),
    ]


@torch.inference_mode()
def measure(case: Case, instances: int) -> list[Any]:
    np.testing.assert_allclose(case.ours().numpy(), case.plain(), rtol=1e-4, atol=1e-3)
    found = compare(case.plain, case.ours, repeats=(1, REPEATS), clock=time.perf_counter)
    limit = instances / seconds(lambda: [values.sum() for values in case.outputs], REPEATS, time.perf_counter)
    rate = instances / found.ours
    return [case.name, instances / found.plain, rate, found.ratio, rate / REFERENCE_RATES[case.name], limit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    rows = [measure(case, arguments.batch) for case in cases(arguments.batch)]
    print(machine())
    headers = ("256x192", "plain, 1/s", "ours, 1/s", "ratio", "to the reference's", "outputs read once, 1/s")
    print(tabulate(rows, headers=headers, floatfmt=("", ",.0f", ",.0f", ".1f", ".1f", ",.0f")))


if __name__ == "__main__":
    main()
