"""Measuring what this machine takes for training steps and predictions of a few networks."""

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
from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import CodecSettings, build_codec
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
from bench.pose.training import OptimizerConfig, Training
from bench.store.provenance import collect

__all__ = ["calibrate"]

Run = Callable[[Callable[[], bool]], None]
"""Goes on until what it is given, which it calls after every batch, is true."""

INSTANCES = 64
"""Synthetic instances per image size."""

IMAGE_SIZES = ((160, 208), (480, 640))
"""Height and width in px: of the synthetic dataset, and as most images of COCO."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "heatmap": {"sigma": 2.0, "weight_bounds": "exact"},
    "simdr": {"split_ratio": 2.0, "label_smoothing": 0.1, "loss_reduction": "sum"},
    "simdr_star": {"split_ratio": 2.0, "sigma": 4.0, "weight_bounds": "exact"},
}
"""Of each representation, for lack of a suite."""

EPOCHS, REPEATS = 10**6, 200
"""Enough of the same instances for a training and for a prediction that are broken off."""

LEARNING_RATE = 1e-6
"""The work is the same whatever is learnt, and a small step cannot diverge."""

ROUNDS = 3
"""How often each network gets its turn, so that what else the machine does strikes all alike."""

CAUTION = 1.5
"""How much longer than its multiply-adds and the network before it say a network is taken to need."""


@dataclass(frozen=True)
class Rung:
    """A network to measure, with the instances per batch."""

    backbone: str
    representation: str
    input_size: InputSize
    batch_size: int

    @property
    def codec(self) -> CodecSettings:
        """Of the representation."""
        return CodecSettings(self.representation, self.input_size, **SETTINGS[self.representation])

    @property
    def split_ratio(self) -> float | None:
        """Bins per px."""
        return self.codec.split_ratio

    @property
    def work(self) -> float:
        """Multiply-adds of the forward pass of a batch."""
        keypoints, size = dataset_info("synthetic").skeleton.size, self.input_size
        cost = predict_cost(
            self.backbone, self.representation, keypoints=keypoints, input_size=size, split_ratio=self.split_ratio
        )
        return self.batch_size * cost.multiply_adds


LADDER = (
    Rung("simba_tiny", "heatmap", InputSize(64, 64), 32),
    Rung("simba_tiny", "simdr", InputSize(128, 128), 8),
    Rung("simba_tiny", "simdr_star", InputSize(64, 64), 4),
    Rung("simba_res50", "simdr", InputSize(64, 64), 8),
    Rung("hrnet_w32", "simdr_star", InputSize(64, 64), 16),
    Rung("simba_res50", "heatmap", InputSize(128, 128), 16),
    Rung("hrnet_w32", "simdr", InputSize(128, 128), 8),
)
"""From little work to much; sizes and batches vary so that the kinds of work can be told apart."""

GPU_LADDER = (
    *LADDER,
    Rung("tokenpose_s", "simdr", InputSize(256, 192), 32),
    Rung("simba_res50", "simdr_star", InputSize(256, 192), 64),
    Rung("hrnet_w32", "simdr", InputSize(256, 192), 32),
    Rung("hrnet_w48", "simdr_star", InputSize(384, 288), 32),
)

ALWAYS = 3
"""Rungs that are measured whatever time they take: fewer tell nothing."""


class _EnoughError(Exception):
    """A prediction was watched for long enough."""


class Meter:
    """One phase of one network, with the instances that went through and the seconds that they took."""

    def __init__(self, rung: Rung, megapixels: float, phase: Literal["training", "evaluation"], run: Run) -> None:
        self.rung = rung
        self.instances, self.seconds = 0, 0.0
        self._megapixels, self._phase, self._run = megapixels, phase, run

    def measure(self, seconds: float) -> None:
        """Run for so many seconds, one batch at least, after a batch that starts things up and is left out.

        The clock runs from the end of a batch to the end of the next: loading counts as far as it is waited for.
        """
        started: float | None = None
        before = self.seconds

        def enough() -> bool:
            nonlocal started
            now = time.perf_counter()
            if started is None:
                started = now
                return False
            self.instances += self.rung.batch_size
            self.seconds = before + now - started
            return now - started >= seconds

        self._run(enough)

    @property
    def longest(self) -> float:
        """Seconds that `measure(0)` takes."""
        return 2 * self.seconds * self.rung.batch_size / self.instances

    @property
    def point(self) -> CalibrationPoint:
        """What was measured."""
        rung = self.rung
        return CalibrationPoint(
            phase=self._phase,
            backbone=rung.backbone,
            representation=rung.representation,
            input_size=rung.input_size,
            split_ratio=rung.split_ratio,
            batch_size=rung.batch_size,
            megapixels=self._megapixels,
            instances=self.instances,
            seconds=self.seconds,
        )


def calibrate(*, device: str, threads: int, workers: int, seconds: float, command: str) -> Calibration:
    """Measure for about so many seconds what this machine takes.

    The first `ALWAYS` networks are measured in any case, larger ones as far as there is time and memory.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        threads: of torch.
        workers: processes that load crops.
        seconds: to take.
        command: that calibrates again, for the record.
    """
    started, clock = time.time(), time.perf_counter()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)  # as in any job
    with tempfile.TemporaryDirectory() as folder:
        images = [_draw(Path(folder), size) for size in IMAGE_SIZES]
        deadline = clock + seconds
        meters = _climb(images, torch.device(device), workers, deadline)
        _repeat(meters, deadline)
    return Calibration(
        points=[meter.point for meter in meters],
        seconds=time.perf_counter() - clock,
        provenance=collect(
            device=device, threads=threads, workers=workers, files={}, seed=0, command=command, started=started
        ),
    )


def _draw(folder: Path, size: tuple[int, int]) -> tuple[float, list[Instance]]:
    """Instances in synthetic images of a height and width, and the megapixels of each."""
    info, split = dataset_info("synthetic"), f"height{size[0]}"
    generate(folder, split, SyntheticSet(INSTANCES, seed=0, image_size=size), workers=1)
    return size[0] * size[1] / 1e6, CocoKeypoints(folder, split, info.skeleton, info.layout, info.protocol).instances()


def _climb(
    images: Sequence[tuple[float, list[Instance]]], device: torch.device, workers: int, deadline: float
) -> list[Meter]:
    """Measure networks once each, from little work to much, until time or memory is short."""
    meters: list[Meter] = []
    pace = 0.0
    for number, rung in enumerate(LADDER if device.type == "cpu" else GPU_LADDER):
        begun = time.perf_counter()
        if number >= ALWAYS and begun + CAUTION * pace * rung.work > deadline:
            break
        # Each phase sees both image sizes, on alternate rungs.
        one, other = images if number % 2 else images[::-1]
        found = [_training(rung, *one, device, workers), _evaluation(rung, *other, device, workers)]
        try:
            for meter in found:
                meter.measure(0)
        except torch.OutOfMemoryError:
            break
        meters += found
        pace = (time.perf_counter() - begun) / rung.work
    return meters


def _repeat(meters: Sequence[Meter], deadline: float) -> None:
    """Spend the time that is left on all alike, each meter in several turns."""
    share = max(deadline - time.perf_counter(), 0) / (ROUNDS * len(meters))
    for meter in (*meters,) * ROUNDS:
        if time.perf_counter() + meter.longest < deadline:
            meter.measure(share / 2)


def _network(rung: Rung, device: torch.device) -> PoseModel:
    skeleton, size = dataset_info("synthetic").skeleton, rung.input_size
    model = build_model(
        rung.backbone, rung.representation, keypoints=skeleton.size, input_size=size, split_ratio=rung.split_ratio
    )
    initialize(model, scheme="kaiming")
    return model.to(device)


def _codec(rung: Rung) -> Codec[Any, Any]:
    return build_codec(rung.codec, dataset_info("synthetic").skeleton.flip_indices)


def _crops(rung: Rung) -> CropSettings:
    return CropSettings(rung.input_size, "rgb", dataset_info("synthetic").skeleton)


def _training(rung: Rung, megapixels: float, instances: list[Instance], device: torch.device, workers: int) -> Meter:
    training = Training(
        model=_network(rung, device),
        codec=_codec(rung),
        instances=instances,
        crops=_crops(rung),
        augmentation=Augmentation(),
        settings=OptimizerConfig(
            epochs=EPOCHS,
            batch_size=rung.batch_size,
            learning_rate=LEARNING_RATE,
            learning_rate_factor=1.0,
            milestones=(),
            milestone_timing="exact",
            warmup_steps=0,
            seed=0,
        ),
        device=device,
    )

    def run(enough: Callable[[], bool]) -> None:
        training.run(lambda _progress: enough(), save=lambda: None, workers=workers)

    return Meter(rung, megapixels, "training", run)


def _evaluation(rung: Rung, megapixels: float, instances: list[Instance], device: torch.device, workers: int) -> Meter:
    model = _network(rung, device)

    def run(enough: Callable[[], bool]) -> None:
        def watch(_done: int) -> None:
            if enough():
                raise _EnoughError

        with contextlib.suppress(_EnoughError):
            predict(
                model,
                _codec(rung),
                instances * REPEATS,
                _crops(rung),
                flip_test=True,
                device=device,
                batch_size=rung.batch_size,
                workers=workers,
                watch=watch,
            )

    return Meter(rung, megapixels, "evaluation", run)
