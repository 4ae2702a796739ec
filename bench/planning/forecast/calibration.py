"""Measures the time of training steps and predictions of a few networks on this machine."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from bench.planning.forecast.evidence import Calibration, CalibrationPoint
from bench.planning.predicted_complexity import predict as predict_cost
from bench.pose.codecs.representation import CodecSettings, build_codec, codec_settings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import dataset_info
from bench.pose.data.instances import Instance
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.pose.inference import predict
from bench.pose.input_size import InputSize
from bench.pose.models.build import build_model, initialize
from bench.pose.models.heads import PoseModel
from bench.pose.models.network import NetworkForm
from bench.pose.precision import make_deterministic
from bench.pose.training import OptimizerConfig, Training
from bench.store.provenance import collect

Run = Callable[[Callable[[], bool]], None]
"""Runs batches, calling its argument after each one, until that returns True."""

INSTANCES = 64
"""Synthetic instances per image size."""

IMAGE_SIZES = ((160, 208), (480, 640))
"""Height and width in px of the synthetic dataset and of most images of COCO."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "heatmap": {"sigma": 2.0, "weight_bounds": "exact"},
    "simdr": {"split_ratio": 2.0, "label_smoothing": 0.1, "loss_reduction": "sum"},
    "simdr_star": {"split_ratio": 2.0, "sigma": 4.0, "weight_bounds": "exact"},
}
"""Settings of each representation."""

EPOCHS, REPEATS = 10**6, 200
"""Repetitions of the same instances in a training and in a prediction, which are stopped before the end."""

LEARNING_RATE = 1e-6
"""Small enough not to diverge; the time does not depend on it."""

ROUNDS = 3
"""Number of turns per network, so that other load on the machine affects all alike."""

CAUTION = 1.5
"""Safety factor on the time of the next network, predicted from the previous one's speed."""


@dataclass(frozen=True)
class CalibrationNetwork:
    """A network to measure, with its batch size."""

    backbone: str
    representation: str
    input_size: InputSize
    batch_size: int

    @property
    def codec(self) -> CodecSettings:
        """Settings of the representation."""
        return codec_settings(self.representation, self.input_size, **SETTINGS[self.representation])

    @property
    def split_ratio(self) -> float | None:
        """Bins per px, of coordinates."""
        return SETTINGS[self.representation].get("split_ratio")

    @property
    def form(self) -> NetworkForm:
        """Sizes of the network."""
        keypoints = dataset_info("synthetic").skeleton.size
        return NetworkForm(keypoints=keypoints, input_size=self.input_size, split_ratio=self.split_ratio)

    @property
    def work(self) -> float:
        """Multiply-adds of the forward pass of a batch."""
        return self.batch_size * predict_cost(self.backbone, self.representation, **self.form).multiply_adds

    def model(self, device: torch.device) -> PoseModel:
        """The network with random weights."""
        model = build_model(self.backbone, self.representation, **self.form)
        initialize(model, scheme="kaiming")
        return model.to(device)


NETWORKS = (
    CalibrationNetwork("simba_tiny", "heatmap", InputSize(64, 64), 32),
    CalibrationNetwork("simba_tiny", "simdr", InputSize(128, 128), 8),
    CalibrationNetwork("simba_tiny", "simdr_star", InputSize(64, 64), 4),
    CalibrationNetwork("simba_res50", "simdr", InputSize(64, 64), 8),
    CalibrationNetwork("hrnet_w32", "simdr_star", InputSize(64, 64), 16),
    CalibrationNetwork("simba_res50", "heatmap", InputSize(128, 128), 16),
    CalibrationNetwork("hrnet_w32", "simdr", InputSize(128, 128), 8),
)
"""Networks in increasing order of work. Sizes and batches vary so that all prices can be fitted."""

GPU_NETWORKS = (
    *NETWORKS,
    CalibrationNetwork("tokenpose_s", "simdr", InputSize(256, 192), 32),
    CalibrationNetwork("simba_res50", "simdr_star", InputSize(256, 192), 64),
    CalibrationNetwork("hrnet_w32", "simdr", InputSize(256, 192), 32),
    CalibrationNetwork("hrnet_w48", "simdr_star", InputSize(384, 288), 32),
)

MINIMUM = 3
"""Number of networks that are always measured: fewer do not determine the prices."""


class _EnoughError(Exception):
    """A prediction was measured for long enough."""


