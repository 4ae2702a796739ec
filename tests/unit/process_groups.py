"""Teams of real processes on this machine, and a tiny training for them."""

from __future__ import annotations

import io
import multiprocessing
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch._dynamo  # which the first optimizer imports: processes are to find it imported
from torch import Tensor, nn
from torch.distributed import TCPStore

from bench.pose.codecs.base import Codec
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.maps import HeatmapTarget
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.instances import Instance
from bench.pose.models.build import build_model, initialize
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup, init_process_group
from bench.pose.skeletons import COCO_17
from bench.pose.torchvision_shim import torchvision_models
from bench.pose.training import OptimizerConfig, Training

torchvision_models()  # likewise

PATIENCE = 100.0
"""Seconds after which a group hangs."""

SIZE = (64, 64)
CPU = torch.device("cpu")


class DoubleHeatmapCodec(HeatmapCodec):
    """Heatmaps with targets in double precision: torch 2.11 has no mean squared error of two precisions."""

    def encode(self, keypoints: Tensor, visible: Tensor) -> HeatmapTarget:
        maps, weight = super().encode(keypoints, visible)
        return HeatmapTarget(maps.double(), weight)


CODECS: dict[str, Codec[Any, Any]] = {
    "heatmap": DoubleHeatmapCodec(SIZE, COCO_17.flip_indices, sigma=1),
    "simdr": SimDRCodec(SIZE, COCO_17.flip_indices, split_ratio=2),
    "simdr_star": SimDRStarCodec(SIZE, COCO_17.flip_indices, split_ratio=2, sigma=4),
}


def together(function: Callable[..., Any], size: int, *arguments: Any) -> list[Any]:
    """What `function(group, *arguments)` returns or raises in each process of a group, in the order of ranks.

    The function must be one of a module's.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    packed = _packed((function, arguments))  # as tensors pickled for another process each take a file descriptor
    processes, ends = [], []
    for rank in range(size):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_member, args=(there, store.port, rank, size, packed))
        process.start()
        there.close()
        processes.append(process)
        ends.append(here)
    deadline = time.monotonic() + PATIENCE
    try:
        found = []
        for rank, end in enumerate(ends):
            assert end.poll(max(0.0, deadline - time.monotonic())), f"process {rank} hangs"
            found.append(_unpacked(end.recv_bytes()))
        return found
    finally:
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()


def _member(end: Connection, port: int, rank: int, size: int, packed: bytes) -> None:
    function, arguments = _unpacked(packed)
    torch.set_num_threads(1)
    store = TCPStore("127.0.0.1", port, is_master=False)
    try:
        with init_process_group(store, rank=rank, size=size, device=CPU, timeout=timedelta(seconds=PATIENCE)) as group:
            result = function(group, *arguments)
    except Exception as error:
        result = error
    end.send_bytes(_packed(result))


def _packed(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _unpacked(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), weights_only=False)


def instances(folder: Path, count: int) -> list[Instance]:
    """Instances on noisy images of their own."""
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        file = folder / f"{number}.png"
        cv2.imwrite(str(file), rng.integers(0, 255, (100, 100, 3)).astype(np.uint8))
        keypoints, visible = rng.uniform(20, 80, (17, 2)), rng.integers(0, 4, 17) > 0
        found.append(Instance(file, number, number, np.array([15.0, 15, 70, 70]), keypoints, visible, area=4900.0))
    return found


class Doubled(nn.Module):
    """A network in double precision, for which rounding cannot hide anything."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.double()

    def forward(self, images: Tensor) -> Any:
        return self.network(images.double())


def training(
    someone: Sequence[Instance],
    representation: str = "simdr",
    *,
    replicas: int = 1,
    group: ProcessGroup = SINGLE_PROCESS,
    double: bool = True,
    validate: Callable[[nn.Module], float | None] | None = None,
    batch_size: int = 8,
    epochs: int = 2,
) -> Training:
    """A training of the smallest network."""
    torch.manual_seed(0)
    ratio = None if representation == "heatmap" else 2.0
    model: nn.Module = build_model(
        "simba_tiny",
        representation,
        keypoints=17,
        input_size=SIZE,
        split_ratio=ratio,
        replicas=replicas,
        world_size=group.size,
    )
    initialize(model, scheme="kaiming")
    return Training(
        model=Doubled(model) if double else model,
        codec=CODECS[representation],
        instances=someone,
        crops=CropSettings(SIZE, "rgb", COCO_17),
        augmentation=Augmentation(),
        settings=OptimizerConfig(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=1e-3,
            learning_rate_factor=0.1,
            milestones=(),
            milestone_timing="exact",
            warmup_steps=0,
            seed=0,
        ),
        device=CPU,
        validate=validate,
        group=group,
    )
