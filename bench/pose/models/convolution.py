"""3x3 convolutions of maps with hardly more positions than the kernel's center."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["TinyMapConv2d"]

_FEW_POSITIONS = 4
"""Of nine products per position, a map of 2x2 has five with the zeros around it."""


class TinyMapConv2d(nn.Conv2d):
    """A 3x3 convolution with a border of one and without bias, which keeps the size of maps.

    In training on a CPU in float32 it is a matrix product on maps of up to four positions, which leaves out the border.
    HRNet-W32 spends a tenth of a step on such maps at 64x64. The product can be differentiated once.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[B, outputs, H, W] of [B, inputs, H, W]."""
        tiny = input.shape[2:].numel() <= _FEW_POSITIONS and self.training
        if not (tiny and input.is_cpu and input.dtype == torch.float32) or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        output: Tensor = _DenseConvolution.apply(input, self.weight)  # type: ignore[no-untyped-call]
        return output


class _DenseConvolution(torch.autograd.Function):
    """Maps [B, inputs, H, W] convolved with a kernel [outputs, inputs, 3, 3] as a product with all positions."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(maps, kernel)
        size = maps.shape[2:]
        return _maps(_rows(maps) @ _matrix(kernel, size).T, size, kernel.shape[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        maps, kernel = ctx.saved_tensors
        size, rows = maps.shape[2:], _rows(gradients[0])
        return _maps(rows @ _matrix(kernel, size), size, kernel.shape[1]), _kernel(rows.T @ _rows(maps), kernel, size)


def _rows(maps: Tensor) -> Tensor:
    """[B, H * W * channels] of [B, channels, H, W]; a view of maps whose channels lie side by side."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def _maps(rows: Tensor, size: torch.Size, channels: int) -> Tensor:
    return rows.unflatten(1, (*size, channels)).permute(0, 3, 1, 2)


def _matrix(kernel: Tensor, size: torch.Size) -> Tensor:
    """[H * W * outputs, H * W * inputs]: what each position adds to each."""
    outputs, inputs = kernel.shape[:2]
    allocate = kernel.new_empty if max(size) <= 2 else kernel.new_zeros  # of two positions each sees the other
    blocks = allocate(*size, outputs, *size, inputs)
    for block, taps in _neighbours(blocks, kernel, size):
        block.copy_(taps)
    return blocks.flatten(0, 2).flatten(1)


def _kernel(matrix: Tensor, like: Tensor, size: torch.Size) -> Tensor:
    """The sum over positions of what `_matrix` makes of a kernel."""
    outputs, inputs = like.shape[:2]
    kernel = torch.zeros_like(like)
    for block, taps in _neighbours(matrix.view(*size, outputs, *size, inputs), kernel, size):
        taps.add_(block)
    return kernel


def _neighbours(blocks: Tensor, kernel: Tensor, size: torch.Size) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each position: the blocks [outputs, h, w, inputs] of those that it sees, and their taps of the kernel."""
    taps = kernel.permute(0, 2, 3, 1)
    for position in itertools.product(*map(range, size)):
        seen = [(max(at - 1, 0), min(at + 2, side)) for at, side in zip(position, size, strict=True)]
        rows, columns = (slice(*span) for span in seen)
        above, beside = (slice(a - at + 1, b - at + 1) for at, (a, b) in zip(position, seen, strict=True))
        yield blocks[position][:, rows, columns], taps[:, above, beside]
