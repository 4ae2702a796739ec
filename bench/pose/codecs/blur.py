"""Gaussian blur of maps and vectors as OpenCV does it, by whose kernels the published refinements are defined."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["blurred", "gaussian_kernel"]

TABULATED = {
    1: (1,),
    3: (1, 2, 1),
    5: (1, 4, 6, 4, 1),
    7: (2, 7, 14, 18, 14, 7, 2),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}
"""Kernels that OpenCV tabulates, before they are divided by their sum; it computes wider ones."""


def gaussian_kernel(cells: int) -> Tensor:
    """Kernel of an odd number of cells; its standard deviation is that which OpenCV derives from the width.

    Raises:
        ValueError: the number is even: such a kernel has no center and would move what it blurs.
    """
    if cells % 2 == 0:
        raise ValueError(f"a blur of {cells} cells has no center; expected an odd number, for example {cells + 1}")
    if cells in TABULATED:
        kernel = torch.tensor(TABULATED[cells], dtype=torch.float64)
    else:
        deviation = 0.3 * ((cells - 1) / 2 - 1) + 0.8
        distance = torch.arange(cells, dtype=torch.float64) - cells // 2
        kernel = torch.exp(-(distance**2) / (2 * deviation**2))
    return kernel / kernel.sum()


def blurred(values: Tensor, cells: int, axes: tuple[int, ...]) -> Tensor:
    """Blur with zeros outside, each map or vector brought back to its own maximum.

    Args:
        values: (instances, keypoints, height, width) or (instances, keypoints, bins).
        cells: width of the kernel, odd.
        axes: of the values to blur and to find the maximum over: (-2, -1) for maps, (-1,) for vectors.
    """
    kernel, reach = gaussian_kernel(cells).tolist(), cells // 2
    result = values
    for axis in axes:
        # A sum of shifted copies: torch's convolution of a single channel takes many times as long on CPUs.
        padded = torch.nn.functional.pad(result, (0, 0) * (-1 - axis) + (reach, reach))
        result = torch.zeros_like(values)
        for step, weight in enumerate(kernel):
            result.add_(padded.narrow(axis, step, values.shape[axis]), alpha=weight)
    before, after = values.amax(axes, keepdim=True), result.amax(axes, keepdim=True)
    return result * before / torch.where(after == 0, 1, after)