@dataclass
class Meter:
    """Measures one phase of one network: number of processed instances and their time in seconds."""

    network: CalibrationNetwork
    megapixels: float
    phase: Literal["training", "evaluation"]
    run: Run
    instances: int = 0
    seconds: float = 0.0

    def measure(self, seconds: float) -> None:
        """Run for some seconds and at least one batch, after a warm-up batch that is not counted.

        Time runs from the end of one batch to the end of the next, so loading counts only while it is waited for.
        """
        started: float | None = None
        before = self.seconds

        def enough() -> bool:
            nonlocal started
            now = time.perf_counter()
            if started is None:
                started = now
                return False
            self.instances += self.network.batch_size
            self.seconds = before + now - started
            return now - started >= seconds

        self.run(enough)

    @property
    def longest(self) -> float:
        """Time of `measure(0)` in seconds."""
        return 2 * self.seconds * self.network.batch_size / self.instances

    @property
    def point(self) -> CalibrationPoint:
        """The measurement."""
        return CalibrationPoint(
            **vars(self.network),
            phase=self.phase,
            split_ratio=self.network.split_ratio,
            megapixels=self.megapixels,
            instances=self.instances,
            seconds=self.seconds,
        )


def calibrate(*, device: str, threads: int, workers: int, seconds: float, command: str) -> Calibration:
    """Measure this machine for about `seconds`.

    The first `MINIMUM` networks are always measured, larger ones if there is enough time and memory.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        threads: torch's threads.
        workers: processes that load crops.
        seconds: time to take.
        command: command line that calibrates again.
    """
    started, clock = time.time(), time.perf_counter()
    torch.set_num_threads(threads)
    make_deterministic()  # as in any job
    with tempfile.TemporaryDirectory() as folder:
        images = [_draw(Path(folder), size) for size in IMAGE_SIZES]
        deadline = clock + seconds
        meters = _measure_each(images, torch.device(device), workers, deadline)
        _repeat(meters, deadline)
    return Calibration(
        points=[meter.point for meter in meters],
        seconds=time.perf_counter() - clock,
        provenance=collect(
            device=device, threads=threads, workers=workers, files={}, seed=0, command=command, started=started
        ),
    )


def _draw(folder: Path, size: tuple[int, int]) -> tuple[float, Sequence[Instance]]:
    """Instances in synthetic images of a height and width, and the megapixels of each."""
    info, split = dataset_info("synthetic"), f"height{size[0]}"
    generate(folder, split, SyntheticSet(INSTANCES, seed=0, image_size=size), workers=1)
    return size[0] * size[1] / 1e6, CocoKeypoints(folder, split, info.skeleton, info.layout, info.protocol).instances()


def _measure_each(
    images: Sequence[tuple[float, Sequence[Instance]]], device: torch.device, workers: int, deadline: float
) -> list[Meter]:
    """Measure each network once, in increasing order of work, until time or memory runs out."""
    meters: list[Meter] = []
    pace = 0.0
    for number, network in enumerate(NETWORKS if device.type == "cpu" else GPU_NETWORKS):
        begun = time.perf_counter()
        if number >= MINIMUM and begun + CAUTION * pace * network.work > deadline:
            break
        # Each phase uses both image sizes, on alternate networks.
        found = _meters(network, images if number % 2 else images[::-1], device, workers)
        try:
            for meter in found:
                meter.measure(0)
        except torch.OutOfMemoryError:
            break
        meters += found
        pace = (time.perf_counter() - begun) / network.work
    return meters


def _repeat(meters: Sequence[Meter], deadline: float) -> None:
    """Divide the remaining time among all meters, in several turns."""
    share = max(deadline - time.perf_counter(), 0) / (ROUNDS * len(meters))
    for meter in (*meters,) * ROUNDS:
        if time.perf_counter() + meter.longest < deadline:
            meter.measure(share / 2)


def _meters(
    network: CalibrationNetwork, images: Sequence[tuple[float, Sequence[Instance]]], device: torch.device, workers: int
) -> list[Meter]:
    """A training on images of one size, and an evaluation on those of the other."""
    skeleton = dataset_info("synthetic").skeleton
    codec, crops = build_codec(network.codec, skeleton.flip_indices), CropSettings(network.input_size, "rgb", skeleton)
    (megapixels, instances), (other_megapixels, others) = images
    training = Training(
        model=network.model(device),
        codec=codec,
        instances=instances,
        crops=crops,
        augmentation=Augmentation(),
        settings=OptimizerConfig(
            epochs=EPOCHS,
            batch_size=network.batch_size,
            learning_rate=LEARNING_RATE,
            learning_rate_factor=1.0,
            milestones=(),
            milestone_timing="exact",
            warmup_steps=0,
            seed=0,
        ),
        device=device,
    )
    model = network.model(device)
    settings: dict[str, Any] = {
        "flip_test": True,
        "device": device,
        "batch_size": network.batch_size,
        "workers": workers,
    }

    def train(enough: Callable[[], bool]) -> None:
        training.run(lambda _progress: enough(), save=lambda: None, workers=workers)

    def evaluate(enough: Callable[[], bool]) -> None:
        def watch(_done: int) -> None:
            if enough():
                raise _EnoughError

        with contextlib.suppress(_EnoughError):
            predict(model, codec, list(others) * REPEATS, crops, **settings, watch=watch)

    return [Meter(network, megapixels, "training", train), Meter(network, other_megapixels, "evaluation", evaluate)]
