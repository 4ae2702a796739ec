"""Simulated judgements by PCKh: how far each joint is from the truth, in head sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bench.pose.metrics.pckh_judgements import PckhJudgements
from bench.pose.skeletons import MPII_16

__all__ = ["simulate_pckh"]

PEOPLE = 1000

VISIBLE = {"knee": 0.8, "ankle": 0.7}
"""How often joints are labelled that are not always: lower ones leave the photograph."""

COLUMNS = {"head_top": "Head", "thorax": "Shoulder", "pelvis": "Hip"}
"""Columns that joints without one of their own name take their percentages from."""

OWN = 0.6
"""How much of a joint's rank is the training's own; see `bench.simulation.oks`."""

FAR = 2.0
"""Distance of the worst joint, in head sizes."""


def simulate_pckh(expected: Mapping[str, float], seed: Sequence[int], rng: np.random.Generator) -> PckhJudgements:
    """Judgements with the expected columns, to the nearest person.

    Only the upper neck, which has no column, is free to make the mean what is expected.

    Args:
        expected: `Head` to `Mean` and `Head@0.1` to `Mean@0.1`, in percent.
        seed: of the people.
        rng: of the training.
    """
    common = np.random.default_rng(seed)
    shape = (PEOPLE, MPII_16.size)
    labelled = np.array([VISIBLE.get(joint.split("_")[-1], 1.0) for joint in MPII_16.joints])
    visible = common.random(shape) < labelled
    difficulty = np.sqrt(1 - OWN**2) * common.standard_normal(shape) + OWN * rng.standard_normal(shape)
    strict, loose = (_rates(expected, suffix, visible) for suffix in ("@0.1", ""))
    distances = np.zeros(shape)
    for joint in range(MPII_16.size):
        people = np.flatnonzero(visible[:, joint])
        worse = (np.argsort(np.argsort(difficulty[people, joint])) + 0.5) / len(people)
        quantiles = (0.0, strict[joint], max(loose[joint], strict[joint]), 1.0)
        distances[people, joint] = np.interp(worse, quantiles, (0.0, 0.1, 0.5, FAR))
    return PckhJudgements(distances, visible)


def _rates(expected: Mapping[str, float], suffix: str, visible: npt.NDArray[np.bool_]) -> list[float]:
    """Part of each joint that is within the threshold of the columns with this suffix."""
    counts = dict(zip(MPII_16.joints, visible.sum(axis=0).tolist(), strict=True))
    rates = {joint: expected[_column(joint) + suffix] for joint in counts if joint != "upper_neck"}
    judged = {joint: count for joint, count in counts.items() if joint not in {"pelvis", "thorax"}}
    others = sum(count * rates[joint] for joint, count in judged.items() if joint != "upper_neck")
    neck = (expected["Mean" + suffix] * sum(judged.values()) - others) / counts["upper_neck"]
    rates["upper_neck"] = min(max(neck, 0.0), 100.0)
    return [rates[joint] / 100 for joint in MPII_16.joints]


def _column(joint: str) -> str:
    return COLUMNS.get(joint, joint.rsplit("_", maxsplit=1)[-1].capitalize())
