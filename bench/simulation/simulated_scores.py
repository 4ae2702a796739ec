"""What a simulated evaluation scores, with per-image results that agree; the package's docstring has the model."""

from __future__ import annotations

import zlib
from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtr

from bench.paper.published import PublishedRow, published_rows
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.data.datasets import DatasetInfo
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.oks_per_instance import OKS_THRESHOLDS, OksPerInstance
from bench.pose.metrics.pckh_per_instance import PckhPerInstance
from bench.pose.metrics.per_instance import PerInstanceResults
from bench.pose.skeletons import MPII_16, Skeleton
from bench.suite.specs import EvalSpec, TrainSpec

Array = npt.NDArray[np.float64]
Metrics = dict[str, float]

TABLES = {"coco": ("coco_val", "coco_val_384x288"), "crowdpose": ("crowdpose_test",), "mpii": ("mpii_val",)}
"""Published tables that a protocol's unpublished cells are copied from."""

IMAGES = 1000

PARTS = {"coco": {"APM": 0.65, "APL": 0.35}, "crowdpose": {"AP_E": 0.2, "AP_M": 0.6, "AP_H": 0.2}}
"""By protocol, the parts of the instances or images that a metric is restricted to."""

OWN = 0.6
"""How much of an instance's difficulty is the training's own; the rest is common to all trainings."""

SCORE_NOISE = 1.8
"""Standard deviation by which predicted scores miss the difficulty, in log-odds."""

BASELINE = {"AP": 0.02, "Mean": 10.0}
"""What the mean pose scores, by headline metric."""

ERRORS = {"jitter": 0.55, "inversion": 0.1, "swap": 0.1, "miss": 0.25}
"""Parts of the keypoints that are not good."""

PCK_ABOVE = (2.0, 0.5)
"""Log-odds by which a keypoint's chance at each threshold of PCK exceeds the instance's ease."""

PCKH_COLUMNS = {"top": "Head", "neck": "Head", "thorax": "Shoulder", "pelvis": "Hip"}
"""Columns of the keypoints that have none of their own name."""


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
        """Random numbers of one training."""
        return np.random.default_rng([self.state, int(training_id, 16)])

    def common(self, dataset: str, split: str) -> np.random.Generator:
        """Random numbers that all trainings share on a split: its instances and how difficult they are."""
        return np.random.default_rng([self.state, zlib.crc32(f"{dataset} {split}".encode())])


@dataclass(frozen=True)
class SimulatedScores:
    """The part of a record that says how good the network is; fields as in `bench.store.documents.Record`."""

    metrics: Metrics
    baseline: Metrics
    ceiling: Metrics
    headline: float
    diagnostics: Diagnostics | None = None
    per_instance: PerInstanceResults | None = None


def simulate_scores(training: PlannedTraining, evaluation: PlannedEvaluation, chance: Chance) -> SimulatedScores:
    """Scores of a planned evaluation. All evaluations of a training share its luck."""
    spec, info = training.spec, training.spec.data
    own, common = chance.of(spec.id), chance.common(spec.dataset, evaluation.spec.split)
    headline, unit = ("Mean", 100) if info.protocol == "mpii" else ("AP", 1)
    published = {name: value for row in evaluation.published for name, value in row.metrics.items()}
    if "AP" not in published:
        published = guess(spec, evaluation.spec) | published
    wanted = {name: value / unit for name, value in published.items()}
    luck = float(own.standard_normal()) * chance.spread / 100 / (wanted[headline] * (1 - wanted[headline]))
    wanted = {name: float(expit(logit(value) + luck)) for name, value in wanted.items()}
    make = _pckh(wanted, common, own) if info.protocol == "mpii" else _oks(info, wanted, common, own)
    found = _calibrated(make, headline, wanted[headline], unit)
    metrics = _values(found) | {name: value * unit for name, value in wanted.items()}
    if not info.layout_of(evaluation.spec.split).annotated:
        return SimulatedScores(metrics, baseline={}, ceiling={}, headline=metrics[headline])
    return SimulatedScores(
        metrics,
        baseline=dict.fromkeys(metrics, BASELINE[headline]),
        ceiling={} if headline == "Mean" else dict.fromkeys(metrics, _ceiling(spec)),
        headline=metrics[headline],
        diagnostics=_diagnostics(found, info.skeleton.keypoints),
        per_instance=found,
    )


def guess(spec: TrainSpec, evaluation: EvalSpec) -> Metrics:
    """Metrics of the most alike published row. MPII's two thresholds are printed in rows of their own."""

    def difference(row: PublishedRow) -> float:
        kinds = {row.representation, spec.representation}
        unlike = 0 if len(kinds) == 1 else 3 if "heatmap" in kinds else 1
        octaves = abs(np.log2(spec.input_size.height / row.input_size.height))
        return unlike + 2 * (row.backbone != spec.backbone) + octaves + (row.post_process != evaluation.post_process)

    protocol = spec.data.protocol
    rows = sorted((row for row in published_rows() if row.table in TABLES[protocol]), key=difference)
    return dict(ChainMap(*(dict(row.metrics) for row in (rows if protocol == "mpii" else rows[:1]))))


def _calibrated(
    make: Callable[[float], PerInstanceResults], headline: str, wanted: float, unit: int
) -> PerInstanceResults:
    """Per-image results whose headline metric is the wanted one; `make` gives them for a shift in log-odds."""
    shift, tries = 0.0, []
    for _ in range(6):
        found = make(shift)
        missed = float(logit(wanted) - logit(_values(found)[headline] / unit))
        tries.append((abs(missed), found))
        shift += missed
    return min(tries, key=lambda one: one[0])[1]


def _values(found: PerInstanceResults) -> Metrics:
    """Metrics of per-image results, those that have somebody to judge."""
    return {name: value for name, value in found.metrics().items() if value is not None}


