"""The learning rate, epoch by epoch, against what the reference's order of calls really trains with (behaviour T1)."""

import json

import pytest

from bench.pose.training import OptimizerConfig, learning_rate
from tests.parity.golden import FIXTURES

SCHEDULES = json.loads((FIXTURES / "lr_schedule.json").read_text())
ORDER = {"reference": "start_of_epoch_step", "exact": "end_of_epoch_step"}
EPOCHS = {(90, 120): 140, (170, 200): 210}


@pytest.mark.parametrize("timing", ORDER)
@pytest.mark.parametrize("milestones", EPOCHS, ids=str)
def test_learning_rate(milestones: tuple[int, ...], timing: str) -> None:
    table = SCHEDULES[str(list(milestones))]
    drops = next(drops for name, drops in table.items() if name.startswith(ORDER[timing]))
    settings = OptimizerConfig(
        epochs=EPOCHS[milestones],
        batch_size=128,
        learning_rate=1e-3,
        learning_rate_factor=0.1,
        milestones=milestones,
        milestone_timing=timing,
        warmup_steps=0,
        seed=0,
    )
    rates = [learning_rate(settings, epoch) for epoch in range(settings.epochs)]
    assert rates[0] == 1e-3
    found = [[epoch, rates[epoch]] for epoch in range(1, settings.epochs) if rates[epoch] != rates[epoch - 1]]
    assert [epoch for epoch, _ in found] == [epoch for epoch, _ in drops]
    assert [rate for _, rate in found] == pytest.approx([rate for _, rate in drops])
    early = 1 if timing == "reference" else 0
    assert [epoch for epoch, _ in found] == [milestone - early for milestone in milestones]


def test_warm_up_rises_linearly_from_a_thousandth() -> None:
    settings = OptimizerConfig(
        epochs=1,
        batch_size=1,
        learning_rate=1.0,
        learning_rate_factor=0.1,
        milestones=(),
        milestone_timing="exact",
        warmup_steps=500,
        seed=0,
    )
    rates = [learning_rate(settings, 0, steps) for steps in (0, 250, 499, 500, 501)]
    assert rates == pytest.approx([0.001, 0.5005, 0.998002, 1.0, 1.0])
