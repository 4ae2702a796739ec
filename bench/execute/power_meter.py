"""The power of a GPU while it works, where the driver and an installed binding of NVML tell it."""

from __future__ import annotations

import time

import torch

SECONDS_BETWEEN_SAMPLES = 1.0
MILLI = 1e-3


class PowerMeter:
    """Mean power of a device over samples; nothing is measured, and nothing raised, where the device tells none."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._works = device.type == "cuda" and torch.version.cuda is not None
        self._samples = 0
        self._sum = 0.0
        self._last = -SECONDS_BETWEEN_SAMPLES

    def sample(self) -> None:
        """Take a sample, unless the last one is fresh."""
        now = time.monotonic()
        if not self._works or now - self._last < SECONDS_BETWEEN_SAMPLES:
            return
        self._last = now
        try:
            self._sum += torch.cuda.power_draw(self._device) * MILLI
            self._samples += 1
        except Exception:  # no binding, no driver or no sensor, each with an error of its own: no training ends by it
            self._works = False

    @property
    def watts(self) -> float | None:
        """The mean in W; None if there is none."""
        return self._sum / self._samples if self._sum > 0 else None
