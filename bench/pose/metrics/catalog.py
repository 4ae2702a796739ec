"""The table of metrics: how each is named, printed and compared, without the libraries that compute it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from bench.pose.data.datasets import DatasetInfo
from bench.pose.metrics.own import OWN_METRICS, Metric

__all__ = [
    "METRICS",
    "NOBODY",
    "best_of",
    "explain_unjudged",
    "headline",
    "metric_named",
    "metrics_of",
    "noticeable",
    "unjudged",
]


NOBODY = "nobody to judge"
"""What is said in place of a value that does not exist: no instance of the split counts for the metric."""


def _oks(title: str, *protocols: str, rank: int | None = None) -> Metric:
    """A precision or recall over thresholds of OKS: 0..1 in records, percent in print."""
    return Metric(title, unit="%", scale=100, decimals=1, protocols=protocols or ("coco", "crowdpose"), rank=rank)


def _pckh(title: str, words: str = "", rank: int | None = None) -> Metric:
    """A PCKh of MPII: percent in records and in print."""
    return Metric(title, words=words, unit="%", decimals=1, noticeable=0.5, protocols=("mpii",), rank=rank)


def _pck(title: str) -> Metric:
    """A PCK of datasets in COCO's format: 0..1 in records, percent in print."""
    return Metric(title, unit="%", scale=100, decimals=1, protocols=("coco", "crowdpose"), torso=True)


METRICS: Mapping[str, Metric] = {
    "AP": _oks("AP", rank=0),
    "AP50": _oks("AP50"),
    "AP75": _oks("AP75"),
    "APM": _oks("APM", "coco"),
    "APL": _oks("APL", "coco"),
    "AR": _oks("AR"),
    "AR50": _oks("AR50"),
    "AR75": _oks("AR75"),
    "ARM": _oks("ARM", "coco"),
    "ARL": _oks("ARL", "coco"),
    "AP_E": _oks("AP_E", "crowdpose"),
    "AP_M": _oks("AP_M", "crowdpose"),
    "AP_H": _oks("AP_H", "crowdpose"),
    "mean_oks": Metric("mean OKS", protocols=("coco", "crowdpose")),
    "PCK@0.2": _pck("PCK@0.2"),
    "PCK@0.1": _pck("PCK@0.1"),
    "Head": _pckh("Head"),
    "Shoulder": _pckh("Shoulder"),
    "Elbow": _pckh("Elbow"),
    "Wrist": _pckh("Wrist"),
    "Hip": _pckh("Hip"),
    "Knee": _pckh("Knee"),
    "Ankle": _pckh("Ankle"),
    "Mean": _pckh("Mean", "mean PCKh@0.5", rank=1),
    "Head@0.1": _pckh("Head@0.1"),
    "Shoulder@0.1": _pckh("Shoulder@0.1"),
    "Elbow@0.1": _pckh("Elbow@0.1"),
    "Wrist@0.1": _pckh("Wrist@0.1"),
    "Hip@0.1": _pckh("Hip@0.1"),
    "Knee@0.1": _pckh("Knee@0.1"),
    "Ankle@0.1": _pckh("Ankle@0.1"),
    "Mean@0.1": _pckh("Mean@0.1", "mean PCKh@0.1", rank=2),
}
"""The built-in metrics by their names in records."""


def metric_named(name: str) -> Metric:
    """The entry of a metric, built in or an extension's; one with default values where the extension is not loaded."""
    if name in OWN_METRICS:
        return OWN_METRICS[name]
    return METRICS.get(name) or Metric(name)


def metrics_of(data: DatasetInfo) -> tuple[str, ...]:
    """Names of the metrics that records of evaluations on a dataset hold, those of extensions last."""
    return tuple(
        name
        for name, metric in [*METRICS.items(), *OWN_METRICS.items()]
        if data.protocol in metric.protocols and (data.skeleton.torso is not None or not metric.torso)
    )


def headline(names: Collection[str]) -> str:
    """The metric that sums up the others of some: AP or the mean PCKh where there is one, else the first."""
    ranks = {name: rank for name in names if (rank := metric_named(name).rank) is not None}
    return min(ranks, key=ranks.__getitem__) if ranks else next(iter(names))


def noticeable(name: str) -> float:
    """The smallest difference of a metric that matters where nothing else is said, in the units of records."""
    return metric_named(name).noticeable


def best_of(name: str, values: Iterable[float]) -> float:
    """The best of some values of a metric."""
    return min(values) if metric_named(name).lower_is_better else max(values)


def unjudged(metrics: Mapping[str, float | None]) -> list[str]:
    """Names of the metrics that have no value because there is nobody to judge."""
    return [name for name, value in metrics.items() if value is None]


def explain_unjudged(metrics: Mapping[str, float | None], split: str) -> str:
    """The metrics of a split that have no value, in words; "" if all have one."""
    names = unjudged(metrics)
    counts = f" for {', '.join(names)}" if len(names) < len(metrics) else ""
    return f"{NOBODY}: no instance of {split} counts{counts}" if names else ""
