"""Simulated per-instance results by OKS: one prediction for everybody, right or wrong at each threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit

from bench.pose.metrics.oks_per_instance import OKS_THRESHOLDS, OksPerInstance
from bench.simulation.curves import curve_of, with_mean

__all__ = ["InstanceCounts", "simulate_oks"]

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

IMAGES = 1000
OTHERS = 1.7
"""Mean number of instances in an image beyond the first."""

AREAS = {"APM": 0.65, "APL": 0.35}
"""Parts of medium and large instances: with them the mean of the published APM and APL is the published AP."""

CROWDS = {"AP_E": 0.2, "AP_M": 0.6, "AP_H": 0.2}
"""Likewise for images, easy to hard."""

OWN = 0.6
"""How much of an instance's rank is the training's own; the rest, common to all, makes paired comparisons sharper."""

IN_IMAGE = 0.5
"""How much of the common part instances of an image share."""

TRIES, CLOSE = 6, 0.002
"""How often instances are judged, each time aiming off by what was missed before, until no more log-odds than this are
missed; the best try counts."""

LEAST = 1e-9
"""Least part of the instances who are found, best first, before the first mistake."""


@dataclass(frozen=True)
class InstanceCounts:
    """The labelled instances of a split that does not exist.

    Attributes:
        protocol: "coco" or "crowdpose".
        images: (instances,) image of each, from 0.
        ease: (instances,) how easy each is for any network, standard normal.
        strata: by the name of a metric, (instances,) who it is of.
    """

    protocol: str
    images: npt.NDArray[np.int64]
    ease: Array
    strata: Mapping[str, Flags]

    @classmethod
    def draw(cls, protocol: str, seed: Sequence[int]) -> InstanceCounts:
        """Instances of a protocol's strata; equal seeds draw the same instances."""
        rng = np.random.default_rng(seed)
        images = np.repeat(np.arange(IMAGES), 1 + rng.poisson(OTHERS, IMAGES))
        own, shared = rng.standard_normal(len(images)), rng.standard_normal(IMAGES)[images]
        ease = np.sqrt(1 - IN_IMAGE**2) * own + IN_IMAGE * shared
        if protocol == "crowdpose":
            kinds = rng.choice(len(CROWDS), IMAGES, p=list(CROWDS.values()))[images]
            return cls(protocol, images, ease, {name: kinds == kind for kind, name in enumerate(CROWDS)})
        medium = rng.random(len(images)) < AREAS["APM"]
        return cls(protocol, images, ease, {"APM": medium, "APL": ~medium})


def simulate_oks(instances: InstanceCounts, expected: Mapping[str, float], rng: np.random.Generator) -> OksPerInstance:
    """Per-instance results whose AP and AR are those expected, to a twentieth of a point, and other metrics near
    theirs.

    Args:
        instances: to be judged.
        expected: AP, AR and the metrics of the strata, in 0..1; AP50 and AP75 where they are known.
        rng: of the training.
    """
    wanted = logit([expected["AP"], expected["AR"]])
    ease = np.sqrt(1 - OWN**2) * instances.ease + OWN * rng.standard_normal(len(instances.ease))
    chance = rng.random(len(ease))
    once = np.ones((1, IMAGES), dtype=np.int32)
    aim, tries = wanted, []
    for _ in range(TRIES):
        found = _per_instance(instances, _hits(instances, expected, aim, ease, chance), ease)
        reached = found.resample(once, ["AP", "AR"])
        missed = wanted - logit([reached["AP"][0], reached["AR"][0]])
        tries.append((float(np.abs(missed).max()), found))
        if tries[-1][0] < CLOSE:
            break
        aim = aim + missed
    return min(tries, key=lambda item: item[0])[1]


def _hits(instances: InstanceCounts, expected: Mapping[str, float], aim: Array, ease: Array, chance: Array) -> Flags:
    """Who is found at each threshold, (10, instances), by strata; `aim` is the log-odds of AP and AR to reach."""
    course = curve_of(expected)
    hits = np.zeros((len(OKS_THRESHOLDS), len(ease)), dtype=bool)
    for name, members in instances.strata.items():
        harder = float(logit(expected[name]) - logit(expected["AP"]))
        precision, recall = (
            expit(with_mean(float(expit(odds + harder)), lambda height: course + height)) for odds in aim
        )
        order = np.flatnonzero(members)[np.argsort(-ease[members])]
        for threshold, (ap, ar) in enumerate(zip(precision, recall, strict=True)):
            hits[threshold, order[_found(ap, ar, chance[order])]] = True
    return hits


def _found(precision: float, recall: float, chance: Array) -> npt.NDArray[np.int64]:
    """Ranks, best first, of the instances found, so that AP and recall are these.

    The first part h is found without a mistake; the others are found with equal probability q, all in all a part R. AP,
    the integral of precision over recall, is then h + q (R - h) - h (1 - q) q ln h. It rises with h from R^2 to R.
    """

    def odds_after(part: float) -> float:
        return (recall - part) / (1 - part)

    def surplus(part: float) -> float:
        q = odds_after(part)
        return part + q * (recall - part) - part * (1 - q) * q * float(np.log(part)) - precision

    low, high = LEAST, recall * (1 - LEAST)
    sure = low if surplus(low) >= 0 else high if surplus(high) <= 0 else brentq(surplus, low, high)
    instances = len(chance)
    first = round(sure * instances)
    others = np.argsort(chance[first:])[: max(round(recall * instances) - first, 0)] + first
    return np.concatenate([np.arange(first), others])


def _per_instance(instances: InstanceCounts, hits: Flags, ease: Array) -> OksPerInstance:
    """One prediction for everybody; scores follow ease within a stratum."""
    score = np.empty(len(ease))
    for members in instances.strata.values():
        score[members] = np.argsort(np.argsort(-ease[members])) / members.sum()
    order = np.argsort(score, kind="stable")
    ranges = [np.ones(len(ease), dtype=bool)]
    groups = np.zeros((0, IMAGES), dtype=bool)
    if instances.protocol == "crowdpose":
        groups = np.stack(
            [np.bincount(instances.images[kind], minlength=IMAGES) > 0 for kind in instances.strata.values()]
        )
    else:
        ranges += instances.strata.values()
    matched = np.stack([hits[:, order] & judged[order] for judged in ranges])
    ignored = np.stack([np.broadcast_to(~judged[order], hits.shape) for judged in ranges])
    return OksPerInstance(
        protocol=instances.protocol,
        image_ids=np.arange(1, IMAGES + 1),
        detections=instances.images[order],
        matched=matched,
        ignored=ignored,
        instances=np.stack([np.bincount(instances.images[judged], minlength=IMAGES) for judged in ranges]).astype(
            np.int32
        ),
        best_oks=_similarity(hits),
        best_images=instances.images,
        groups=groups,
    )


def _similarity(hits: Flags) -> Array:
    """OKS of each person's prediction: in the middle of what the thresholds at which they are found leave open."""
    edges = np.array([0.0, *OKS_THRESHOLDS, 1.0])
    passed = hits.sum(axis=0)
    return (edges[passed] + edges[passed + 1]) / 2
