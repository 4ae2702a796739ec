"""AP by OKS threshold, in log-odds, from what the paper prints of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit

from bench.paper.rows import published_rows
from bench.pose.metrics.oks_per_instance import OKS_THRESHOLDS

__all__ = ["curve_of", "derived_metrics", "distance_from_ap", "with_mean"]

Array = npt.NDArray[np.float64]

AT_75 = OKS_THRESHOLDS.index(0.75)

FAR = 40.0
"""Log-odds beyond which nothing is searched."""


def with_mean(mean: float, family: Callable[[float], Array]) -> Array:
    """The member of a family of log-odds, rising with its parameter, whose probabilities have a mean."""
    return family(brentq(lambda parameter: float(expit(family(parameter)).mean()) - mean, -FAR, FAR, xtol=1e-13))


def curve_of(expected: Mapping[str, float]) -> Array:
    """Log-odds of AP at each threshold, (10,): its mean is AP, and it goes through AP50 and AP75 where they are known.

    Args:
        expected: AP and maybe more metrics, in 0..1.
    """
    if {"AP50", "AP75"} <= expected.keys():
        return _through(expected["AP"], expected["AP50"], expected["AP75"])
    return with_mean(expected["AP"], lambda height: _mean_shape() + height)


def _through(ap: float, ap50: float, ap75: float) -> Array:
    first = np.linspace(logit(ap50), logit(ap75), AT_75 + 1)
    steps = np.arange(1, len(OKS_THRESHOLDS) - AT_75)
    return with_mean(ap, lambda slope: np.concatenate([first, first[-1] + slope * steps]))


@cache
def _mean_shape() -> Array:
    """The mean course of the published rows that print AP50 and AP75."""
    full = [row.metrics for row in published_rows() if "AP50" in row.metrics]
    courses = [_through(row["AP"], row["AP50"], row["AP75"]) for row in full]
    return np.mean([course - course.mean() for course in courses], axis=0)


@cache
def distance_from_ap(metric: str) -> float:
    """Mean log-odds of a metric above those of AP, in the published rows that print both."""
    rows = [row.metrics for row in published_rows() if {"AP", metric} <= row.metrics.keys()]
    return float(np.mean([logit(row[metric]) - logit(row["AP"]) for row in rows]))


def derived_metrics(names: Sequence[str], expected: Mapping[str, float]) -> dict[str, float]:
    """All of a protocol's metrics from AP and what else is known; recalls lie above precisions as AR above AP."""
    course = expit(curve_of(expected))
    known = {"AP50": float(course[0]), "AP75": float(course[AT_75]), **expected}

    def odds(name: str) -> float:
        if name in known:
            return float(logit(known[name]))
        if name == "mean_oks":
            return odds("AR")
        if name.startswith("AR") and name != "AR":
            return odds(name.replace("AR", "AP")) + odds("AR") - odds("AP")
        return odds("AP") + distance_from_ap(name)

    return {name: known[name] if name in known else float(expit(odds(name))) for name in names}
