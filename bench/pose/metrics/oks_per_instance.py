"""Per-instance results of an OKS evaluation (COCO, CrowdPose), and their statistics on resampled images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.pose.errors import UnknownNameError
from bench.pose.metrics.average_precision import average_precision, recall, weighted_sum
from bench.pose.metrics.pck import PCK_THRESHOLDS, pck_values
from bench.pose.metrics.resample_counts import checked_counts, single_values

__all__ = ["CROWDING", "OKS_THRESHOLDS", "OksPerInstance"]

Array = npt.NDArray[Any]

OKS_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""Thresholds of the OKS from which a prediction is correct."""

CROWDING = {"AP_E": (0.0, 0.2), "AP_M": (0.2, 0.8), "AP_H": (0.8, np.inf)}
"""Crowd index of easy, medium and hard images: at least the first, below the second number."""

CROWDING_DECIMALS = 4
"""Digits to which CrowdPose's tool rounds these three."""


class _Curve(NamedTuple):
    """Precision or recall over the thresholds, for an area range and a group of images, both by index."""

    what: Literal["precision", "recall"]
    area: int = 0
    group: int | None = None


class _Statistic(NamedTuple):
    """The mean of a curve at some thresholds, by index."""

    curve: _Curve
    thresholds: tuple[int, ...] = tuple(range(len(OKS_THRESHOLDS)))


def _block(name: str, what: Literal["precision", "recall"], *, areas: bool) -> dict[str, _Statistic]:
    """AP or AR over all thresholds, at two of them, and for medium and large instances alone."""
    curve = _Curve(what)
    block = {name: _Statistic(curve), f"{name}50": _Statistic(curve, (0,)), f"{name}75": _Statistic(curve, (5,))}
    ranges = {f"{name}M": _Curve(what, area=1), f"{name}L": _Curve(what, area=2)}
    return block | ({name: _Statistic(curve) for name, curve in ranges.items()} if areas else {})


STATISTICS: Mapping[str, Mapping[str, _Statistic]] = {
    "coco": _block("AP", "precision", areas=True) | _block("AR", "recall", areas=True),
    "crowdpose": _block("AP", "precision", areas=False)
    | _block("AR", "recall", areas=False)
    | {name: _Statistic(_Curve("precision", group=group)) for group, name in enumerate(CROWDING)},
}
"""By protocol, the statistics."""


