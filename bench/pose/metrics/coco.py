"""The COCO keypoint evaluation: ten statistics by pycocotools, and the mean OKS of the labelled people."""

from __future__ import annotations

import contextlib
import copy
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.pose.errors import DataError

__all__ = ["STATISTICS", "check_results", "evaluate", "load_ground_truth", "load_results", "mean_oks"]

STATISTICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""Names of pycocotools' ten keypoint statistics, in its order."""


def load_ground_truth(annotations: dict[str, Any]) -> COCO:
    """Index an annotation file's contents for pycocotools, without its printing."""
    coco = COCO()
    coco.dataset = annotations
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def evaluate(ground_truth: COCO, results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> dict[str, float]:
    """Score COCO results on all images of an annotation file.

    Args:
        ground_truth: as made by `load_ground_truth`.
        results: predicted people in the COCO results format.
        sigmas: per joint; the number of joints follows from it.

    Returns:
        The ten `STATISTICS` in 0..1 (-1 where pycocotools has no labelled person to judge) and `mean_oks`: over
        labelled, non-crowd people, the mean of the best OKS that a prediction in the same image reaches.

    Raises:
        DataError: a result names an unknown image, has a wrong number of values, or a value that is not finite.
    """
    check_results(ground_truth, results, len(sigmas))
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(ground_truth, load_results(ground_truth, results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    statistics = {name: float(value) for name, value in zip(STATISTICS, evaluation.stats, strict=True)}
    return statistics | {"mean_oks": mean_oks(evaluation)}


def load_results(ground_truth: COCO, results: Sequence[dict[str, Any]]) -> COCO:
    """Index results for pycocotools, which takes no empty list."""
    if results:
        return ground_truth.loadRes(copy.deepcopy(list(results)))
    empty = {key: ground_truth.dataset[key] for key in ("images", "categories")}
    return load_ground_truth(empty | {"annotations": []})


def check_results(ground_truth: COCO, results: Sequence[dict[str, Any]], joints: int) -> None:
    """Raise `DataError` for the first result that lacks a field, names an unknown image or has unusable values."""
    for number, result in enumerate(results):
        where = f"prediction {number}"
        if not isinstance(result, dict):
            raise DataError(f"{where}: expected an object of the COCO results format, found {result!r:.80}")
        missing = {"image_id", "category_id", "keypoints", "score"} - set(result)
        if missing:
            raise DataError(f"{where}: lacks {', '.join(sorted(missing))}")
        image_id, values = result["image_id"], result["keypoints"]
        if not isinstance(image_id, int) or image_id not in ground_truth.imgs:
            raise DataError(f"{where}: image {image_id!r:.80} is not in the annotation file")
        if not isinstance(values, list) or len(values) != 3 * joints:
            found = len(values) if isinstance(values, list) else "no list of"
            raise DataError(f"{where}: {found} keypoint values, expected {3 * joints} for {joints} joints")
        if not all(isinstance(value, int | float) and abs(value) < math.inf for value in (*values, result["score"])):
            raise DataError(f"{where} (image {image_id}): a value is not a finite number")


def mean_oks(evaluation: COCOeval) -> float:
    """Mean, over the labelled people of an evaluation that was run, of the best OKS in their image; -1 without any.

    `evaluation.ious` holds (predictions, people) per image.
    """
    best: list[float] = []
    category = evaluation.params.catIds[0]
    for image_id in evaluation.params.imgIds:
        people = evaluation._gts[image_id, category]
        similarities = evaluation.ious[image_id, category]
        for column, person in enumerate(people):
            if person.get("num_keypoints", 0) and not person.get("iscrowd", 0):
                best.append(float(similarities[:, column].max()) if len(similarities) else 0.0)
    return float(np.mean(best)) if best else -1.0
