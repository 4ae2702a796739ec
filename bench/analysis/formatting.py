"""How names and numbers are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.datasets import DatasetInfo
from bench.pose.metrics.catalog import NOBODY, metric_named
from bench.pose.models.backbone import BACKBONES

DASH = "–"
"""Stands where a row has no such value."""

_POST_PROCESS_NAMES = {"quarter": "quarter shift", "dark": "DARK"}
_SETTING_NAMES = {"split_ratio": "k"}


def backbone_name(name: str) -> str:
    """The backbone as the paper writes it."""
    return BACKBONES[name].title if name in BACKBONES else name


def representation_name(name: str) -> str:
    """The representation as the paper writes it."""
    return REPRESENTATIONS[name].title if name in REPRESENTATIONS else name


def is_post_processed(setting: str) -> bool:
    """Whether a value of the setting `post_process` refines heatmap peaks."""
    return setting != "none"


def method_name(representation: str, post_process: str, details: Mapping[str, Any] | None = None) -> str:
    """A method in words: its representation, its post-processing, and further settings in parentheses."""
    name = representation_name(representation)
    if is_post_processed(post_process):
        name += f" + {_POST_PROCESS_NAMES.get(post_process, post_process)}"
    texts = [f"{setting_name(setting)} {setting_text(value)}" for setting, value in (details or {}).items()]
    return f"{name} ({', '.join(texts)})" if texts else name


def data_name(data: DatasetInfo, split: str) -> str:
    """Dataset and split, such as "COCO val2017"."""
    return f"{data.title} {split}"


def setting_name(name: str) -> str:
    """A setting in words, without the `evaluation_` that tells an evaluation's from its training's."""
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
    if type(value) in (list, tuple):
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
    return metric_named(metric).title


def explain_nobody(metric: str, values: Mapping[str, Any]) -> str:
    """Why a line of the results frame has no value of a metric, where that is since there is nobody to judge, or ""."""
    if metric not in values["nobody_to_judge"].split(", "):
        return ""
    return f"{NOBODY}: no instance of {values['evaluation_split']} counts for {metric_name(metric)}"


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop; "" for none."""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def listing(texts: Sequence[str]) -> str:
    """The texts as "a", "a and b", or "a, b and c"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def count_of(count: int, noun: str) -> str:
    """A number of things, such as "1 training" or "2,000 trainings"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def explain_left_out(values: Mapping[str, Any]) -> str:
    """How many images a line of the results frame was measured or trained without; "" where all could be read."""
    parts = []
    for prefix, without in (
        ("", "measured without {}, whose instances count as not found"),
        ("training_", "trained without {}"),
    ):
        if count := values[f"{prefix}images_left_out"]:
            parts.append(without.format(f"{count:,} of {values[f'{prefix}images']:,} images"))
    return "; ".join(parts)


def metric_words(metric: str) -> str:
    """A metric as sentences name it."""
    return metric_named(metric).words or metric_name(metric)


def in_print_units(metric: str, value: float) -> float:
    """A value of a record in the units that are printed: COCO's precisions and recalls, 0..1, in percent."""
    return metric_named(metric).scale * value


def format_metric(metric: str, value: float) -> str:
    """A value of a record as printed, such as "74.5" (percent) or "0.712"."""
    return f"{in_print_units(metric, value):.{metric_named(metric).decimals}f}"


def format_difference(metric: str, difference: float) -> str:
    """A difference of two values of records as printed, with a sign unless it is printed as zero."""
    decimals = metric_named(metric).decimals
    text = f"{in_print_units(metric, difference):+.{decimals}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"


def format_interval(metric: str, interval: tuple[float, float]) -> str:
    """An interval of values of records as printed."""
    low, high = (format_metric(metric, bound) for bound in interval)
    return f"[{low}, {high}]".replace("-", "−")
