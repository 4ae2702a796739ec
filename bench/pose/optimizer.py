"""Adam in one pass over memory, whatever order a network's weights lie in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["DenseAdam"]


class DenseAdam:
    """Adam without weight decay (behaviour T3), as torch's fused implementation computes it.

    That one copies each tensor whose dimensions are not in memory's order, as weights of convolutions are not that work
    on channels side by side. So it is given the same memory with the dimensions in order.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._orders = [_memory_order(parameter) for parameter in self._parameters]
        self._dense = [_permuted(one, order) for one, order in zip(self._parameters, self._orders, strict=True)]
        self._adam = torch.optim.Adam(self._dense, fused=True)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter, dense in zip(self._parameters, self._dense, strict=True):
            parameter.grad = dense.grad = None

    def step(self, learning_rate: float) -> None:
        """Move the weights along their gradients; those without one stay."""
        for parameter, dense, order in zip(self._parameters, self._dense, self._orders, strict=True):
            dense.grad = None if parameter.grad is None else parameter.grad.permute(order).contiguous()
        for group in self._adam.param_groups:
            group["lr"] = learning_rate
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        """The running means of gradients and of their squares, with dimensions in memory's order, and step counts."""
        return self._adam.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self._adam.load_state_dict(state)


def _memory_order(tensor: Tensor) -> tuple[int, ...]:
    """Dimensions from the one of the longest strides to that of the shortest."""
    strides = tensor.stride()
    return tuple(sorted(range(tensor.dim()), key=lambda dimension: -strides[dimension]))


def _permuted(parameter: nn.Parameter, order: tuple[int, ...]) -> Tensor:
    return parameter.detach().permute(order)
