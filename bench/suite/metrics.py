"""Metrics by name, without the libraries that compute them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.paper.rows import PCKH, PCKH_SUFFIXES
from bench.pose.data.datasets import DatasetInfo
from bench.pose.metrics.own import OWN_METRICS

__all__ = ["METRICS", "best_of", "lower_is_better", "metrics_of", "noticeable"]

_PCKH = tuple(f"{name}{suffix}" for suffix in PCKH_SUFFIXES.values() for name in PCKH.values())

METRICS: Mapping[str, tuple[str, ...]] = {
    "coco": ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL", "mean_oks"),
    "crowdpose": ("AP", "AP50", "AP75", "AR", "AR50", "AR75", "AP_E", "AP_M", "AP_H", "mean_oks"),
    "mpii": _PCKH,
}
"""What the records of each protocol hold."""


def metrics_of(data: DatasetInfo) -> tuple[str, ...]:
    """What the records of evaluations on a dataset hold, with the metrics of extensions."""
    own = (name for name, metric in OWN_METRICS.items() if data.protocol in metric.protocols)
    return (*METRICS[data.protocol], *own)


def noticeable(metric: str) -> float:
    """Half a hundredth of the metric's range, in the units of records: what matters where nothing else is said."""
    if metric in OWN_METRICS:
        return OWN_METRICS[metric].noticeable
    return 0.5 if metric in _PCKH else 0.005


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is more, as of errors; only extensions have such."""
    return metric in OWN_METRICS and OWN_METRICS[metric].lower_is_better


def best_of(metric: str, values: Iterable[float]) -> float:
    """The best of some values of a metric."""
    return min(values) if lower_is_better(metric) else max(values)
