"""The COCO keypoint evaluation by pycocotools: ten statistics, the mean OKS, and per-instance results."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.pose.data.reading import are_numbers, is_id, is_number
from bench.pose.errors import DataError
from bench.pose.metrics.oks_per_instance import OKS_THRESHOLDS, OksPerInstance

__all__ = [
    "STATISTICS",
    "best_predictions",
    "best_similarities",
    "check_result",
    "check_results",
    "coco_metrics",
    "evaluate",
    "fields_that_count",
    "judge",
    "load_ground_truth",
    "load_results",
    "run_coco",
]

Array = npt.NDArray[Any]

STATISTICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""Names of pycocotools' ten keypoint statistics, in its order."""

LARGEST = 2**63
"""Numbers must be smaller, or NumPy cannot hold them."""

FIELDS = frozenset({"image_id", "category_id", "keypoints", "score"})
"""Fields of each result."""


def load_ground_truth(annotations: dict[str, Any]) -> COCO:
    """Index an annotation file's contents for pycocotools, without its printing."""
    coco = COCO()
    coco.dataset = annotations
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def evaluate(ground_truth: COCO, results: Sequence[dict[str, Any]], sigmas: Sequence[float]) -> dict[str, float | None]:
    """`coco_metrics` of `run_coco`."""
    return coco_metrics(run_coco(ground_truth, results, sigmas))


