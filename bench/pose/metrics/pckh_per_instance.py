"""The distance of each keypoint from the truth in a PCKh evaluation (MPII): columns on resampled instances, curve."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bench.pose.errors import UnknownNameError
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.pckh import HeadTruth, both_columns, columns, head_distances, keypoint_rates
from bench.pose.metrics.resample_counts import checked_counts, single_values
from bench.pose.skeletons import MPII_16

__all__ = ["PckhPerInstance", "judge_pckh"]

Array = npt.NDArray[Any]

THRESHOLD = 0.5
"""Threshold of the reported columns, in head sizes."""

CURVE = (0.01, *(step / 100 for step in range(5, 55, 5)))
"""Thresholds of the curve, in head sizes."""


@dataclass(frozen=True, eq=False)
class PckhPerInstance:
    """Distances of predicted keypoints from the annotated ones.

    Attributes:
        distances: (instances, 16) in head sizes; NaN for instances without a prediction, 0 for keypoints that are not
            labelled.
        visible: (instances, 16) bool, whether labelled.
    """

    kind: ClassVar[str] = "pckh"

    distances: Array
    visible: Array

    def __post_init__(self) -> None:
        """Raises `ValueError` for arrays whose shapes do not match."""
        shape = (len(self.visible), MPII_16.size)
        if not self.distances.shape == self.visible.shape == shape or self.visible.dtype != bool:
            raise ValueError("the shapes of its arrays do not match")

    @property
    def units(self) -> int:
        """Number of instances."""
        return len(self.visible)

    @property
    def fingerprint(self) -> str:
        """Hash of which keypoints are labelled."""
        return hashlib.sha256(np.packbits(self.visible).tobytes()).hexdigest()

    def metrics(self) -> dict[str, float | None]:
        """`Head` to `Mean`, and `Head@0.1` to `Mean@0.1`, in percent; None where there is nobody to judge."""
        return single_values(both_columns(self.distances, self.visible, self._once, THRESHOLD))

    def resample(self, counts: Array, metrics: Sequence[str]) -> dict[str, Array]:
        """Metrics of datasets in which instances occur as often as they were drawn.

        Args:
            counts: (resamples, instances) integers.
            metrics: names of the wanted metrics.

        Returns:
            By name (resamples,) in percent; NaN where no keypoint is left.

        Raises:
            UnknownNameError: PCKh has no such column.
            ValueError: the counts are not integers of that shape.
        """
        found = both_columns(self.distances, self.visible, checked_counts(counts, self.units), THRESHOLD)
        for name in metrics:
            if name not in found:
                raise UnknownNameError("metric", name, found)
        return {name: found[name] for name in metrics}

    def diagnostics(self) -> Diagnostics:
        """PCKh at half a head of each keypoint that is labelled at all, and the mean at each threshold of `CURVE`."""
        rates, labelled = keypoint_rates(self.distances, self.visible, THRESHOLD, self._once)
        measured = zip(MPII_16.keypoints, rates[0], labelled[0], strict=True)
        means = {
            f"{threshold:.2f}": columns(*keypoint_rates(self.distances, self.visible, threshold, self._once))["Mean"][0]
            for threshold in CURVE
        }
        return Diagnostics(
            measure="PCKh",
            keypoints={keypoint: float(rate) for keypoint, rate, count in measured if count},
            curve={threshold: float(mean) for threshold, mean in means.items() if not np.isnan(mean)},
            errors={},
        )

    @property
    def _once(self) -> Array:
        return np.ones((1, self.units), dtype=np.int32)


def judge_pckh(predictions: Array, truth: HeadTruth) -> PckhPerInstance:
    """Per-instance results of predictions; arguments and errors as in `head_distances`."""
    distances = np.where(truth.visible, head_distances(predictions, truth), 0)
    return PckhPerInstance(distances.astype(np.float64), truth.visible)
