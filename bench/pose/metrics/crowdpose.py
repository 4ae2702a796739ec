"""The CrowdPose evaluation: COCO's with the person's size taken from the box, and a split by crowding.

Differences from COCO: the area is 0.53 x width x height of the box, only one area range is reported, and AP is measured
again on the easy, medium and hard images, which the images' crowd index tells apart.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from bench.pose.data.datasets import CROWDPOSE_AREA
from bench.pose.errors import DataError
from bench.pose.metrics.coco import check_results, judge, load_ground_truth, load_results
from bench.pose.metrics.oks_per_instance import CROWDING, MAX_PREDICTIONS, OksPerInstance
from bench.pose.metrics.oks_truth import OksTruth, read_truth

__all__ = ["evaluate_crowdpose", "judge_crowdpose", "read_crowdpose", "run_crowdpose"]

ANY_SIZE = (0.0, 1e5**2)


def evaluate_crowdpose(
    annotations: Mapping[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> dict[str, float]:
    """Score results in the COCO format as crowdposetools does.

    Arguments and errors as in `run_crowdpose`.

    Returns:
        AP, AP50, AP75, AR, AR50, AR75 in 0..1, AP_E, AP_M, AP_H, rounded to four decimals, and `mean_oks` as in
        `bench.pose.metrics.coco.evaluate`; -1 where there are no such images or instances.
    """
    return judge_crowdpose(run_crowdpose(annotations, results, sigmas)).metrics()


def run_crowdpose(
    annotations: Mapping[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> COCOeval:
    """Evaluate results in the COCO format.

    Args:
        annotations: contents of a CrowdPose annotation file; images carry `crowdIndex`.
        results: predicted instances.
        sigmas: per keypoint.

    Raises:
        DataError: an image lacks its crowd index, an annotation its box, or a result is unusable.
    """
    ground_truth = load_ground_truth(_with_areas(annotations))
    check_results(ground_truth.imgs, results, len(sigmas))
    evaluation = COCOeval(ground_truth, load_results(ground_truth, results), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
    evaluation.params.maxDets = [MAX_PREDICTIONS]
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [list(ANY_SIZE)], ["all"]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
    return evaluation


def judge_crowdpose(evaluation: COCOeval) -> OksPerInstance:
    """What an evaluation that was run decided image by image.

    Images are judged one by one, so easy, medium and hard ones need no evaluations of their own.
    """
    return judge(evaluation, "crowdpose", _groups(evaluation.cocoGt.dataset["images"], evaluation.params.imgIds))


def read_crowdpose(annotations: Mapping[str, Any], keypoints: int) -> OksTruth:
    """Instances of a CrowdPose annotation file's contents as the quick evaluator wants them; errors as in
    `run_crowdpose`.

    Args:
        annotations: images carry `crowdIndex`.
        keypoints: of each instance.
    """
    truth = read_truth(_with_areas(annotations), keypoints, protocol="crowdpose", ranges=[ANY_SIZE])
    return replace(truth, groups=_groups(annotations["images"], truth.image_ids.tolist()))


def _groups(images: Sequence[Mapping[str, Any]], image_ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which images are easy, medium and hard, (3, images) in the order of the ids."""
    by_id = {image["id"]: image["crowdIndex"] for image in images}
    indices = np.array([by_id[image_id] for image_id in image_ids])
    return np.array([(low <= indices) & (indices < high) for low, high in CROWDING.values()])


def _with_areas(annotations: Mapping[str, Any]) -> dict[str, Any]:
    try:
        instances = [
            instance | {"area": CROWDPOSE_AREA * instance["bbox"][2] * instance["bbox"][3]}
            for instance in annotations["annotations"]
        ]
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"the annotations are not CrowdPose's: an instance without a box ({error!r})") from None
    if not all(isinstance(image.get("crowdIndex"), int | float) for image in annotations["images"]):
        raise DataError("the annotations are not CrowdPose's: an image without crowdIndex")
    return {**annotations, "annotations": instances}
