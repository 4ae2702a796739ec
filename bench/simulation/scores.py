"""What a simulated evaluation scores: see the package's docstring for the model."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import expit, logit

from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.metrics.catalog import headline
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.per_instance import PerInstanceResults
from bench.simulation.curves import derived_metrics, with_mean
from bench.simulation.guesses import guess
from bench.simulation.oks import InstanceCounts, simulate_oks
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
CrowdPose's validation instances."""

BASELINE_AP, BASELINE_PCKH, BASELINE_STRICT_PCKH = 0.02, 15.0, 1.0
"""What the mean pose is given."""

KEYPOINT_ODDS = {"wrist": -0.4, "ankle": -0.3, "hip": -0.2, "shoulder": 0.3, "nose": 0.4, "eye": 0.5, "ear": 0.3}
"""Log-odds by which some keypoints are easier than others."""

GOOD_ODDS = 1.0
"""Log-odds by which good keypoints are more frequent than AP."""

BAD_PARTS = {"jitter": 0.55, "inversion": 0.08, "swap": 0.07, "miss": 0.3}
"""What the keypoints are that are not good."""


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

    def instances(self, dataset: str, split: str) -> tuple[int, int]:
        """Seed of the instances of a split."""
        return self.state, zlib.crc32(f"{dataset} {split}".encode())


@dataclass(frozen=True)
class Scores:
    """What a record says of quality; fields as in `bench.store.documents.Record`. Servers keep per-instance results."""

    metrics: Metrics
    baseline: Metrics
    ceiling: Metrics
    diagnostics: Diagnostics | None = None
    per_instance: PerInstanceResults | None = None

    @property
    def headline(self) -> float:
        """The metric that selects the epoch of a training."""
        return self.metrics[headline(self.metrics)]


def simulate_scores(training: PlannedTraining, evaluation: PlannedEvaluation, chance: Chance) -> Scores:
    """Scores of a planned evaluation. All evaluations of a training share its luck."""
    spec = training.spec
    info = spec.data
    rng = chance.of(spec.id)
    expected = _moved(_expected(training, evaluation, info.protocol), float(rng.standard_normal()) * chance.spread)
    seed = chance.instances(spec.dataset, evaluation.spec.split)
    if info.protocol == "mpii":
        return _pckh_scores(expected, seed, rng)
    names = STATISTICS[info.protocol]
    expected = derived_metrics(names, expected)
    if not info.layout_of(evaluation.spec.split).annotated:
        return Scores(expected, baseline={}, ceiling={})
    found = simulate_oks(_instances(info.protocol, seed), expected, rng)
    metrics = found.metrics()
    bounds = CEILINGS.get((spec.representation, evaluation.spec.post_process), CEILINGS["simdr", False])
    ceiling = np.interp(np.log2(spec.size[0]), (6, 8), bounds)
    return Scores(
        metrics,
        baseline=derived_metrics((*names, "mean_oks"), {"AP": BASELINE_AP}),
        ceiling=derived_metrics((*names, "mean_oks"), {"AP": float(ceiling)}),
        diagnostics=_oks_diagnostics(metrics["AP"], found, info.skeleton.keypoints),
        per_instance=found,
    )


_instances = cache(InstanceCounts.draw)


def _expected(training: PlannedTraining, evaluation: PlannedEvaluation, protocol: str) -> Metrics:
    """What published rows say, or else a guess; PCKh's unpublished columns are guessed one by one."""
    published = {name: value for row in evaluation.published for name, value in row.metrics.items()}
    return published if "AP" in published else guess(training, evaluation.spec, protocol) | published


def _moved(expected: Mapping[str, float], points: float) -> Metrics:
    """Metrics moved by the log-odds that move the headline by about so many points."""
    unit = 1 if "AP" in expected else 100
    level = expected[headline(expected)] / unit
    shift = points / 100 / (level * (1 - level))
    return {name: float(expit(logit(value / unit) + shift)) * unit for name, value in expected.items()}


def _oks_diagnostics(ap: float, found: OksPerInstance, keypoints: Sequence[str]) -> Diagnostics:
    offsets = np.array([KEYPOINT_ODDS.get(keypoint.split("_")[-1], 0.0) for keypoint in keypoints])
    by_keypoint = expit(with_mean(ap, lambda height: offsets + height))
    good = float(expit(logit(ap) + GOOD_ODDS))
    return Diagnostics(
        measure="AP",
        keypoints=dict(zip(keypoints, by_keypoint.tolist(), strict=True)),
        curve={f"{threshold:.2f}": value for threshold, value in found.curve().items()},
        errors={"good": good} | {kind: (1 - good) * part for kind, part in BAD_PARTS.items()},
    )


def _pckh_scores(expected: Mapping[str, float], seed: Sequence[int], rng: np.random.Generator) -> Scores:
    found = simulate_pckh(expected, seed, rng)
    metrics = found.metrics()
    baseline = {name: BASELINE_STRICT_PCKH if name.endswith("@0.1") else BASELINE_PCKH for name in metrics}
    return Scores(metrics, baseline, ceiling={}, diagnostics=found.diagnostics(), per_instance=found)
