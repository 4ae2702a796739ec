"""The CrowdPose evaluation: COCO's with the instance's size taken from the box, and a split by crowding.

Differences from COCO: the area is 0.53 x width x height of the box, only one area range is reported, and AP is measured
again on the easy, medium and hard images, which the images' crowd index tells apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from bench.pose.data.datasets import CROWDPOSE_AREA
from bench.pose.data.reading import is_number
from bench.pose.errors import DataError
from bench.pose.metrics.coco import judge, load_ground_truth, run_coco
from bench.pose.metrics.oks_per_instance import CROWDING, OksPerInstance

__all__ = ["judge_crowdpose", "run_crowdpose", "with_areas"]

ANY_SIZE = (0.0, 1e5**2)


def run_crowdpose(
    annotations: Mapping[str, Any],
    results: Sequence[dict[str, Any]],
    sigmas: Sequence[float],
    *,
    area_of_box: float = CROWDPOSE_AREA,
) -> COCOeval:
    """Evaluate results in the COCO format.

    Args:
        annotations: contents of a CrowdPose annotation file; images carry `crowdIndex`.
        results: predicted instances.
        sigmas: per keypoint.
        area_of_box: area of an instance relative to its box.

    Raises:
        DataError: an image lacks its crowd index, an annotation its box, or a result is unusable.
    """
    truth = load_ground_truth(with_areas(annotations, area_of_box=area_of_box))
    return run_coco(truth, results, sigmas, areas={"all": ANY_SIZE})


def judge_crowdpose(evaluation: COCOeval) -> OksPerInstance:
    """Per-instance results of an evaluation after `run_crowdpose`, with groups of easy, medium and hard images."""
    return judge(evaluation, "crowdpose", _groups(evaluation.cocoGt.dataset["images"], evaluation.params.imgIds))


def _groups(images: Sequence[Mapping[str, Any]], image_ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which images are easy, medium and hard, (3, images) in the order of the ids."""
    by_id = {image["id"]: image["crowdIndex"] for image in images}
    indices = np.array([by_id[image_id] for image_id in image_ids])
    return np.array([(low <= indices) & (indices < high) for low, high in CROWDING.values()])


def with_areas(annotations: Mapping[str, Any], *, area_of_box: float = CROWDPOSE_AREA) -> dict[str, Any]:
    """Contents of an annotation file with the areas that CrowdPose gives instances; errors as in `run_crowdpose`."""
    try:
        instances = [
            instance | {"area": area_of_box * instance["bbox"][2] * instance["bbox"][3]}
            for instance in annotations["annotations"]
        ]
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"the annotations are not CrowdPose's: an instance without a box ({error!r})") from None
    lacking = [image["id"] for image in annotations["images"] if not is_number(image.get("crowdIndex"))]
    if lacking:
        raise DataError(
            f"{len(lacking):,} of {len(annotations['images']):,} images have no number as crowdIndex, by which"
            f" CrowdPose's protocol tells easy from hard images (the first: image {lacking[0]})"
        )
    return {**annotations, "annotations": instances}
