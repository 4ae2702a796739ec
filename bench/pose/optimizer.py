"""The optimizer: its settings, the learning-rate schedule, and Adam in one pass over memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.pose.precision import Precision

__all__ = ["DenseAdam", "OptimizerConfig", "learning_rate"]

WARMUP_START = 0.001
"""Fraction of the learning rate that the first warm-up step uses."""


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam without weight decay (behaviour T3) and a stepped learning rate.

    Attributes:
        epochs: passes over the instances.
        batch_size: instances per step, over all replicas and processes.
        learning_rate: initial learning rate.
        learning_rate_factor: factor applied to the learning rate at each milestone.
        milestones: epochs, from 0, at which the learning rate drops.
        milestone_timing: "reference" drops one epoch early (behaviour T1), "exact" at the milestone.
        warmup_steps: number of first steps over which the learning rate rises linearly from a thousandth.
        seed: seed of initial weights, order and augmentation.
        precision: arithmetic of the network.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    learning_rate_factor: float
    milestones: tuple[int, ...]
    milestone_timing: Literal["reference", "exact"]
    warmup_steps: int
    seed: int
    precision: Precision = "float32"


def learning_rate(settings: OptimizerConfig, epoch: int, steps: int | None = None) -> float:
    """Learning rate of an epoch, counted from 0. With `steps`, the number of steps taken so far, warm-up is applied."""
    early = 1 if settings.milestone_timing == "reference" else 0
    drops = sum(epoch >= milestone - early for milestone in settings.milestones)
    rate = settings.learning_rate * settings.learning_rate_factor**drops
    if steps is None or steps >= settings.warmup_steps:
        return rate
    return rate * (WARMUP_START + (1 - WARMUP_START) * steps / settings.warmup_steps)


class DenseAdam:
    """Adam without weight decay (behaviour T3), as torch's fused implementation computes it.

    Fused Adam copies every tensor whose dimensions are not in memory order, and channels-last convolution weights are
    not. So it is given views of the same memory with the dimensions in memory order.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._orders = [_memory_order(parameter) for parameter in self._parameters]
        self._dense = [one.detach().permute(order) for one, order in zip(self._parameters, self._orders, strict=True)]
        self._adam = torch.optim.Adam(self._dense, fused=True)
        # A GPU reads the rate from its memory: so a step that was recorded takes the rate of the moment.
        gpu = next((one.device for one in self._dense if one.is_cuda), None)
        self._rate = None if gpu is None else torch.zeros((), device=gpu)

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for parameter, dense in zip(self._parameters, self._dense, strict=True):
            parameter.grad = dense.grad = None

    def step(self, learning_rate: float) -> None:
        """Update the parameters that have a gradient."""
        self.set_learning_rate(learning_rate)
        self.update()

    def set_learning_rate(self, value: float) -> None:
        """Set the learning rate of the next updates."""
        if self._rate is not None:
            self._rate.fill_(value)
        for group in self._adam.param_groups:
            group["lr"] = value if self._rate is None else self._rate

    def update(self) -> None:
        """Update the parameters that have a gradient by the learning rate that was set; can be recorded on a GPU."""
        for parameter, dense, order in zip(self._parameters, self._dense, self._orders, strict=True):
            dense.grad = None if parameter.grad is None else parameter.grad.permute(order).contiguous()
        recorded = self._rate is not None and torch.cuda.is_current_stream_capturing()
        self._say_capturable(recorded)
        self._adam.step()
        self._say_capturable(False)

    def _say_capturable(self, value: bool) -> None:
        """Tell torch whether this update is recorded. It changes no arithmetic, only checks and warnings."""
        for group in self._adam.param_groups:
            group["capturable"] = value

    def tensors(self) -> Iterator[Tensor]:
        """Everything that an update changes beside the parameters."""
        for state in self._adam.state.values():
            yield from state.values()

    def state_dict(self) -> dict[str, Any]:
        """Adam's moments, with dimensions in memory order, and step counts."""
        return self._adam.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self._adam.load_state_dict(state)


def _memory_order(tensor: Tensor) -> tuple[int, ...]:
    """Dimensions from the largest stride to the smallest."""
    strides = tensor.stride()
    return tuple(sorted(range(tensor.dim()), key=lambda dimension: -strides[dimension]))
