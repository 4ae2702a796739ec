"""How names and numbers are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.paper.rows import PCKH_SUFFIXES
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.datasets import DatasetInfo
from bench.pose.input_size import InputSize
from bench.pose.metrics.own import OWN_METRICS
from bench.pose.models.backbone import BACKBONES

__all__ = [
    "DASH",
    "backbone_name",
    "data_name",
    "describe_settings",
    "format_difference",
    "format_interval",
    "format_metric",
    "in_print_units",
    "metric_name",
    "metric_words",
    "representation_name",
    "setting_name",
    "setting_text",
]

DASH = "–"
"""Stands where a row has no such value."""

_SETTING_NAMES = {"split_ratio": "k"}
_FRACTION_METRICS = ("mean_oks",)
_METRIC_NAMES = {"mean_oks": "mean OKS"}
_METRIC_WORDS = {f"Mean{suffix}": f"mean PCKh@{threshold}" for threshold, suffix in PCKH_SUFFIXES.items()}


def backbone_name(name: str) -> str:
    """The backbone as the paper writes it."""
    return BACKBONES[name].title if name in BACKBONES else name


def representation_name(name: str) -> str:
    """The representation as the paper writes it."""
    return REPRESENTATIONS[name].title if name in REPRESENTATIONS else name


def data_name(data: DatasetInfo, split: str) -> str:
    """Dataset and split, such as "COCO val2017"."""
    return f"{data.title} {split}"


def setting_name(name: str) -> str:
    """A setting of a spec in words; those of evaluations begin with `evaluation_`."""
    plain = name.removeprefix("evaluation_")
    return _SETTING_NAMES.get(plain, plain.replace("_", " "))


def setting_text(value: Any) -> str:
    """A setting's value in words."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple) and not isinstance(value, InputSize):
        return ", ".join(map(setting_text, value))
    return str(value)


def describe_settings(settings: Mapping[str, Any]) -> str:
    """Settings in words, such as "HRNet-W32, SimDR, k 2"."""
    names: dict[str, Callable[[str], str]] = {
        "backbone": backbone_name,
        "representation": representation_name,
        "input_size": str,
    }
    known = [names[name](value) for name, value in settings.items() if name in names]
    others = [f"{setting_name(name)} {setting_text(value)}" for name, value in settings.items() if name not in names]
    return ", ".join(known + others)


def metric_name(metric: str) -> str:
    """A metric as the tables head it."""
    return OWN_METRICS[metric].title if metric in OWN_METRICS else _METRIC_NAMES.get(metric, metric)


def metric_words(metric: str) -> str:
    """A metric as sentences name it."""
    return _METRIC_WORDS.get(metric, metric_name(metric))


def in_print_units(metric: str, value: float) -> float:
    """A value of a record in the units that are printed: COCO's precisions and recalls, 0..1, in percent."""
    percent = OWN_METRICS[metric].percent if metric in OWN_METRICS else metric.startswith(("AP", "AR"))
    return 100 * value if percent else value


def format_metric(metric: str, value: float) -> str:
    """A value of a record as printed: percent with one decimal, or 0..1 with three."""
    return f"{in_print_units(metric, value):.{_decimals(metric)}f}"


def format_difference(metric: str, difference: float) -> str:
    """A difference of two values of records as printed, with a sign unless it is printed as zero."""
    decimals = _decimals(metric)
    text = f"{in_print_units(metric, difference):+.{decimals}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"


def format_interval(metric: str, interval: tuple[float, float]) -> str:
    """An interval of values of records as printed."""
    low, high = (format_metric(metric, bound) for bound in interval)
    return f"[{low}, {high}]".replace("-", "−")


def _decimals(metric: str) -> int:
    if metric in OWN_METRICS:
        return OWN_METRICS[metric].decimals
    return 3 if metric in _FRACTION_METRICS else 1
