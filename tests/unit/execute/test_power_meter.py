"""Power while training: the mean of samples, and nothing where a device tells none."""

from __future__ import annotations

import pytest
import torch

from bench.execute import power_meter
from bench.execute.power_meter import PowerMeter


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    monkeypatch.setattr(power_meter, "SECONDS_BETWEEN_SAMPLES", 0.0)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    return torch.device("cuda")


def test_the_mean_of_samples_in_watts(gpu: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([300_000, 500_000])
    monkeypatch.setattr(torch.cuda, "power_draw", lambda _device: next(readings))
    meter = PowerMeter(gpu)
    assert meter.watts is None
    meter.sample()
    meter.sample()
    assert meter.watts == 400


def test_samples_are_a_second_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    readings = iter([300_000])
    monkeypatch.setattr(torch.cuda, "power_draw", lambda _device: next(readings))
    meter = PowerMeter(torch.device("cuda"))
    meter.sample()
    meter.sample()
    assert meter.watts == 300


def test_where_nothing_tells_the_power_it_is_asked_once_and_absent(
    gpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(device: torch.device) -> int:
        asked.append(device)
        raise ModuleNotFoundError("pynvml does not seem to be installed")

    monkeypatch.setattr(torch.cuda, "power_draw", refuse)
    meter = PowerMeter(gpu)
    meter.sample()
    meter.sample()
    assert (meter.watts, len(asked)) == (None, 1)
    monkeypatch.setattr(torch.cuda, "power_draw", pytest.fail)
    meter = PowerMeter(torch.device("cpu"))
    meter.sample()
    assert meter.watts is None
