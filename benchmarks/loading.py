"""Whether loading keeps a training waiting: instances per second by source of the pixels and by who loads them.

    python -m benchmarks.loading [--threads 2] [--steps 60]

SimBa-tiny at 64x64, the fastest network here, on figures in images of 480x640 px: decoding one takes half as long as
its training step. Wall seconds. The limit is the same training on crops that are in memory.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import torch
from tabulate import tabulate

from bench.pose.codecs.representation import build_codec, codec_settings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.data.pixels.packed import PackedImages
from bench.pose.data.pixels.packing import plan_packing
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.pose.machine import keep_freed_memory
from bench.pose.models.build import build_model, initialize
from bench.pose.training import Progress, Training
from benchmarks.measuring import endless_schedule, machine

SIZE, BATCH, INSTANCES, SPLIT_RATIO = (64, 64), 16, 320, 2.0
CODEC = codec_settings("simdr", SIZE, split_ratio=SPLIT_RATIO, label_smoothing=0.1, loss_reduction="sum")
WARM_UP = 10
"""Steps that do not count: processes start, and memory is made room for."""


def rate(folder: Path, images: ImageStore, *, workers: int, steps: int, kept: bool = False) -> float:
    """Instances per second of a training; with `kept`, on its first batches over and over."""
    split = open_split("coco", folder, "drawn")
    torch.manual_seed(0)
    model = build_model("simba_tiny", "simdr", keypoints=17, input_size=SIZE, split_ratio=SPLIT_RATIO)
    initialize(model, scheme="kaiming")
    codec = build_codec(CODEC, split.skeleton.flip_indices)
    crops = CropSettings(SIZE, "rgb", split.skeleton)
    training = Training(
        model,
        codec,
        split.instances(),
        crops,
        Augmentation(),
        endless_schedule(BATCH),
        torch.device("cpu"),
        images=images,
    )
    if kept:
        first = list(itertools.islice(training._batches(0), WARM_UP))
        training._batches = lambda workers: itertools.cycle(first)  # type: ignore[method-assign]
    times: list[float] = []

    def watch(progress: Progress) -> bool:
        times.append(time.perf_counter())
        return len(times) > WARM_UP + steps

    training.run(watch, save=lambda: None, workers=workers)
    return steps * BATCH / (times[WARM_UP + steps] - times[WARM_UP])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(0)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # Opened as COCO's: the synthetic data set itself has smaller images.
        generate(folder, "drawn", SyntheticSet(INSTANCES, seed=0, image_size=(480, 640)))
        packed = PackedImages(folder / "packed", folder / "images" / "drawn")
        plan_packing(packed.folder, packed.images, open_split("coco", folder, "drawn").instances()).run(lambda _: None)
        limit = rate(folder, DECODED, workers=0, steps=arguments.steps, kept=True)
        rows = [
            (name, workers, found := rate(folder, images, workers=workers, steps=arguments.steps), found / limit)
            for name, images in (("decoded", DECODED), ("packed", packed))
            for workers in (0, 1, 2)
        ]
    print(f"{machine()}; crops in memory: {limit:.0f} instances/s")
    print(tabulate(rows, headers=("pixels", "workers", "instances/s", "of the limit"), floatfmt=("", "", ".0f", ".0%")))


if __name__ == "__main__":
    main()
