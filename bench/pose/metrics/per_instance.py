"""Per-instance results of an evaluation, from which its metrics can be computed again on resampled units."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from bench.pose.errors import DataError
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.pckh_per_instance import PckhPerInstance

__all__ = ["PerInstanceResults", "load_per_instance", "save_per_instance"]

Array = npt.NDArray[Any]

BROKEN = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError, RuntimeError, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
"""Exceptions of numpy and the constructors for broken files."""


class PerInstanceResults(Protocol):
    """Results of one evaluation by unit that can be resampled: images (COCO, CrowdPose) or instances (MPII)."""

    kind: ClassVar[str]

    @property
    def units(self) -> int:
        """Number of units."""

    @property
    def fingerprint(self) -> str:
        """Equal for results of the same units in the same order, which can be compared in pairs."""

    def metrics(self) -> dict[str, float | None]:
        """The metrics that the evaluation itself reported, to rounding; None where there is nobody to judge."""

    def resample(self, counts: Array, metrics: Sequence[str]) -> dict[str, Array]:
        """Metrics of datasets in which units occur as often as they were drawn.

        Args:
            counts: (resamples, units) integers.
            metrics: names of the wanted metrics.

        Returns:
            By name (resamples,); NaN if no instance counts.

        Raises:
            UnknownNameError: the protocol has no such metric.
            ValueError: the counts are not integers of that shape.
        """


KINDS: dict[str, type[OksPerInstance] | type[PckhPerInstance]] = {
    kind.kind: kind for kind in (OksPerInstance, PckhPerInstance)
}
SHAPE = ".shape"
"""Ending of the name under which the shape of a packed array of truth values is stored."""


def save_per_instance(per_instance: PerInstanceResults) -> bytes:
    """Contents of the file that `load_per_instance` reads: a compressed npz without pickles, truth values as bits."""
    arrays: dict[str, Any] = {"kind": np.array(per_instance.kind)}
    for field in fields(KINDS[per_instance.kind]):
        if getattr(per_instance, field.name) is None:
            continue
        value = np.asarray(getattr(per_instance, field.name))
        if value.dtype == np.bool_:
            arrays[field.name + SHAPE] = np.array(value.shape)
            value = np.packbits(value)
        elif value.dtype.kind in "iu" and value.size and value.min() >= 0:
            value = value.astype(np.min_scalar_type(value.max()))
        arrays[field.name] = value
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def load_per_instance(path: Path) -> PerInstanceResults:
    """Per-instance results from a file. Raises `DataError` if it is missing, broken or of another kind."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        kind = KINDS[str(arrays["kind"])]
        # Fields with a default may be missing: earlier versions had fewer.
        stored = [field.name for field in fields(kind) if field.name in arrays or field.default is MISSING]
        return kind(**{name: _restored(name, arrays) for name in stored})
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except BROKEN as error:
        raise DataError(f"{path}: not a readable file of per-instance results ({error})") from error


def _restored(name: str, arrays: dict[str, Array]) -> Any:
    """The value of a field from the arrays of a file."""
    value = arrays[name]
    if value.ndim == 0:
        return str(value)
    if name + SHAPE not in arrays:
        return value
    shape = tuple(arrays[name + SHAPE].tolist())
    if value.size != math.ceil(math.prod(shape) / 8):
        raise ValueError(f"{name} does not have its shape")
    return np.unpackbits(value, count=math.prod(shape)).astype(bool).reshape(shape)
