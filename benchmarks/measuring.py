"""Measuring two ways of doing the same in turn, so that what else the machine does strikes both alike."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from bench.pose.optimizer import OptimizerConfig
from bench.pose.precision import Precision

ROUNDS = 7

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """Seconds of a plain way and of ours, medians of several rounds, and the median of their ratios."""

    plain: float
    ours: float
    ratio: float


def compare(
    plain: Work,
    ours: Work,
    *,
    rounds: int = ROUNDS,
    repeats: tuple[int, int] = (1, 1),
    clock: Callable[[], float] = time.process_time,
) -> Comparison:
    """Time both in turn, each so often per round, after a round that does not count; seconds are of one time.

    Args:
        plain: the plain way.
        ours: ours.
        rounds: that count.
        repeats: of the plain way and of ours in a round.
        clock: CPU seconds of the process, or `time.perf_counter` where several threads work.
    """
    pairs = [(seconds(plain, repeats[0], clock), seconds(ours, repeats[1], clock)) for _ in range(rounds + 1)][1:]
    of_plain, of_ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Comparison(of_plain, of_ours, statistics.median(one / other for one, other in pairs))


def seconds(work: Work, repeats: int, clock: Callable[[], float] = time.process_time) -> float:
    before = clock()
    for _ in range(repeats):
        work()
    return (clock() - before) / repeats


def endless_schedule(batch_size: int, learning_rate: float = 1e-3, precision: Precision = "float32") -> OptimizerConfig:
    """A constant learning rate, for as many epochs as anybody waits for."""
    return OptimizerConfig(
        epochs=10**6,
        batch_size=batch_size,
        learning_rate=learning_rate,
        learning_rate_factor=0.1,
        milestones=(),
        milestone_timing="exact",
        warmup_steps=0,
        seed=0,
        precision=precision,
    )


def machine() -> str:
    """The machine and the versions that decide speed."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    versions = f"torch {torch.__version__}, NumPy {np.__version__}, OpenCV {cv2.__version__}"
    return (
        f"{names[0] if names else platform.processor()} x {len(names)}, {versions}, {torch.get_num_threads()} threads"
    )