@dataclass(frozen=True, eq=False)
class OksPerInstance:
    """Matches of predictions at each threshold and for each range of instance areas.

    Only the order of the scores matters, so only that is kept.

    Attributes:
        protocol: "coco" or "crowdpose".
        image_ids: (images,) int64 in the evaluator's order.
        detections: (detections,) position in `image_ids` of each prediction's image, best score first.
        matched: (ranges, 10, detections) bool; ranges are all, medium and large for COCO, all for CrowdPose.
        ignored: (ranges, 10, detections) bool; whether the prediction is ignored.
        instances: (ranges, images) number of instances that count.
        best_oks: (instances,) best OKS that a prediction in the image reaches, for each labelled instance.
        best_images: (instances,) positions of their images.
        groups: (groups, images) bool; easy, medium and hard images for CrowdPose, no groups for COCO.
        pck: (1 + thresholds, images) keypoints that PCK counts, and those that are right at each threshold; None for
            skeletons without a torso and in results of earlier versions.
    """

    kind: ClassVar[str] = "oks"

    protocol: str
    image_ids: Array
    detections: Array
    matched: Array
    ignored: Array
    instances: Array
    best_oks: Array
    best_images: Array
    groups: Array
    pck: Array | None = None

    def __post_init__(self) -> None:
        """Raises `ValueError` for arrays whose shapes do not match."""
        integers = (self.image_ids, self.detections, self.instances, self.best_images)
        flags = (self.matched, self.ignored, self.groups)
        if any(array.dtype.kind not in "iu" for array in integers) or any(array.dtype != bool for array in flags):
            raise ValueError("an array is of the wrong type")
        images, (ranges, *_) = len(self.image_ids), self.matched.shape
        shape = (ranges, len(OKS_THRESHOLDS), len(self.detections))
        positions = np.concatenate([self.detections, self.best_images])
        if (
            self.protocol not in STATISTICS
            or not shape == self.matched.shape == self.ignored.shape
            or self.instances.shape != (ranges, images)
            or self.best_oks.shape != self.best_images.shape
            or self.groups.shape[1:] != (images,)
            or (positions.size and not 0 <= positions.min() <= positions.max() < images)
        ):
            raise ValueError("the shapes of its arrays do not match")
        if self.pck is not None and (
            self.pck.dtype.kind not in "iu" or self.pck.shape != (1 + len(PCK_THRESHOLDS), images)
        ):
            raise ValueError("its numbers of keypoints for PCK are not whole, or not those of its images")

    @property
    def units(self) -> int:
        """Number of images."""
        return len(self.image_ids)

    @property
    def fingerprint(self) -> str:
        """Hash of the images' ids and their numbers of counted instances."""
        contents = self.image_ids.astype("<i8").tobytes() + self.instances[0].astype("<i8").tobytes()
        return hashlib.sha256(contents).hexdigest()

    def metrics(self) -> dict[str, float | None]:
        """The protocol's statistics, `mean_oks` and PCK in 0..1, each None if there is nobody to judge."""
        once = np.ones((1, self.units), dtype=np.int32)
        return {
            name: round(value, CROWDING_DECIMALS) if name in CROWDING and value is not None else value
            for name, value in single_values(self.resample(once, self._names)).items()
        }

    def resample(self, counts: Array, metrics: Sequence[str]) -> dict[str, Array]:
        """Metrics of datasets in which images occur as often as they were drawn.

        Args:
            counts: (resamples, images) integers.
            metrics: names of the wanted metrics.

        Returns:
            By name (resamples,) in 0..1, unrounded; NaN if no instance counts.

        Raises:
            UnknownNameError: the results do not give such a metric.
            ValueError: the counts are not integers of that shape.
        """
        counts = checked_counts(counts, self.units)
        statistics = STATISTICS[self.protocol]
        for name in metrics:
            if name not in self._names:
                raise UnknownNameError("metric", name, self._names)
        found = {} if self.pck is None else pck_values(self.pck, counts)
        wanted = {name: statistics[name] for name in metrics if name in statistics}
        for curve in dict.fromkeys(statistic.curve for statistic in wanted.values()):
            of_curve = {name: statistic.thresholds for name, statistic in wanted.items() if statistic.curve == curve}
            thresholds = sorted({at for chosen in of_curve.values() for at in chosen})
            values = dict(zip(thresholds, self._values(curve, thresholds, counts), strict=True))
            found |= {name: np.mean([values[at] for at in chosen], axis=0) for name, chosen in of_curve.items()}
        found["mean_oks"] = self._mean_oks(counts)
        return {name: found[name] for name in metrics}

    @property
    def _names(self) -> tuple[str, ...]:
        """Names of the metrics that these results give."""
        return (*STATISTICS[self.protocol], "mean_oks", *(PCK_THRESHOLDS if self.pck is not None else ()))

    def curve(self) -> dict[float, float]:
        """AP at each OKS threshold alone; empty if no instance counts."""
        once = np.ones((1, self.units), dtype=np.int32)
        values = self._values(_Curve("precision"), range(len(OKS_THRESHOLDS)), once)[:, 0]
        return dict(zip(OKS_THRESHOLDS, values.tolist(), strict=True)) if self.instances[0].any() else {}

    def _values(self, curve: _Curve, thresholds: Sequence[int], counts: Array) -> Array:
        """A curve at some thresholds, (thresholds, resamples)."""
        judged = ~self.ignored[curve.area, thresholds]
        instances = self.instances[curve.area]
        if curve.group is not None:
            group = self.groups[curve.group]
            judged &= group[self.detections]
            instances = instances * group
        measure = average_precision if curve.what == "precision" else recall
        matched = self.matched[curve.area, thresholds]
        return measure(counts, self.detections, judged, matched, weighted_sum(counts, instances))

    def _mean_oks(self, counts: Array) -> Array:
        total, instances = (np.bincount(self.best_images, weights, self.units) for weights in (self.best_oks, None))
        with np.errstate(invalid="ignore"):
            return weighted_sum(counts, total) / weighted_sum(counts, instances)
