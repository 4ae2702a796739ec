"""The OKS evaluators: pycocotools' rules on the truth of a protocol, or on one that other tools make of it.

pycocotools        COCO's own, of record for COCO
hotcoco            the same rules in other code
box_areas          areas of instances are 0.53 x width x height of their boxes, as xtcocotools and CrowdPose's tool
                   take them where none are stored
visible_keypoints  only keypoints marked as visible (2) count, not the labelled but occluded ones (1)
crowdpose          CrowdPose's own, of record for CrowdPose
whole_box_areas    the same with areas of whole boxes, as tools without CrowdPose's factor take them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from bench.pose.data.datasets import CROWDPOSE_AREA
from bench.pose.evaluator_names import EVALUATORS
from bench.pose.metrics.coco import coco_metrics, judge, load_ground_truth, run_coco
from bench.pose.metrics.crowdpose import judge_crowdpose, run_crowdpose, with_areas
from bench.pose.metrics.oks_evaluator import hotcoco_statistics
from bench.pose.metrics.oks_per_instance import OksPerInstance

__all__ = ["OKS_EVALUATORS", "OKS_PROTOCOLS", "OksProtocol"]

Truth = Mapping[str, Any]
Metrics = dict[str, float | None]


@dataclass(frozen=True)
class OksProtocol:
    """One way to evaluate by OKS.

    Attributes:
        run: evaluates results, given an annotation file's contents and the sigmas.
        metrics: metrics of a finished evaluation.
        judge: per-instance results of a finished evaluation.
        annotations: an annotation file's contents for the quick evaluator.
    """

    run: Callable[[dict[str, Any], Sequence[dict[str, Any]], Sequence[float]], COCOeval]
    metrics: Callable[[COCOeval], Metrics]
    judge: Callable[[COCOeval], OksPerInstance]
    annotations: Callable[[dict[str, Any]], dict[str, Any]]

    def on(self, change: Callable[[Truth], dict[str, Any]]) -> OksProtocol:
        """The same on changed contents of the annotation file."""
        return replace(
            self,
            run=lambda truth, results, sigmas: self.run(change(truth), results, sigmas),
            annotations=lambda truth: change(self.annotations(truth)),
        )


def _run_coco(annotations: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> COCOeval:
    return run_coco(load_ground_truth(annotations), results, sigmas)


def _run_whole_boxes(
    annotations: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> COCOeval:
    return run_crowdpose(annotations, results, sigmas, area_of_box=1.0)


def _crowdpose_metrics(evaluation: COCOeval) -> Metrics:
    return judge_crowdpose(evaluation).metrics()


def _hotcoco_metrics(evaluation: COCOeval) -> Metrics:
    return coco_metrics(evaluation) | hotcoco_statistics(evaluation)


def _changed(truth: Truth, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    return {**truth, "annotations": [{**instance, **change(instance)} for instance in truth["annotations"]]}


def _with_box_areas(truth: Truth) -> dict[str, Any]:
    return _changed(truth, lambda instance: {"area": CROWDPOSE_AREA * instance["bbox"][2] * instance["bbox"][3]})


def _visible_only(truth: Truth) -> dict[str, Any]:
    """Keypoints that are not marked as visible lose their label; an instance without any counts for nothing."""

    def change(instance: dict[str, Any]) -> dict[str, Any]:
        keypoints = np.reshape(instance["keypoints"], (-1, 3)).copy()
        keypoints[keypoints[:, 2] < 2] = 0
        left = int((keypoints[:, 2] > 0).sum())
        return {"keypoints": keypoints.ravel().tolist(), "num_keypoints": min(left, instance["num_keypoints"])}

    return _changed(truth, change)


_COCO = OksProtocol(_run_coco, coco_metrics, judge, dict)
_CROWDPOSE = OksProtocol(run_crowdpose, _crowdpose_metrics, judge_crowdpose, with_areas)

OKS_EVALUATORS: Mapping[str, Mapping[str, OksProtocol]] = {
    "coco": {
        "pycocotools": _COCO,
        "hotcoco": replace(_COCO, metrics=_hotcoco_metrics),
        "box_areas": _COCO.on(_with_box_areas),
        "visible_keypoints": _COCO.on(_visible_only),
    },
    "crowdpose": {
        "crowdpose": _CROWDPOSE,
        "whole_box_areas": replace(
            _CROWDPOSE, run=_run_whole_boxes, annotations=lambda truth: with_areas(truth, area_of_box=1.0)
        ),
        "visible_keypoints": _CROWDPOSE.on(_visible_only),
    },
}
"""Evaluators by protocol and name; `bench.pose.evaluator_names` lists the same names without importing pycocotools."""

OKS_PROTOCOLS: Mapping[str, OksProtocol] = {
    protocol: evaluators[EVALUATORS[protocol][0]] for protocol, evaluators in OKS_EVALUATORS.items()
}
"""The evaluator of record of each protocol."""
