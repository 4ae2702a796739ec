"""Metrics that extensions add to those of a dataset's protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.pose.scoring import Scoring

__all__ = ["OWN_METRICS", "Metric", "OwnMetric", "own_metrics"]

Results = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Metric:
    """What is known of a number that says how good predictions are.

    Attributes:
        title: heading in tables.
        words: name in sentences; the title where none is given.
        unit: printed after the name on axes.
        scale: factor from records to print: 100 for what records hold in 0..1 and tables print in percent.
        decimals: printed digits after the point.
        noticeable: the smallest difference that matters, in the units of records.
        lower_is_better: True for errors.
        protocols: protocols of the datasets that have it.
        torso: whether only skeletons with a torso have it.
        rank: place among the metrics that sum up the others, 0 first; None for the others.
    """

    title: str
    _: KW_ONLY
    words: str = ""
    unit: str = ""
    scale: int = 1
    decimals: int = 3
    noticeable: float = 0.005
    lower_is_better: bool = False
    protocols: tuple[str, ...] = ("coco", "crowdpose", "mpii")
    torso: bool = False
    rank: int | None = None


@dataclass(frozen=True)
class OwnMetric(Metric):
    """A metric of an extension.

    Attributes:
        compute: takes predicted instances in the COCO results format and the split's scoring, which holds the truth
            (`annotations` and `skeleton` where OKS judges, `truth` for MPII). The value is finite and not negative;
            None where there is nobody to judge.
    """

    compute: Callable[[Results, Scoring], float | None]


OWN_METRICS: Registry[OwnMetric] = Registry("metric", {})
"""Metrics of extensions by name; `bench.extend.metric` adds to it."""


def own_metrics(protocol: str, results: Results, scoring: Scoring) -> tuple[Mapping[str, float | None], list[str]]:
    """All that make sense for a protocol, and what is wrong with those that are left out.

    A metric that fails takes no evaluation with it: what it needs, the predictions, is kept.
    """
    found: dict[str, float | None] = {}
    problems = []
    for name, metric in OWN_METRICS.items():
        if protocol not in metric.protocols:
            continue
        try:
            computed = metric.compute(results, scoring)
            value = None if computed is None else float(computed)
        except Exception as error:
            problems.append(f"metric {name!r} of {OWN_METRICS.origin(name)}: {type(error).__name__}: {error}")
            continue
        if value is None or (math.isfinite(value) and value >= 0):
            found[name] = value
        else:
            problems.append(f"metric {name!r} of {OWN_METRICS.origin(name)} is {value}")
    return found, problems
