"""Which codecs, outputs and settings `bench.pose.kernels` can read, and how they are handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.codecs.coordinate import CoordinateCodec
from bench.pose.codecs.heatmap import STRIDE, HeatmapCodec
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.geometry import SCALE_UNIT, Size
from bench.pose.outputs import Coordinates

__all__ = ["compiled_keypoints"]

Array = npt.NDArray[Any]


def compiled_keypoints(
    codec: Codec[Any, Any], views: Sequence[Any], centers: Tensor, scales: Tensor, size: Size
) -> Tensor | None:
    """What `locate` returns; None where it must be found in another way.

    That is the case on GPUs, for one view alone, for codecs and settings that nothing is compiled for, among them all
    codecs that derive from bench's own, and for what the plain way may refuse: outputs with a NaN, or of other shapes
    than the codec's. See `locate` for the arguments.
    """
    reader = READERS.get(type(codec))
    tensors = [tensor for view in views for tensor in (view if isinstance(view, Coordinates) else (view,))]
    if reader is None or len(views) != 2 or not all(map(_readable, (centers, scales, *tensors))):
        return None
    from bench.pose import kernels  # numba takes a third of a second, which GPUs need not wait for

    instances = len(centers)
    expected = [(instances, len(codec.flip_indices), *shape) for shape in reader.shapes(codec)]  # type: ignore[attr-defined]
    if [tensor.shape for tensor in tensors] != 2 * expected or len(scales) != instances:
        return None
    rows = reader.read(codec, *views)
    half_widths = scales.numpy()[:, 0] * np.float32(SCALE_UNIT / 2)
    if rows is None or not kernels.to_image(rows, reader.unit, centers.numpy(), half_widths, size):
        return None
    return torch.from_numpy(rows)


def _readable(tensor: Tensor) -> bool:
    return tensor.is_cpu and tensor.dtype == torch.float32 and not tensor.requires_grad


def _threads() -> int:
    """Let the kernels use as many as torch does, or as there are; how many these are.

    When numba starts its threads, the setting that it shares with torch becomes all cores.
    """
    import numba

    wanted = torch.get_num_threads()
    count = min(wanted, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    numba.set_num_threads(count)
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    return count


def _coordinates(codec: CoordinateCodec[Any], output: Coordinates, flipped: Coordinates) -> Array | None:
    """Rows of `kernels.coordinate_peaks`."""
    from bench.pose import kernels

    if not float(codec.shift).is_integer():
        return None
    rows = np.empty((*output.x.shape[:2], 3), np.float32)
    kernels.coordinate_peaks(
        tuple(axis.contiguous().numpy() for axis in (*output, *flipped)),
        np.array(codec.flip_indices),
        (isinstance(codec, SimDRStarCodec), int(codec.shift), np.float32(codec.split_ratio)),
        rows,
        _threads(),
    )
    return rows


def _heatmaps(codec: HeatmapCodec, output: Tensor, flipped: Tensor) -> Array | None:
    """Rows of `kernels.heatmap_peaks`."""
    from bench.pose import kernels

    instances, keypoints, height, width = output.shape
    if codec.post_process == "dark" or not float(codec.shift).is_integer() or height % kernels.ROWS_AT_ONCE:
        return None
    side_by_side = all(maps.is_contiguous(memory_format=torch.channels_last) for maps in (output, flipped))
    if side_by_side:
        output, flipped = (maps.permute(0, 2, 3, 1).flatten(2).unsqueeze(1) for maps in (output, flipped))
    rows = np.empty((instances, keypoints, 3), np.float32)
    kernels.heatmap_peaks(
        (output.contiguous().numpy(), flipped.contiguous().numpy()),
        _routes(width, int(codec.shift), tuple(codec.flip_indices), side_by_side),
        codec.post_process == "quarter",
        rows,
        _threads(),
    )
    return rows


@cache
def _routes(width: int, shift: int, flip_indices: tuple[int, ...], side_by_side: bool) -> tuple[Array, ...]:
    """`routes` of `kernels.heatmap_peaks`."""
    columns = np.arange(width)
    flipped_columns = np.clip(width - 1 - columns + shift, 0, width - 1)
    if not side_by_side:
        routes = flip_indices, columns[None], flipped_columns[None]
    else:
        keypoints = len(flip_indices)
        own, partner = np.arange(keypoints)[:, None], np.array(flip_indices)[:, None]
        routes = (0,), columns * keypoints + own, flipped_columns * keypoints + partner
    return tuple(np.array(indices, np.uint32, order="C") for indices in routes)


@dataclass(frozen=True)
class Reader:
    """How outputs of a codec are read.

    Attributes:
        read: returns rows (instances, keypoints, 3) of the codec and both views, or None for settings that it does not
            know.
        shapes: of the codec's outputs for one keypoint.
        unit: crop px of a row's x and y.
    """

    read: Callable[..., Array | None]
    shapes: Callable[[Any], list[tuple[int, ...]]]
    unit: int = 1


HEATMAPS = Reader(_heatmaps, lambda codec: [(codec.height, codec.width)], unit=STRIDE)
COORDINATES = Reader(_coordinates, lambda codec: [(bins,) for bins in codec.bins])
READERS: dict[type, Reader] = {HeatmapCodec: HEATMAPS, SimDRCodec: COORDINATES, SimDRStarCodec: COORDINATES}
"""By the exact type: who derives a codec may decode it in another way."""
