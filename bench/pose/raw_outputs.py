"""A network's raw outputs for a split, in one file, so that they can be decoded again in other ways.

The file is a zip archive: arrays of each batch in numpy's format, `BATCH/indices.npy`, `centers`, `scales`,
`keypoints`, and the outputs in float16 with both views, (2, instances, ...), as `maps` or as the logits `x` and `y`.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.pose.errors import BenchError
from bench.pose.outputs import Coordinates

__all__ = ["OutputsError", "OutputsWriter", "RawOutputs", "read_outputs"]

Array = npt.NDArray[Any]

COMPRESSION = 1
"""Of zlib: more makes files hardly smaller, and is several times as slow."""

PLACES = ("indices", "centers", "scales", "keypoints")
"""Arrays of a batch beside the outputs."""

HEADROOM = 2**28
"""Bytes that stay free on the disk."""


class OutputsError(BenchError):
    """Raw outputs cannot be stored, or a file of them is broken."""


@dataclass(frozen=True)
class RawOutputs:
    """Outputs for a batch.

    Attributes:
        indices: (instances,) int64, positions of the instances in their split.
        centers: (instances, 2) image px of the crops' centers.
        scales: (instances, 2) crop sizes in units of 200 px.
        keypoints: (instances, keypoints, 3) float32, as they were decoded before the outputs were rounded to float16.
        views: of the crops and, if there is a second one, of the flipped crops.
    """

    indices: Array
    centers: Array
    scales: Array
    keypoints: Array
    views: tuple[Any, ...]


class OutputsWriter:
    """Writes outputs batch by batch; `close` completes the file."""

    def __init__(self, file: Path, instances: int) -> None:
        """`instances` of the split, from which the size of the file is told beforehand."""
        self._file, self._instances, self._batches = file, instances, 0
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)

    def close(self) -> None:
        """Complete the file."""
        self._archive.close()

    def add(self, outputs: RawOutputs) -> None:
        """Write a batch.

        Raises:
            OutputsError: an output is too large for float16, or the disk has no room for the whole file.
        """
        arrays = {name: _half(values) for name, values in _named(outputs.views).items()}
        if not self._batches:
            self._check_room(sum(array.nbytes for array in arrays.values()) // len(outputs.indices))
        places = {name: getattr(outputs, name) for name in PLACES}
        for name, array in {**places, **arrays}.items():
            with self._archive.open(f"{self._batches:06d}/{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        self._batches += 1

    def _check_room(self, each: int) -> None:
        """Say how large the file may become, and refuse it where the disk is too small."""
        needed, free = each * self._instances, shutil.disk_usage(self._file.parent).free
        print(f"raw outputs of {self._instances:,} instances: at most {needed / 1e6:,.1f} MB", flush=True)
        if needed + HEADROOM > free:
            raise OutputsError(
                f"{self._file}: raw outputs of {self._instances:,} instances take up to {needed / 1e9:.1f} GB, and"
                f" {free / 1e9:.1f} GB are free"
            )


def read_outputs(file: Path) -> Iterator[RawOutputs]:
    """The batches of a file in their order, with outputs in float32.

    Raises `OutputsError` for a file that is missing or broken.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            for _, names in groupby(sorted(archive.namelist()), lambda name: name.partition("/")[0]):
                yield _read_batch(archive, names)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OutputsError(f"{file}: broken raw outputs ({error}); remove it, and they are made again") from error


def _read_batch(archive: zipfile.ZipFile, names: Iterable[str]) -> RawOutputs:
    arrays = {}
    for name in names:
        with archive.open(name) as member:
            arrays[PurePosixPath(name).stem] = np.lib.format.read_array(member)
    places = {name: arrays.pop(name) for name in PLACES}
    tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    views = [_unnamed(dict(zip(tensors, both, strict=True))) for both in zip(*tensors.values(), strict=True)]
    return RawOutputs(**places, views=tuple(views))


def _named(views: tuple[Any, ...]) -> dict[str, Tensor]:
    """The outputs of both views together by the names of their arrays."""
    if isinstance(views[0], Coordinates):
        return {name: torch.stack([getattr(view, name) for view in views]) for name in Coordinates._fields}
    return {"maps": torch.stack(views)}


def _unnamed(tensors: dict[str, Tensor]) -> Tensor | Coordinates:
    return tensors["maps"] if "maps" in tensors else Coordinates(**tensors)


def _half(values: Tensor) -> Array:
    half = values.detach().to("cpu", torch.float16)
    if bool((half.isinf() & ~values.cpu().isinf()).any()):
        raise OutputsError(f"an output of {float(values.abs().max()):.3g} is too large for float16: none are stored")
    return half.numpy()
