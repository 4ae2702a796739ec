"""The AP that scores trainings after every epoch, by hotcoco: pycocotools' to rounding, in a fraction of the time.

Records are evaluated by pycocotools itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hotcoco import COCO, COCOeval

from bench.pose.metrics.coco import fields_that_count

__all__ = ["quick_precision", "read_truth"]

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
    evaluation = COCOeval(truth, truth.load_res(fields_that_count(results)), "keypoints")
    evaluation.params.kpt_oks_sigmas = list(sigmas)
    evaluation.evaluate()
    evaluation.accumulate()
    assert evaluation.eval is not None
    precision = np.asarray(evaluation.eval["precision"])[..., 0, 0]  # all sizes
    known = precision[precision > -1]
    return float(known.mean()) if len(known) else None