def _ease(shape: tuple[int, ...], common: np.random.Generator, own: np.random.Generator) -> Array:
    """Uniform in 0..1; how easy each instance or keypoint is, partly the same for all trainings."""
    return np.asarray(ndtr(np.sqrt(1 - OWN**2) * common.standard_normal(shape) + OWN * own.standard_normal(shape)))


def _oks(
    info: DatasetInfo, wanted: Metrics, common: np.random.Generator, own: np.random.Generator
) -> Callable[[float], OksPerInstance]:
    """One prediction for each instance, which is right at a threshold if the instance is easy enough."""
    protocol, parts = info.protocol, PARTS[info.protocol]
    images = np.repeat(np.arange(IMAGES), 1 + common.poisson(1.7, IMAGES))
    kinds = common.choice(len(parts), IMAGES, p=list(parts.values()))[images]
    if protocol == "coco":
        kinds = common.permutation(kinds)  # the size of an instance, not of all in its image
    members = np.stack([kinds == kind for kind in range(len(parts))])
    odds = np.array([logit(wanted.get(name, wanted["AP"])) - logit(wanted["AP"]) for name in parts])
    ease = logit(_ease(images.shape, common, own)) + odds[kinds]
    order = np.argsort(-(ease + SCORE_NOISE * own.standard_normal(len(ease))))
    counted = np.stack([np.ones(len(ease), dtype=bool), *(members if protocol == "coco" else ())])
    groups = [np.bincount(images[one], minlength=IMAGES) > 0 for one in (members if protocol == "crowdpose" else ())]
    edges = np.array([0.0, *OKS_THRESHOLDS, 1.0])

    def make(shift: float) -> OksPerInstance:
        hits = ease + shift + _curve(wanted)[:, None] > 0
        reached = hits.sum(axis=0)
        return OksPerInstance(
            protocol=protocol,
            image_ids=np.arange(1, IMAGES + 1),
            detections=images[order],
            matched=hits[None, :, order] & counted[:, None, order],
            ignored=np.repeat(~counted[:, None, order], len(OKS_THRESHOLDS), axis=1),
            instances=np.stack([np.bincount(images[one], minlength=IMAGES) for one in counted]).astype(np.int32),
            best_oks=(edges[reached] + edges[reached + 1]) / 2,
            best_images=images,
            groups=np.array(groups, dtype=bool).reshape(-1, IMAGES),
            pck=_pck_counts(ease + shift, images, info.skeleton),
        )

    return make


def _pck_counts(ease: Array, images: npt.NDArray[np.int64], skeleton: Skeleton) -> npt.NDArray[np.int64] | None:
    """Keypoints by image as `bench.pose.metrics.pck` counts them: the more are right, the easier an instance is."""
    if skeleton.torso is None:
        return None
    right = [np.rint(skeleton.size * expit(ease + above)) for above in PCK_ABOVE]
    counted = [np.full(len(ease), skeleton.size), *right]
    return np.stack([np.bincount(images, one, IMAGES) for one in counted]).astype(np.int64)


def _curve(wanted: Metrics) -> Array:
    """Log-odds of AP at the ten thresholds: through AP50 and AP75, then down a straight line so that the mean is AP."""
    ap = float(logit(wanted["AP"]))
    ap50, ap75 = (wanted.get(name, float(expit(ap + above))) for name, above in (("AP50", 1.2), ("AP75", 0.4)))
    first = np.linspace(ap50, ap75, 6)
    step = (first.sum() + 4 * ap75 - 10 * wanted["AP"]) / 10
    return np.asarray(logit(np.clip([*first, *(ap75 - step * np.arange(1, 5))], 0.01, 0.99)))


def _pckh(wanted: Metrics, common: np.random.Generator, own: np.random.Generator) -> Callable[[float], PckhPerInstance]:
    """Distances of the keypoints of a thousand instances, by how difficult each keypoint is."""
    shape = (IMAGES, MPII_16.size)
    visible = common.random(shape) < 0.9
    ease = _ease(shape, common, own)
    endings = [keypoint.rsplit("_", maxsplit=1)[-1] for keypoint in MPII_16.keypoints]
    columns = [PCKH_COLUMNS.get(ending, ending.capitalize()) for ending in endings]

    def make(shift: float) -> PckhPerInstance:
        distances = np.zeros(shape)
        for keypoint, column in enumerate(columns):
            strict, loose = (expit(logit(wanted[name]) + shift) for name in (f"{column}@0.1", column))
            quantiles = (0, strict, max(loose, strict), 1)
            distances[:, keypoint] = np.interp(ease[:, keypoint], quantiles, (0, 0.1, 0.5, 2))
        return PckhPerInstance(np.where(visible, distances, 0), visible)

    return make


def _ceiling(spec: TrainSpec) -> float:
    """AP of a network without errors: cells of heatmaps cost more than bins, and the more so on small inputs."""
    return 1 - (11 if spec.representation == "heatmap" else 3) / spec.input_size.height


def _diagnostics(found: PerInstanceResults, keypoints: tuple[str, ...]) -> Diagnostics:
    if isinstance(found, PckhPerInstance):
        return found.diagnostics()
    assert isinstance(found, OksPerInstance)
    ap = _values(found)["AP"]
    by_keypoint = expit(logit(ap) + np.linspace(0.5, -0.5, len(keypoints)))  # skeletons begin with the head
    good = (1 + ap) / 2
    return Diagnostics(
        measure="AP",
        keypoints=dict(zip(keypoints, by_keypoint.tolist(), strict=True)),
        curve={f"{threshold:.2f}": value for threshold, value in found.curve().items()},
        errors={"good": good} | {kind: (1 - good) * part for kind, part in ERRORS.items()},
    )
