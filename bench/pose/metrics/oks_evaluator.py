"""COCO's statistics by hotcoco: pycocotools' to rounding, in a fraction of the time.

Its AP scores trainings after every epoch. Records are evaluated by pycocotools itself, unless they ask for hotcoco.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hotcoco import COCO, COCOeval
from pycocotools import cocoeval

from bench.pose.errors import DataError
from bench.pose.metrics.coco import fields_that_count

__all__ = ["hotcoco_statistics", "quick_precision", "read_truth"]

FIELDS = ("id", "image_id", "category_id", "keypoints", "num_keypoints", "area", "bbox", "iscrowd")
"""Fields of an annotation that the evaluation reads."""


def read_truth(annotations: dict[str, Any]) -> COCO | None:
    """Index an annotation file's contents, whose annotations are numbered from 1.

    None for images with negative ids, which hotcoco refuses.
    """
    instances, images = annotations["annotations"], annotations["images"]
    if min((image["id"] for image in images), default=0) < 0:
        return None
    # The other fields, such as masks, would be refused for faults that do not matter here.
    return COCO(
        {
            "images": [{"id": image["id"]} for image in images],
            "annotations": [{name: instance[name] for name in FIELDS if name in instance} for instance in instances],
            "categories": annotations["categories"],
        }
    )


def quick_precision(truth: COCO, results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> float | None:
    """AP over instances of all sizes in 0..1; None if there is nobody to judge.

    Args:
        truth: indexed annotations.
        results: results that passed `bench.pose.metrics.coco.check_results`.
        sigmas: per keypoint.
    """
    evaluation = _evaluate(truth, results, sigmas)
    assert evaluation.eval is not None
    return _mean(np.asarray(evaluation.eval["precision"])[..., 0, 0])  # all sizes


def hotcoco_statistics(evaluation: cocoeval.COCOeval) -> dict[str, float | None]:
    """The ten statistics of what pycocotools evaluated; None where there is nobody to judge.

    Raises `DataError` for images with negative ids.
    """
    truth = read_truth(evaluation.cocoGt.dataset)
    if truth is None:
        raise DataError("evaluator hotcoco takes no images with negative ids; pycocotools does")
    again = _evaluate(truth, list(evaluation.cocoDt.anns.values()), evaluation.params.kpt_oks_sigmas.tolist())
    assert again.eval is not None
    precision, recall = np.asarray(again.eval["precision"]), np.asarray(again.eval["recall"])
    every = [*range(len(precision))]
    parts = {"": (every, 0), "50": ([0], 0), "75": ([5], 0), "M": (every, 1), "L": (every, 2)}
    return {
        kind + part: _mean(table[thresholds][..., sizes, 0])
        for kind, table in (("AP", precision), ("AR", recall))
        for part, (thresholds, sizes) in parts.items()
    }


def _evaluate(truth: COCO, results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> COCOeval:
    evaluation = COCOeval(truth, truth.load_res(fields_that_count(results)), "keypoints")
    evaluation.params.kpt_oks_sigmas = list(sigmas)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    """Over what is defined; None where nothing is, for which evaluators give -1."""
    known = values[values > -1]
    return float(known.mean()) if len(known) else None
