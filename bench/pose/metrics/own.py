"""Metrics that extensions add to those of a dataset's protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.pose.registry import Registry

if TYPE_CHECKING:
    from bench.pose.scoring import Scoring

__all__ = ["OWN_METRICS", "OwnMetric", "own_metrics"]

Results = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class OwnMetric:
    """A number that says what predictions are worth.

    Attributes:
        title: as tables head it.
        compute: takes predicted instances in the COCO results format and the split's scoring, which holds the truth
            (`annotations` and `skeleton` where OKS judges, `truth` for MPII); finite and not negative, as -1 stands for
            "there is nobody to measure" in COCO's metrics.
        protocols: of the datasets that it makes sense for.
        noticeable: a difference below this matters to nobody.
        lower_is_better: as of errors.
        percent: whether it is printed times 100.
        decimals: that are printed.
    """

    title: str
    compute: Callable[[Results, Scoring], float]
    protocols: tuple[str, ...] = ("coco", "crowdpose", "mpii")
    noticeable: float = 0.005
    lower_is_better: bool = False
    percent: bool = False
    decimals: int = 3


OWN_METRICS: Registry[OwnMetric] = Registry("metric", {})
"""By name; `bench.extend.metric` adds to it."""


def own_metrics(protocol: str, results: Results, scoring: Scoring) -> tuple[Mapping[str, float], list[str]]:
    """All that make sense for a protocol, and what is wrong with those that are left out.

    A metric that fails takes no evaluation with it: what it needs, the predictions, is kept.
    """
    found: dict[str, float] = {}
    problems = []
    for name, metric in OWN_METRICS.items():
        if protocol not in metric.protocols:
            continue
        try:
            value = float(metric.compute(results, scoring))
        except Exception as error:
            problems.append(f"metric {name!r} of {OWN_METRICS.origin(name)}: {type(error).__name__}: {error}")
            continue
        if math.isfinite(value) and value >= 0:
            found[name] = value
        else:
            problems.append(f"metric {name!r} of {OWN_METRICS.origin(name)} is {value}")
    return found, problems
