"""Which codecs, outputs and settings `bench.pose.kernels` can read, and how they are handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.codecs.coordinate import CoordinateCodec
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.geometry import Size
from bench.pose.models.heads import Coordinates

__all__ = ["compiled_joints"]

Array = npt.NDArray[Any]


def compiled_joints(
    codec: Codec[Any, Any], views: Sequence[Any], centers: Tensor, scales: Tensor, size: Size
) -> Tensor | None:
    """What `locate` returns; None where it must be found in another way.

    That is the case on GPUs, for one view alone, for codecs and settings that nothing is compiled for, among them all
    codecs that derive from bench's own, and for outputs with a NaN. See `locate` for the arguments.
    """
    read = READERS.get(type(codec))
    if read is None or len(views) != 2 or not _readable(centers, scales, *_tensors(views)):
        return None
    from bench.pose import kernels  # numba takes a third of a second, which GPUs need not wait for

    rows = read(codec, *views)
    if rows is None or not kernels.to_image(rows, centers.numpy(), scales.numpy(), *size):
        return None
    return torch.from_numpy(rows)


def _tensors(views: Sequence[Any]) -> list[Tensor]:
    return [tensor for view in views for tensor in (view if isinstance(view, Coordinates) else (view,))]


def _readable(*tensors: Tensor) -> bool:
    return all(tensor.is_cpu and tensor.dtype == torch.float32 for tensor in tensors)


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


def _coordinates(codec: CoordinateCodec[Any], output: Coordinates, mirrored: Coordinates) -> Array | None:
    """Rows of `kernels.coordinate_peaks`."""
    from bench.pose import kernels

    if not float(codec.mirror_shift).is_integer():
        return None
    rows = np.empty((*output.x.shape[:2], 3), np.float32)
    kernels.coordinate_peaks(
        tuple(axis.contiguous().numpy() for axis in (*output, *mirrored)),
        np.array(codec.mirror),
        (isinstance(codec, SimDRStarCodec), int(codec.mirror_shift), np.float32(codec.split_ratio)),
        rows,
        _threads(),
    )
    return rows


def _heatmaps(codec: HeatmapCodec, output: Tensor, mirrored: Tensor) -> Array | None:
    """Rows of `kernels.heatmap_peaks`."""
    from bench.pose import kernels

    people, joints, height, width = output.shape
    at_once = kernels.ROWS_AT_ONCE
    if codec.refinement == "dark" or not float(codec.mirror_shift).is_integer() or height % at_once**2:
        return None
    settings = width, int(codec.mirror_shift), tuple(codec.mirror)
    if all(maps.is_contiguous(memory_format=torch.channels_last) for maps in (output, mirrored)):
        shape, routes = (people, 1, height, width * joints), _side_by_side(*settings)
        output, mirrored = output.permute(0, 2, 3, 1), mirrored.permute(0, 2, 3, 1)
    else:
        shape, routes = (people, joints, height // at_once, at_once * width), _one_by_one(at_once, *settings)
    rows = np.empty((people, joints, 3), np.float32)
    kernels.heatmap_peaks(
        (output.reshape(shape).numpy(), mirrored.reshape(shape).numpy()),
        routes,
        (width, codec.refinement == "quarter"),
        rows,
        _threads(),
    )
    return rows


@cache
def _side_by_side(width: int, shift: int, mirror: tuple[int, ...]) -> tuple[Array, ...]:
    """`routes` of `kernels.heatmap_peaks` for maps whose joints lie side by side, a row of cells in a step."""
    return _routes((0,), _mirrored_columns(width, shift)[:, None] * len(mirror) + mirror)


@cache
def _one_by_one(rows: int, width: int, shift: int, mirror: tuple[int, ...]) -> tuple[Array, ...]:
    """`routes` of `kernels.heatmap_peaks` for one map after the other, some rows of cells in a step."""
    return _routes(mirror, np.arange(rows)[:, None] * width + _mirrored_columns(width, shift))


def _mirrored_columns(width: int, shift: int) -> Array:
    """The column of a mirrored map that belongs to each one of a map if the mirrored is mirrored and moved right."""
    return np.clip(width - 1 - np.arange(width) + shift, 0, width - 1)


def _routes(partner: tuple[int, ...], source: Array) -> tuple[Array, ...]:
    source = source.ravel()
    lanes = np.arange(len(source))
    target = np.full(len(source), len(source))
    target[source] = lanes
    holes = lanes[target[source] != lanes]
    fillers = target[source[holes]]
    return tuple(np.asarray(indices, np.uint32) for indices in (partner, source, target, holes, fillers))


READERS: dict[type, Callable[..., Array | None]] = {
    HeatmapCodec: _heatmaps,
    SimDRCodec: _coordinates,
    SimDRStarCodec: _coordinates,
}
"""By the exact type: who derives a codec may decode it in another way."""