def run_coco(
    ground_truth: COCO,
    results: Sequence[dict[str, Any]],
    sigmas: Sequence[float],
    areas: Mapping[str, tuple[float, float]] | None = None,
) -> COCOeval:
    """Evaluate COCO results on all images of an annotation file.

    Args:
        ground_truth: result of `load_ground_truth`.
        results: predicted instances in the COCO results format.
        sigmas: per keypoint; the number of keypoints follows from it.
        areas: ranges of instance areas in px^2 by name; None for COCO's.

    Raises:
        DataError: a result names an unknown image, has a wrong number of values, or a value that is not finite.
    """
    check_results(ground_truth.imgs, results, len(sigmas))
    evaluation = COCOeval(ground_truth, load_results(ground_truth, results), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
    if areas is not None:
        evaluation.params.areaRngLbl, evaluation.params.areaRng = list(areas), list(areas.values())
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
    return evaluation


def coco_metrics(evaluation: COCOeval) -> dict[str, float | None]:
    """Statistics of an evaluation after `run_coco`.

    Returns:
        The ten `STATISTICS` in 0..1 and `mean_oks`: over labelled, non-crowd instances, the mean of the best OKS that
        a prediction in the same image reaches. None where there is nobody to judge, for which pycocotools gives -1.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
        evaluation.summarize()
    values = zip(STATISTICS, evaluation.stats, strict=True)
    statistics = {name: float(value) if value >= 0 else None for name, value in values}
    best, _ = best_similarities(evaluation)
    return statistics | {"mean_oks": float(np.mean(best)) if len(best) else None}


def load_results(ground_truth: COCO, results: Sequence[dict[str, Any]]) -> COCO:
    """Index results for pycocotools, which does not accept an empty list."""
    if results:
        with contextlib.redirect_stdout(io.StringIO()):
            return ground_truth.loadRes(fields_that_count(results))
    empty = {key: ground_truth.dataset[key] for key in ("images", "categories")}
    return load_ground_truth(empty | {"annotations": []})


def fields_that_count(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies of results without other fields: evaluators take a `bbox` or `caption` for results of another kind."""
    return [{name: result[name] for name in FIELDS} for result in results]


def check_results(image_ids: Container[object], results: Sequence[dict[str, Any]], keypoints: int) -> None:
    """Raise `DataError` for the first result that lacks a field, names an unknown image or has unusable values.

    Args:
        image_ids: ids of the annotation file.
        results: results to check.
        keypoints: number of keypoints per instance.
    """
    for number, result in enumerate(results):
        check_result(number, result, image_ids, keypoints)


def check_result(number: int, result: Any, image_ids: Container[object], keypoints: int) -> None:
    """As `check_results`, for the result at a position."""
    where = f"prediction {number}"
    if not isinstance(result, dict):
        raise DataError(f"{where}: expected an object of the COCO results format, found {result!r:.80}")
    if missing := FIELDS - result.keys():
        raise DataError(f"{where}: lacks {', '.join(sorted(missing))}")
    image_id, values = result["image_id"], result["keypoints"]
    if not is_id(image_id) or image_id not in image_ids:
        raise DataError(f"{where}: image {image_id!r:.80} is not in the annotation file")
    if not is_id(result["category_id"]):
        raise DataError(f"{where}: category {result['category_id']!r:.80} is not a whole number")
    if not isinstance(values, list) or len(values) != 3 * keypoints:
        found = len(values) if isinstance(values, list) else "not a list of"
        raise DataError(f"{where}: {found} keypoint values, expected {3 * keypoints} for {keypoints} keypoints")
    if not are_numbers([*values, result["score"]], LARGEST):
        named = [("score", result["score"]), *((f"keypoints[{place}]", value) for place, value in enumerate(values))]
        name, value = next((name, value) for name, value in named if not is_number(value, LARGEST))
        raise DataError(f"{where} (image {image_id}): a value is not a finite number: {name} {value!r:.40}")


def best_similarities(evaluation: COCOeval) -> tuple[Array, Array]:
    """For each labelled, non-crowd instance, the best OKS of a prediction in the image, and the image's position."""
    found = [(similarity, position) for position, _, _, similarity in _best(evaluation)]
    best, images = zip(*found, strict=True) if found else ((), ())
    return np.array(best, dtype=np.float64), np.array(images, dtype=np.int64)


def best_predictions(evaluation: COCOeval) -> Iterator[tuple[int, Array, Array | None]]:
    """For each labelled, non-crowd instance, the image's position, its keypoints, and the prediction with the best OKS.

    Keypoints are (keypoints, 3) x, y in px and visibility, or anything in place of it for predictions. None stands for
    the prediction where the image has none.
    """
    for position, instance, prediction, _ in _best(evaluation):
        keypoints = None if prediction is None else np.reshape(prediction["keypoints"], (-1, 3))
        yield position, np.reshape(instance["keypoints"], (-1, 3)), keypoints


def _best(evaluation: COCOeval) -> Iterator[tuple[int, dict[str, Any], dict[str, Any] | None, float]]:
    """For each labelled, non-crowd instance: image's position, instance, best prediction in the image, and its OKS.

    `evaluation.ious` holds (predictions, instances) per image, the predictions with the best scores, best first.
    """
    (category,) = evaluation.params.catIds
    for position, image_id in enumerate(evaluation.params.imgIds):
        similarities = evaluation.ious[image_id, category]
        predictions = evaluation._dts[image_id, category]
        order = np.argsort([-one["score"] for one in predictions], kind="mergesort")
        for column, instance in enumerate(evaluation._gts[image_id, category]):
            if instance["ignore"]:
                continue
            if len(similarities) == 0:
                yield position, instance, None, 0.0
            else:
                best = int(similarities[:, column].argmax())
                yield position, instance, predictions[order[best]], float(similarities[best, column])


def judge(evaluation: COCOeval, protocol: str = "coco", groups: Array | None = None) -> OksPerInstance:
    """Per-instance results of an evaluation after `run_coco`.

    Args:
        evaluation: evaluation of one category.
        protocol: "coco" or "crowdpose".
        groups: (groups, images) bool, subsets of images with statistics of their own; None for COCO.
    """
    image_ids = np.array(evaluation.params.imgIds, dtype=np.int64)
    # By area range and image; None where an image has neither instances nor predictions.
    shape = (len(evaluation.params.areaRng), len(image_ids))
    judged = np.array(evaluation.evalImgs, dtype=object).reshape(shape)
    known = [position for position, entry in enumerate(judged[0]) if entry is not None]
    empty = np.zeros((len(OKS_THRESHOLDS), 0))

    def concatenated(name: str) -> Array:
        rows = [np.hstack([empty, *(entry[name] for entry in row[known])]) for row in judged]
        return np.stack(rows).astype(bool)[..., order]

    scores = [judged[0, position]["dtScores"] for position in known]
    order = np.argsort(-np.concatenate([[], *scores]), kind="stable")
    instances = np.zeros(shape, dtype=np.int32)
    instances[:, known] = [[np.sum(entry["gtIgnore"] == 0) for entry in row[known]] for row in judged]
    best_oks, best_images = best_similarities(evaluation)
    return OksPerInstance(
        protocol=protocol,
        image_ids=image_ids,
        detections=np.repeat(known, [len(found) for found in scores]).astype(np.int64)[order],
        matched=concatenated("dtMatches"),
        ignored=concatenated("dtIgnore"),
        instances=instances,
        best_oks=best_oks,
        best_images=best_images,
        groups=np.zeros((0, len(image_ids)), dtype=bool) if groups is None else groups,
    )
