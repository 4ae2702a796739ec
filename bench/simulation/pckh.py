"""Simulated per-instance results by PCKh: how far each keypoint is from the truth, in head sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.pckh_per_instance import PckhPerInstance
from bench.pose.skeletons import MPII_16

__all__ = ["simulate_pckh"]

INSTANCES = 1000

VISIBLE = {"knee": 0.8, "ankle": 0.7}
"""How often keypoints are labelled that are not always: lower ones leave the image."""

COLUMNS = {"head_top": "Head", "thorax": "Shoulder", "pelvis": "Hip"}
"""Columns that keypoints without one of their own name take their percentages from."""

OWN = 0.6
"""How much of a joint's rank is the training's own; see `bench.simulation.oks`."""

FAR = 2.0
"""Distance of the worst keypoint, in head sizes."""


def simulate_pckh(expected: Mapping[str, float], seed: Sequence[int], rng: np.random.Generator) -> PckhPerInstance:
    """Per-instance results with the expected columns, to the nearest instance.

    Only the upper neck, which has no column, is free to make the mean what is expected.

    Args:
        expected: `Head` to `Mean` and `Head@0.1` to `Mean@0.1`, in percent.
        seed: of the instances.
        rng: of the training.
    """
    common = np.random.default_rng(seed)
    shape = (INSTANCES, MPII_16.size)
    labelled = np.array([VISIBLE.get(keypoint.split("_")[-1], 1.0) for keypoint in MPII_16.keypoints])
    visible = common.random(shape) < labelled
    difficulty = np.sqrt(1 - OWN**2) * common.standard_normal(shape) + OWN * rng.standard_normal(shape)
    strict, loose = (_rates(expected, suffix, visible) for suffix in ("@0.1", ""))
    distances = np.zeros(shape)
    for keypoint in range(MPII_16.size):
        instances = np.flatnonzero(visible[:, keypoint])
        worse = (np.argsort(np.argsort(difficulty[instances, keypoint])) + 0.5) / len(instances)
        quantiles = (0.0, strict[keypoint], max(loose[keypoint], strict[keypoint]), 1.0)
        distances[instances, keypoint] = np.interp(worse, quantiles, (0.0, 0.1, 0.5, FAR))
    return PckhPerInstance(distances, visible)


def _rates(expected: Mapping[str, float], suffix: str, visible: npt.NDArray[np.bool_]) -> list[float]:
    """Part of each keypoint that is within the threshold of the columns with this suffix."""
    counts = dict(zip(MPII_16.keypoints, visible.sum(axis=0).tolist(), strict=True))
    rates = {keypoint: expected[_column(keypoint) + suffix] for keypoint in counts if keypoint != "upper_neck"}
    judged = {keypoint: count for keypoint, count in counts.items() if keypoint not in {"pelvis", "thorax"}}
    others = sum(count * rates[keypoint] for keypoint, count in judged.items() if keypoint != "upper_neck")
    neck = (expected["Mean" + suffix] * sum(judged.values()) - others) / counts["upper_neck"]
    rates["upper_neck"] = min(max(neck, 0.0), 100.0)
    return [rates[keypoint] / 100 for keypoint in MPII_16.keypoints]


def _column(keypoint: str) -> str:
    return COLUMNS.get(keypoint, keypoint.rsplit("_", maxsplit=1)[-1].capitalize())
