"""Rates of steps, and what the GPU does meanwhile."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.pose.precision import make_deterministic
from benchmarks.gpu.trainings import synchronize

SECONDS_BETWEEN_SAMPLES = 0.1


class Meter:
    """Samples how busy the GPU is, in a thread; knows nothing on CPUs and without NVML."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._over = device, threading.Event()
        self._samples: list[int] = []
        self._thread = threading.Thread(target=self._sample, daemon=True)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._thread.start()

    def _sample(self) -> None:
        with contextlib.suppress(Exception):  # no binding, no driver library
            while not self._over.wait(SECONDS_BETWEEN_SAMPLES):
                self._samples.append(torch.cuda.utilization(self._device))

    def figures(self) -> dict[str, float]:
        """Utilization in percent and memory in GiB since the start."""
        self._over.set()
        if self._device.type != "cuda":
            return {}
        busy = {"GPU busy %": float(statistics.mean(self._samples))} if self._samples else {}
        return busy | {"GiB": torch.cuda.max_memory_allocated(self._device) / 2**30}


@dataclass
class Window:
    """Counts the instances of steps in a window of time behind a warm-up.

    Attributes:
        device: where the steps run.
        warm_up: seconds, from the first step on, before the window.
        seconds: of the window.
        least: steps of the warm-up and of the window at least.
    """

    device: torch.device
    warm_up: float
    seconds: float
    least: int = 3

    def __post_init__(self) -> None:
        self.instances = self.steps = 0
        self.elapsed = 0.0
        self._warm = 0
        self._since = time.monotonic()
        self._meter: Meter | None = None

    def step(self, instances: int) -> bool:
        """Count a step; returns whether the window is over."""
        now = time.monotonic()
        if self._meter is None:
            self._warm += 1
            if self._warm >= self.least and now - self._since >= self.warm_up:
                synchronize(self.device)
                self._meter, self._since = Meter(self.device), time.monotonic()
            return False
        self.instances += instances
        self.steps += 1
        if self.steps < self.least or now - self._since < self.seconds:
            return False
        synchronize(self.device)
        self.elapsed = time.monotonic() - self._since
        return True

    def figures(self) -> dict[str, float]:
        """Rate in instances/s, and what the GPU did."""
        assert self._meter is not None, "the window has not begun"
        return {"instances/s": self.instances / self.elapsed, **self._meter.figures()}


def kernel_seconds(device: torch.device, run: Callable[[], object]) -> float:
    """Seconds that the GPU spends in kernels and copies while `run` runs; 0 on CPUs."""
    if device.type != "cuda":
        run()
        return 0.0
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        run()
        synchronize(device)
    events = [event for event in profile.key_averages() if not event.is_user_annotation]
    return sum(float(event.self_device_time_total) for event in events) / 1e6


def limits(device: torch.device, side: int, megabytes: int) -> Mapping[str, Any]:
    """TFLOP/s of large matrix products in both precisions, and GB/s of a copy, bytes read and written."""
    found = {}
    for name, dtype in (("float32 TFLOP/s", torch.float32), ("bfloat16 TFLOP/s", torch.bfloat16)):
        one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        found[name] = 2 * side**3 / seconds(device, partial(torch.matmul, one, other)) / 1e12
    source = torch.empty(megabytes * 2**20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    found["copy GB/s"] = 2 * source.numel() / seconds(device, lambda: target.copy_(source)) / 1e9
    return found


def seconds(device: torch.device, work: Callable[[], Tensor], times: int = 5) -> float:
    """Mean seconds of some work, after one time that does not count."""
    work()
    synchronize(device)
    started = time.monotonic()
    for _ in range(times):
        work()
    synchronize(device)
    return (time.monotonic() - started) / times


@contextlib.contextmanager
def library_defaults(*, tf32: bool = False) -> Iterator[None]:
    """Within this context torch chooses algorithms by trial and not for the same bits, as the reference has it."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = True, tf32
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = False
        make_deterministic()
