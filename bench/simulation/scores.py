"""What a simulated evaluation scores: see the package's docstring for the model."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import expit, logit

from bench.plan import PlannedEvaluation, PlannedTraining
from bench.pose.metrics.instruments import Instruments
from bench.pose.metrics.judgements import Judgements
from bench.pose.metrics.oks_judgements import OksJudgements
from bench.simulation.curves import derived_metrics, with_mean
from bench.simulation.guesses import guess
from bench.simulation.oks import People, simulate_oks
from bench.simulation.pckh import simulate_pckh

__all__ = ["Chance", "Scores", "simulate_scores"]

Metrics = dict[str, float]

STATISTICS = {
    "coco": ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"),
    "crowdpose": ("AP", "AP50", "AP75", "AR", "AR50", "AR75", "AP_E", "AP_M", "AP_H"),
}
"""Metrics of the protocols that judge by OKS, without the mean OKS."""

CEILINGS = {
    ("heatmap", False): (0.824, 0.969),
    ("heatmap", True): (0.948, 0.973),
    ("simdr", False): (0.968, 0.973),
    ("simdr_star", False): (0.968, 0.973),
}
"""AP of perfect outputs by representation and refinement at 64 and at 256 px of input height, measured on the truth of
CrowdPose's validation people."""

BASELINE_AP, BASELINE_PCKH, BASELINE_STRICT_PCKH = 0.02, 15.0, 1.0
"""What the mean pose is given."""

JOINT_ODDS = {"wrist": -0.4, "ankle": -0.3, "hip": -0.2, "shoulder": 0.3, "nose": 0.4, "eye": 0.5, "ear": 0.3}
"""Log-odds by which some joints are easier than others."""

GOOD_ODDS = 1.0
"""Log-odds by which good joints are more frequent than AP."""

BAD_PARTS = {"jitter": 0.55, "inversion": 0.08, "swap": 0.07, "miss": 0.3}
"""What the joints are that are not good."""


@dataclass(frozen=True)
class Chance:
    """What decides the noise.

    Attributes:
        state: equal states simulate equal records.
        spread: standard deviation of the headline metric over trainings, in points (percent).
    """

    state: int
    spread: float

    def of(self, training_id: str) -> np.random.Generator:
        """A training's own random numbers."""
        return np.random.default_rng([self.state, int(training_id, 16)])

    def people(self, dataset: str, split: str) -> tuple[int, int]:
        """Seed of the people of a split."""
        return self.state, zlib.crc32(f"{dataset} {split}".encode())


@dataclass(frozen=True)
class Scores:
    """What a record says of quality; fields as in `bench.records.Record`. Servers keep their judgements."""

    metrics: Metrics
    baseline: Metrics
    ceiling: Metrics
    instruments: Instruments | None = None
    judgements: Judgements | None = None

    @property
    def headline(self) -> float:
        """The metric that selects the epoch of a training."""
        return self.metrics["AP"] if "AP" in self.metrics else self.metrics["Mean"]


def simulate_scores(training: PlannedTraining, evaluation: PlannedEvaluation, chance: Chance) -> Scores:
    """Scores of a planned evaluation. All evaluations of a training share its luck."""
    spec = training.spec
    info = spec.data
    rng = chance.of(spec.id)
    expected = _moved(_expected(training, evaluation, info.protocol), float(rng.standard_normal()) * chance.spread)
    seed = chance.people(spec.dataset, evaluation.spec.split)
    if info.protocol == "mpii":
        return _pckh_scores(expected, seed, rng)
    names = STATISTICS[info.protocol]
    expected = derived_metrics(names, expected)
    if not info.layout_of(evaluation.spec.split).annotated:
        return Scores(expected, baseline={}, ceiling={})
    found = simulate_oks(_people(info.protocol, seed), expected, rng)
    metrics = found.metrics()
    bounds = CEILINGS.get((spec.representation, evaluation.spec.post_process), CEILINGS["simdr", False])
    ceiling = np.interp(np.log2(spec.size[0]), (6, 8), bounds)
    return Scores(
        metrics,
        baseline=derived_metrics((*names, "mean_oks"), {"AP": BASELINE_AP}),
        ceiling=derived_metrics((*names, "mean_oks"), {"AP": float(ceiling)}),
        instruments=_oks_instruments(metrics["AP"], found, info.skeleton.joints),
        judgements=found,
    )


_people = cache(People.draw)


def _expected(training: PlannedTraining, evaluation: PlannedEvaluation, protocol: str) -> Metrics:
    """What published rows say, or else a guess; PCKh's unpublished columns are guessed one by one."""
    published = {name: value for row in evaluation.published for name, value in row.metrics.items()}
    return published if "AP" in published else guess(training, evaluation.spec, protocol) | published


def _moved(expected: Mapping[str, float], points: float) -> Metrics:
    """Metrics moved by the log-odds that move the headline by about so many points."""
    unit = 1 if "AP" in expected else 100
    headline = expected["AP" if unit == 1 else "Mean"] / unit
    shift = points / 100 / (headline * (1 - headline))
    return {name: float(expit(logit(value / unit) + shift)) * unit for name, value in expected.items()}


def _oks_instruments(ap: float, found: OksJudgements, joints: Sequence[str]) -> Instruments:
    offsets = np.array([JOINT_ODDS.get(joint.split("_")[-1], 0.0) for joint in joints])
    by_joint = expit(with_mean(ap, lambda height: offsets + height))
    good = float(expit(logit(ap) + GOOD_ODDS))
    return Instruments(
        measure="AP",
        joints=dict(zip(joints, by_joint.tolist(), strict=True)),
        curve={f"{threshold:.2f}": value for threshold, value in found.curve().items()},
        errors={"good": good} | {kind: (1 - good) * part for kind, part in BAD_PARTS.items()},
    )


def _pckh_scores(expected: Mapping[str, float], seed: Sequence[int], rng: np.random.Generator) -> Scores:
    found = simulate_pckh(expected, seed, rng)
    metrics = found.metrics()
    baseline = {name: BASELINE_STRICT_PCKH if name.endswith("@0.1") else BASELINE_PCKH for name in metrics}
    return Scores(metrics, baseline, ceiling={}, instruments=found.instruments(), judgements=found)
