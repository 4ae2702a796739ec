"""A few validation instances with truth and prediction, small enough to store beside every record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from bench.files import write_atomically, write_json
from bench.pose.data.images import check_size, read_image
from bench.pose.data.instances import Instance, Split
from bench.pose.errors import ImageError
from bench.pose.geometry import affine_matrix, box_to_center_scale, transform_points, warp
from bench.pose.metrics.oks import instance_oks
from bench.pose.metrics.pckh import head_distances, read_head_truth
from bench.store.folders import EvaluationFolder

COUNTS: Mapping[Literal["spread", "worst", "median"], int] = {"spread": 8, "worst": 4, "median": 4}
"""Number of stored instances by the reason for their choice."""

HEIGHT = 224
ASPECTS = (160, 224, 288)
"""Widths in px of upright, square and lying images. The one nearest to the box's aspect ratio is used."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Predicted:
    """An instance, the most similar prediction in its image, (keypoints, 3), and its OKS, if there is any."""

    instance: Instance
    prediction: Array | None
    oks: float | None


def store_images(folder: EvaluationFolder, split: Split, results: Sequence[dict[str, Any]]) -> None:
    """Store instances spread evenly over the split (the same for every evaluation), the worst and the median ones.

    Only instances with most keypoints labelled are considered. Their error is 1 - OKS of the most similar prediction in
    the image, 1 without any; for MPII it is the mean distance in head sizes. No instance is stored twice.

    Stored are the image around the box, the annotated keypoints, and the most similar predicted keypoints, all in px of
    the stored image. Instances whose image cannot be read are skipped; the record lists them. Nothing is stored for a
    split without published annotations.
    """
    if not split.annotated:
        return
    instances = _predicted(split, results)
    shown = []
    for choice, chosen in _choose(instances, _errors(split, instances)):
        try:
            shown.append(_show(folder, chosen) | {"choice": choice})
        except ImageError:
            continue
    write_json(folder.instances_file, {"skeleton": split.skeleton.name, "instances": shown})


def _predicted(split: Split, results: Sequence[dict[str, Any]]) -> list[_Predicted]:
    """Instances with most keypoints labelled, or else with any, in the split's order."""
    by_image: dict[int, list[Array]] = {}
    for result in results:
        by_image.setdefault(result["image_id"], []).append(np.asarray(result["keypoints"]).reshape(-1, 3))
    instances = [instance for instance in split.instances() if instance.visible.any()]
    full = [instance for instance in instances if instance.visible.sum() > split.skeleton.size / 2] or instances
    return [_best(instance, by_image.get(instance.image_id, []), split.skeleton.sigmas) for instance in full]


def _best(instance: Instance, predictions: Sequence[Array], sigmas: Sequence[float]) -> _Predicted:
    similarities = [
        instance_oks(prediction[:, :2], instance.keypoints, instance.visible, instance.area, sigmas)
        for prediction in predictions
    ]
    best = int(np.argmax(similarities)) if similarities else None
    return _Predicted(instance, *((None, None) if best is None else (predictions[best], similarities[best])))


def _errors(split: Split, instances: Sequence[_Predicted]) -> Array:
    """Error of each instance, (instances,), in the measure of the split's protocol."""
    if split.protocol != "mpii":
        return np.array([1 - (one.oks or 0.0) for one in instances])
    truth = read_head_truth(split.truth_file)
    keypoints = np.full((*truth.keypoints.shape[:2], 2), np.nan)
    for one in instances:
        if one.prediction is not None:
            keypoints[one.instance.annotation_id] = one.prediction[:, :2]
    distances = np.where(truth.visible, head_distances(keypoints, truth), 0).sum(axis=1)
    means = distances / np.maximum(truth.visible.sum(axis=1), 1)
    return np.nan_to_num(means, nan=np.inf)[[one.instance.annotation_id for one in instances]]


def _choose(instances: Sequence[_Predicted], errors: Array) -> Iterator[tuple[str, _Predicted]]:
    """Chosen instances with the reason: evenly spaced, largest errors, errors nearest to the median."""
    by_error = np.argsort(-errors, kind="stable")
    ranks = np.empty(len(instances))
    ranks[by_error] = np.arange(len(instances))
    orders = {
        "spread": np.unique(np.linspace(0, len(instances) - 1, COUNTS["spread"]).round().astype(int))[: len(instances)],
        "worst": by_error,
        "median": np.argsort(abs(ranks - (len(instances) - 1) / 2), kind="stable"),
    }
    taken: set[int] = set()
    for choice, count in COUNTS.items():
        fresh = [position for position in orders[choice].tolist() if position not in taken][:count]
        taken.update(fresh)
        yield from ((choice, instances[position]) for position in fresh)


def _show(folder: EvaluationFolder, chosen: _Predicted) -> dict[str, Any]:
    instance = chosen.instance
    size = (HEIGHT, min(ASPECTS, key=lambda width: abs(width / HEIGHT - instance.box[2] / max(instance.box[3], 1))))
    matrix = affine_matrix(*box_to_center_scale(instance.box, size), 0, size)
    pixels = read_image(instance.image)
    check_size(instance.image, (pixels.shape[0], pixels.shape[1]), instance.image_size)
    image = warp(pixels, matrix, size)
    name = f"{instance.annotation_id}.jpg"
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    write_atomically(folder.instances_folder / name, lambda file: file.write(encoded.tobytes()), durable=False)
    return {
        "image_id": instance.image_id,
        "annotation_id": instance.annotation_id,
        "file": f"instances/{name}",
        "truth": _placed(np.column_stack([instance.keypoints, instance.visible]), matrix),
        "prediction": None if chosen.prediction is None else _placed(chosen.prediction, matrix),
        "oks": chosen.oks,
    }


def _placed(keypoints: Array, matrix: Array) -> list[list[float]]:
    points = np.column_stack([transform_points(keypoints[:, :2], matrix), keypoints[:, 2]])
    return [[round(float(value), 2) for value in point] for point in points]
