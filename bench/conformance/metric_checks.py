"""Checks of an extension's metrics, on a few made-up instances of each of their protocols."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.checks import Check, CheckList, require
from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.metrics.own import OwnMetric
from bench.pose.metrics.pckh import HeadTruth
from bench.pose.metrics.predictions import Predictions
from bench.pose.scoring import OksScoring, PckhScoring, Scoring
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16

Array = npt.NDArray[Any]

IMAGES, PER_IMAGE = 6, 2
HEIGHT, WIDTH = 160, 208
FAR = 6.0
"""Standard deviation in px of the errors of predictions."""

SKELETONS = {"coco": COCO_17, "crowdpose": CROWDPOSE_14, "mpii": MPII_16}

GENERAL, BY_PROTOCOL = CheckList(), CheckList()


def metric_checks(metric: OwnMetric) -> list[Check]:
    """All checks of a metric, for each of its protocols."""
    known = filter(SKELETONS.__contains__, metric.protocols)
    of_protocols = [BY_PROTOCOL.of(metric, protocol, name=f"{protocol} {{}}") for protocol in known]
    return [*GENERAL.of(metric), *(check for checks in of_protocols for check in checks)]


@GENERAL.check()
def protocols(metric: OwnMetric) -> str:
    """It is for some of the protocols."""
    known = metric.protocols and set(metric.protocols) <= set(SKELETONS)
    require(known, f"its protocols are {list(metric.protocols)}, expected some of {list(SKELETONS)}")
    return ", ".join(metric.protocols)


@BY_PROTOCOL.check()
def values(metric: OwnMetric, protocol: str) -> str:
    """It is finite for the truth, for predictions that are off, and for none at all."""
    made = _sample(protocol)
    found = []
    for what, results in (("the truth", made.truth), ("others", made.perturbed), ("no predictions", [])):
        value = metric.compute(results, made.scoring)
        require(value is not None and isfinite(value), f"it is {value} for {what}")
        found.append(f"{value:.4g} for {what}")
    return ", ".join(found)


@BY_PROTOCOL.check()
def arguments(metric: OwnMetric, protocol: str) -> str:
    """Predictions and truth stay as they are."""
    made, before = _sample(protocol), _sample(protocol)
    metric.compute(made.perturbed, made.scoring)
    require(made.perturbed == before.perturbed, "it changes the predictions, which are stored afterwards")
    require(_contents(made.scoring) == _contents(before.scoring), "it changes the truth that others are scored by")
    return "unchanged"


@BY_PROTOCOL.check()
def sensitivity(metric: OwnMetric, protocol: str) -> str:
    """Predictions that are off are worth something else than the truth."""
    made = _sample(protocol)
    best, worse = (metric.compute(results, made.scoring) for results in (made.truth, made.perturbed))
    require(best != worse, f"it is {best} for both")
    return f"{best:.4g} for the truth, {worse:.4g} for keypoints that are {FAR:g} px off"


@dataclass(frozen=True)
class _Sample:
    """A protocol's truth, with predictions that equal it and predictions that are off."""

    scoring: Scoring
    truth: list[dict[str, Any]]
    perturbed: list[dict[str, Any]]


def _contents(scoring: Scoring) -> Any:
    """The truth, to be compared by `==`."""
    if isinstance(scoring, PckhScoring):
        truth = scoring.truth
        return [values.tolist() for values in (truth.keypoints, truth.visible, truth.head_sizes)]
    assert isinstance(scoring, OksScoring)
    return copy.deepcopy(scoring.annotations)


def _sample(protocol: str) -> _Sample:
    """Always the same instances, anew: some keypoints are not labelled, and no two predictions have the same score."""
    rng = np.random.default_rng(7)
    skeleton, count = SKELETONS[protocol], IMAGES * PER_IMAGE
    corners = rng.uniform([5, 5], [WIDTH - 80, HEIGHT - 110], (count, 2)).round()
    sizes = rng.uniform([40, 70], [70, 100], (count, 2)).round()
    keypoints = (corners[:, None] + rng.uniform(0.05, 0.95, (count, skeleton.size, 2)) * sizes[:, None]).round(1)
    visible = rng.random((count, skeleton.size)) < 0.9
    image_ids = np.arange(count) if protocol == "mpii" else np.repeat(np.arange(IMAGES), PER_IMAGE) + 1
    boxes = np.hstack([corners, sizes])
    scoring = _scoring(protocol, boxes=boxes, keypoints=keypoints, visible=visible, image_ids=image_ids)
    results = []
    for noise in (np.zeros(keypoints.shape), FAR * rng.standard_normal(keypoints.shape)):
        confidence = rng.uniform(0.5, 1, (*visible.shape, 1))
        predictions = Predictions(
            image_ids=image_ids,
            keypoints=np.concatenate([keypoints + noise, confidence], axis=2),
            centers=corners + sizes / 2,
            scales=sizes * 1.25 / 200,
            box_scores=np.ones(count),
        )
        results.append(scoring.results(predictions, score_threshold=0.2, nms_threshold=0.9))
    scoring.metrics(results[1])  # as evaluations do first: pycocotools leaves marks of its own in the truth
    return _Sample(scoring, *results)


def _scoring(protocol: str, *, boxes: Array, keypoints: Array, visible: Array, image_ids: Array) -> Scoring:
    if protocol == "mpii":
        return PckhScoring(HeadTruth(keypoints + 1, visible, np.full(len(keypoints), 20.0)))
    instances = [
        {
            "id": number + 1,
            "image_id": int(image_ids[number]),
            "category_id": 1,
            "iscrowd": 0,
            "bbox": box.tolist(),
            "area": float(box[2] * box[3] * 0.5),
            "num_keypoints": int(labelled.sum()),
            "keypoints": np.column_stack([points * labelled[:, None], 2 * labelled]).ravel().tolist(),
        }
        for number, (box, points, labelled) in enumerate(zip(boxes, keypoints, visible, strict=True))
    ]
    images = [
        {"id": number, "file_name": f"{number}.jpg", "height": HEIGHT, "width": WIDTH, "crowdIndex": number / IMAGES}
        for number in sorted(set(image_ids.tolist()))
    ]
    skeleton = SKELETONS[protocol]
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}
    annotations = {"images": images, "annotations": instances, "categories": [category]}
    return OksScoring(annotations, skeleton, OKS_PROTOCOLS[protocol])
