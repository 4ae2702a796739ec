"""Training steps per second on a CPU, against plain eager steps of the same network on the same crops.

    python -m benchmarks.step [--threads 1] [--batch 32] [--precision bfloat16]

A step goes from crops in memory to changed weights. The plain one normalizes crops and draws targets one by one in
NumPy, runs the network on planes of channels, with all convolutions as libraries do them, and Adam tensor by
tensor. Both start from the same weights; their losses over the first 20 steps are compared. The limit is the rate of
the processor's matrix products. CPU seconds for one thread, else wall seconds. Ends 1 if the losses differ by more
than rounding.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import cv2
import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor, nn

from bench.planning.predicted_complexity import predict
from bench.pose.codecs.representation import build_codec, codec_settings
from bench.pose.codecs.simdr import SimDRTarget
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instances
from bench.pose.data.loading import Position, training_batches
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.pose.machine import keep_freed_memory
from bench.pose.models.build import build_model, initialize
from bench.pose.models.convolution import TinyMapConv2d
from bench.pose.models.heads import PoseModel
from bench.pose.models.upsampling import Doubling
from bench.pose.precision import Precision
from bench.pose.training import Training
from benchmarks import plain
from benchmarks.measuring import compare, endless_schedule, machine, seconds

SIZE = (64, 64)
SPLIT_RATIO = 3.0
CODEC = codec_settings("simdr", SIZE, split_ratio=SPLIT_RATIO, label_smoothing=0.1, loss_reduction="sum")
COMPARED_STEPS, LOSS_BOUND, RATIO_TARGET = 20, 1e-4, 1.2
LEARNING_RATE = 1e-5
"""Small, so that losses tell whether the same is computed: Adam's first steps, which have one length whatever the
gradient, make of rounding what they like."""

ROUNDS = 7
MATRIX = 2048

LIBRARIES: dict[type[nn.Module], type[nn.Module]] = {Doubling: nn.ConvTranspose2d, TinyMapConv2d: nn.Conv2d}
"""The library's layer behind each of ours."""


def network(backbone: str, keypoints: int) -> PoseModel:
    torch.manual_seed(0)
    model = build_model(backbone, "simdr", keypoints=keypoints, input_size=SIZE, split_ratio=SPLIT_RATIO)
    initialize(model, scheme="kaiming")
    return model.train()


class PlainSteps:
    """Eager steps as one writes them down."""

    def __init__(self, model: nn.Module, codec: Any) -> None:
        for layer in model.modules():
            for ours, library in LIBRARIES.items():
                if isinstance(layer, ours):
                    layer.__class__ = library
        self._model, self._codec = model, codec
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def __call__(self, batch: Batch) -> float:
        images = torch.from_numpy(np.stack([plain.normalized(crop) for crop in batch.images.numpy()]))
        targets = [
            plain.simdr_target(keypoints, visible, SIZE, SPLIT_RATIO)
            for keypoints, visible in zip(batch.keypoints.numpy(), batch.visible.numpy(), strict=True)
        ]
        bins, weight = (torch.from_numpy(np.stack(column)) for column in zip(*targets, strict=True))
        self._optimizer.zero_grad()
        loss: Tensor = self._codec.loss(self._model(images), SimDRTarget(bins, weight))
        loss.backward()
        self._optimizer.step()
        return float(loss.detach())


def our_steps(training: Training) -> Callable[[Batch], float]:
    """Steps of a training, whose bookkeeping is left out."""

    def step(batch: Batch) -> float:
        loss = training._compute_gradients(batch)
        training.optimizer.step(LEARNING_RATE)
        return float(loss)

    return step


def drawn_batches(folder: Path, size: int) -> tuple[CropSettings, list[Batch], Instances]:
    generate(folder, "drawn", SyntheticSet(4 * size, seed=0))
    split = open_split("coco", folder, "drawn")
    instances, settings = split.instances(), CropSettings(SIZE, "rgb", split.skeleton)
    found = training_batches(
        instances, settings, Augmentation(), batch_size=size, epochs=1, seed=0, start=Position(), workers=0
    )
    return settings, [batch for batch in found if isinstance(batch, Batch)], instances


def measure(
    backbone: str, data: tuple[CropSettings, list[Batch], Instances], threads: int, precision: Precision
) -> list[Any]:
    settings, batches, instances = data
    codec = build_codec(CODEC, settings.skeleton.flip_indices)
    schedule = endless_schedule(len(batches[0]), LEARNING_RATE, precision)
    model = network(backbone, settings.skeleton.size)
    training = Training(model, codec, instances, settings, Augmentation(), schedule, torch.device("cpu"))
    ours, eager = our_steps(training), PlainSteps(network(backbone, settings.skeleton.size), codec)
    order = [batches[number % len(batches)] for number in range(COMPARED_STEPS)]
    losses = np.array([(eager(batch), ours(batch)) for batch in order])
    difference = float(np.max(np.abs(losses[:, 0] - losses[:, 1]) / np.abs(losses[:, 0])))
    clock = time.process_time if threads == 1 else time.perf_counter
    found = compare(lambda: eager(batches[0]), lambda: ours(batches[0]), rounds=ROUNDS, clock=clock)
    work = 6 * len(batches[0]) * multiply_adds(backbone, settings.skeleton.size)
    return [
        backbone,
        len(batches[0]) / found.plain,
        len(batches[0]) / found.ours,
        found.ratio,
        RATIO_TARGET,
        difference,
        work / found.ours / 1e9,
    ]


def multiply_adds(backbone: str, keypoints: int) -> int:
    return predict(backbone, "simdr", keypoints=keypoints, input_size=SIZE, split_ratio=SPLIT_RATIO).multiply_adds


def matrix_rate(threads: int) -> float:
    """Billions of floating-point operations per second of a large matrix product."""
    one, other = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)
    clock = time.process_time if threads == 1 else time.perf_counter
    one @ other
    return 2 * MATRIX**3 / seconds(lambda: one @ other, 5, clock) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", choices=get_args(Precision), default="float32", help="of ours")
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(0)
    with TemporaryDirectory() as folder:
        data = drawn_batches(Path(folder), arguments.batch)
        backbones = ("hrnet_w32", "simba_res50")
        rows = [measure(backbone, data, arguments.threads, arguments.precision) for backbone in backbones]
    print(f"{machine()}; matrix products: {matrix_rate(arguments.threads):.0f} GFLOP/s")
    headers = (
        "64x64, SimDR",
        "plain, instances/s",
        "ours, instances/s",
        "ratio",
        "target",
        "losses differ by",
        "ours, GFLOP/s",
    )
    print(tabulate(rows, headers=headers, floatfmt=("", ".1f", ".1f", ".2f", ".1f", ".1e", ".0f")))
    sys.exit(arguments.precision == "float32" and any(row[5] > LOSS_BOUND for row in rows))


if __name__ == "__main__":
    main()
