"""Sizes of TokenPose-S, described without torch (Li et al., ICCV 2021; protocols 1.3).

A stem brings the image to stride 4; each patch of its maps becomes a visual token, which a transformer reads together
with one learnt token per keypoint.
"""

from __future__ import annotations

__all__ = ["DEPTH", "DIM", "HEADS", "HIDDEN", "PATCHES", "STRIDE", "heatmap_widths", "map_size", "patch_grid"]

DIM = 192
"""Length of a token."""

DEPTH = 12
"""Transformer layers."""

HEADS = 8
"""Attention heads per layer."""

HIDDEN = 3 * DIM
"""Width between the two linear layers after attention."""

STRIDE = 4
"""Input pixels per cell of the stem's maps and of the heatmaps."""

PATCHES = {(64, 64): (1, 1), (128, 128): (2, 2), (256, 192): (4, 3)}
"""Cells (height, width) of a patch for each input size (height, width) in pixels.

Only the largest has a published configuration; of the others, these patches alone have the published numbers of
parameters and GFLOPs. All three give 256 visual tokens.
"""


def map_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the stem's maps and of the heatmaps, in cells."""
    height, width = input_size
    return height // STRIDE, width // STRIDE


def patch_grid(input_size: tuple[int, int]) -> tuple[int, int]:
    """Number of patches down and across. Raises `KeyError` for an input size without a patch."""
    height, width = map_size(input_size)
    patch_height, patch_width = PATCHES[input_size]
    return height // patch_height, width // patch_width


def heatmap_widths(input_size: tuple[int, int]) -> tuple[int, ...]:
    """Widths that a joint's token passes through on its way to a flattened heatmap.

    A hidden layer of an eighth of the heatmap comes between where it is at least twice as wide as a token.
    """
    height, width = map_size(input_size)
    hidden = height * width // 8
    return (DIM, hidden, height * width) if hidden >= 2 * DIM else (DIM, height * width)
