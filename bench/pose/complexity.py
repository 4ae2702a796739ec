"""Measure the size and the work of a network, by the exact count and by the one that the paper prints.

The counts depend on shapes only, so the weights may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from bench.pose.models.network import Complexity

__all__ = ["Complexity", "count_parameters", "measure", "multiply_adds", "published_convention"]

# Names under which fvcore reports products; it also counts normalization and interpolation, which are not.
_PRODUCTS = ("conv", "linear", "matmul", "addmm", "bmm", "einsum")


def measure(model: nn.Module, input_size: tuple[int, int]) -> Complexity:
    """All counts of `model` for one image of `input_size`, (height, width) in pixels."""
    return Complexity(
        params=count_parameters(model),
        multiply_adds=multiply_adds(model, input_size),
        published_convention=published_convention(model, input_size),
    )


def count_parameters(model: nn.Module) -> int:
    """Number of parameters, trainable or not; buffers do not count.

    TokenPose's fixed position embedding (49,152 values) is a parameter and counts; the paper's tables print the number
    of trainable ones, without it.
    """
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_adds(model: nn.Module, input_size: tuple[int, int]) -> int:
    """Multiply-adds of convolutions, transposed convolutions and matrix products for one image.

    A transposed convolution does one product per input position, channel pair and kernel tap. Counted by
    fvcore on a traced forward pass in evaluation mode; `input_size` is (height, width) in pixels.
    """
    with _evaluating(model), torch.no_grad():
        analysis = FlopCountAnalysis(model, _blank_image(model, input_size))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        by_operator = analysis.by_operator()
    return int(sum(by_operator[name] for name in _PRODUCTS))


def published_convention(model: nn.Module, input_size: tuple[int, int]) -> int:
    """The count that the paper's tables divide by 2**30 and print as GFLOPs (behaviour section 4).

    It differs from `multiply_adds` in two ways, kept because the published cells were made with them: a
    transposed convolution is charged at its output's resolution, 4 times too much for stride 2, and a linear
    layer on [B, n, inputs] is charged n rather than `inputs` products per output. `input_size` is (height,
    width) in pixels.
    """
    charges: list[int] = []

    def charge(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Linear):
            charges.append(output.numel() * inputs[0].size(1))
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            charges.append(layer.weight.numel() * prod(output.shape[2:]))

    hooks = [layer.register_forward_hook(charge) for layer in model.modules()]
    try:
        with _evaluating(model), torch.no_grad():
            model(_blank_image(model, input_size))
    finally:
        for hook in hooks:
            hook.remove()
    return sum(charges)


def _blank_image(model: nn.Module, input_size: tuple[int, int]) -> Tensor:
    device = next(model.parameters()).device
    return torch.zeros(1, 3, *input_size, device=device)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while, so that running statistics stay; restores the mode of each layer."""
    modes = {layer: layer.training for layer in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes.items():
            layer.training = training
