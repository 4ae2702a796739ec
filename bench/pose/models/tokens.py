"""Grids and widths of TokenPose, computed without torch (Li et al., ICCV 2021; protocols 1.3).

A stem brings the image to stride 4; each patch of its maps becomes a visual token, which a transformer reads together
with one learnt token per keypoint.
"""

from __future__ import annotations

__all__ = ["STRIDE", "heatmap_widths", "hidden_width", "map_size", "patch_grid"]

STRIDE = 4
"""Input pixels per cell of the stem's maps and of the heatmaps."""


def map_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the stem's maps and of the heatmaps, in cells."""
    height, width = input_size
    return height // STRIDE, width // STRIDE


def patch_grid(input_size: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    """Number of patches down and across, for patches of (height, width) cells."""
    height, width = map_size(input_size)
    return height // patch[0], width // patch[1]


def hidden_width(dim: int) -> int:
    """Width between the two linear layers after attention, for tokens of length `dim`."""
    return 3 * dim


def heatmap_widths(input_size: tuple[int, int], dim: int) -> tuple[int, ...]:
    """Widths that a keypoint's token of length `dim` passes through on its way to a flattened heatmap.

    A hidden layer of an eighth of the heatmap comes between where it is at least twice as wide as a token.
    """
    height, width = map_size(input_size)
    hidden = height * width // 8
    return (dim, hidden, height * width) if hidden >= 2 * dim else (dim, height * width)
