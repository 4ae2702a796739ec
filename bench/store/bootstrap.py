"""Bootstrap: metrics of records on resampled images, computed once and stored beside the per-instance results."""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.files import StoreError, write_bytes
from bench.pose.errors import BenchError
from bench.pose.metrics.own import OWN_METRICS
from bench.pose.metrics.per_instance import PerInstanceResults, load_per_instance
from bench.statistics.resampling import RESAMPLES, SCHEME, resample_counts
from bench.store.folders import EvaluationFolder, Store

Array = npt.NDArray[Any]

LOADED = 8
"""Number of per-instance results kept in memory: those of a row's seeds, for its next metric."""

ORIGIN, UNITS = "origin", "units"
"""Names in a file of resamples that are not metrics."""


@dataclass
class _StoredResamples:
    """Contents of a file of resamples.

    Attributes:
        origin: hash of the per-instance results and the resampling scheme.
        units: number of resampled units (images); 0 before anything was resampled.
        metrics: each metric over the resamples, (resamples,).
    """

    origin: str
    units: int = 0
    metrics: dict[str, Array] = field(default_factory=dict)


class Resamples:
    """Metrics of a store's records on resampled images.

    Attributes:
        problems: errors of per-instance results that cannot be used.
    """

    def __init__(self, store: Store, *, load: Callable[[Path], PerInstanceResults] = load_per_instance) -> None:
        """Read nothing yet; `load` will read files of per-instance results."""
        self.problems: list[str] = []
        self._store = store
        self._kept: dict[str, _StoredResamples | None] = {}
        self._useless: set[tuple[str, str]] = set()
        self._per_instance = lru_cache(LOADED)(load)
        self._counts = lru_cache(None)(resample_counts)

    def of(self, record: str, metric: str) -> tuple[Array, int] | None:
        """A metric over the resamples, (resamples,), NaN where undefined, and the number of images.

        None if the record has no usable per-instance results, or if they do not give the metric, such as an
        extension's.
        """
        if metric in OWN_METRICS or (record, metric) in self._useless:
            return None
        try:
            if record not in self._kept:
                self._kept[record] = self._read(self._store.evaluation(record))
            kept = self._kept[record]
            if kept is not None and metric not in kept.metrics:
                self._compute(self._store.evaluation(record), kept, [metric])
        except (BenchError, OSError) as error:
            self._useless.add((record, metric))
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return None
        return None if kept is None else (kept.metrics[metric], kept.units)

    def _read(self, folder: EvaluationFolder) -> _StoredResamples | None:
        """Resamples stored earlier for the same per-instance results, or empty ones; None without such results."""
        if not folder.per_instance.is_file():
            return None
        contents = folder.per_instance.read_bytes()
        origin = hashlib.sha256(f"{SCHEME} {RESAMPLES} ".encode() + contents).hexdigest()
        return _load_kept(folder.resamples, origin) or _StoredResamples(origin)

    def keep(self, record: str, metrics: Sequence[str]) -> None:
        """Compute and store metrics of a record ahead of time.

        Raises:
            DataError: the per-instance results are unusable.
            UnknownNameError: they do not give such a metric.
        """
        folder = self._store.evaluation(record)
        kept = self._kept[record] = self._read(folder)
        if kept is not None:
            self._compute(folder, kept, metrics)

    def _compute(self, folder: EvaluationFolder, kept: _StoredResamples, metrics: Sequence[str]) -> None:
        per_instance = self._per_instance(folder.per_instance)
        counts = self._counts(per_instance.units, per_instance.fingerprint)
        kept.metrics |= per_instance.resample(counts, metrics)
        kept.units = per_instance.units
        with contextlib.suppress(StoreError):  # in a read-only folder they are computed again next time
            _save_kept(folder.resamples, kept)


def _load_kept(file: Path, origin: str) -> _StoredResamples | None:
    """Contents of a file; None if it is missing, broken or of another origin, and must be computed again."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        if str(arrays.pop(ORIGIN)) != origin:
            return None
        return _StoredResamples(origin, int(arrays.pop(UNITS)), arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _save_kept(file: Path, kept: _StoredResamples) -> None:
    buffer = io.BytesIO()
    arrays: dict[str, Array] = {ORIGIN: np.array(kept.origin), UNITS: np.array(kept.units), **kept.metrics}
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(file, buffer.getvalue(), durable=False)
