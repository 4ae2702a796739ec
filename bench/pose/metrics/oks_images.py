"""The images of an OKS evaluation, with predictions, instances and their similarity by keypoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from bench.pose.metrics.matching import match, pairs_within_images
from bench.pose.metrics.oks import keypoint_similarity, outside_box

__all__ = ["JudgedImage", "judged_images", "keypoint_instances", "match_images"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class JudgedImage:
    """One image as the evaluator sees it, with at least one prediction.

    Attributes:
        scores: (predictions,) best first, no more than the evaluator takes into account.
        points: (predictions, keypoints, 2) px.
        truth: (instances, keypoints, 2) px.
        labelled: (instances, keypoints) bool.
        boxes: (instances, 4) x, y, width, height in px.
        areas: (instances,) px^2.
        ignored: (instances,) bool, who does not count.
        crowd: (instances,) bool.
        oks: (predictions, instances) as the evaluator computed it.
        sigmas: per keypoint.
    """

    scores: Array
    points: Array
    truth: Array
    labelled: Array
    boxes: Array
    areas: Array
    ignored: Array
    crowd: Array
    oks: Array
    sigmas: tuple[float, ...]

    def keypoint_similarity(self) -> Array:
        """Similarity of each predicted keypoint with the same keypoint of each instance, (predictions, instances,
        keypoints).

        Of a keypoint that is not labelled, with the person's box enlarged to three times its width and height, as
        pycocotools compares an instance without any labelled keypoint.
        """
        points = self.points[:, None]
        outside = outside_box(points, self.boxes[:, None])
        offset = np.where(self.labelled[..., None], points - self.truth, outside)
        return keypoint_similarity((offset**2).sum(axis=-1), self.areas, self.sigmas)

    def cross_similarity(self, prediction: int) -> Array:
        """Similarity of each keypoint of a prediction with every keypoint of every instance, (keypoints, instances,
        keypoints).

        Each is judged by the falloff of the person's keypoint; one that is not labelled is similar to nothing.
        """
        squared = ((self.points[prediction][:, None, None] - self.truth) ** 2).sum(axis=-1)
        return np.where(self.labelled, keypoint_similarity(squared, self.areas, self.sigmas), 0)


def judged_images(evaluation: COCOeval) -> Iterator[JudgedImage]:
    """Images with predictions of an evaluation that was run, in its order."""
    parameters = evaluation.params
    (category,), limit = parameters.catIds, parameters.maxDets[-1]
    sigmas = tuple(parameters.kpt_oks_sigmas.tolist())
    for image_id in parameters.imgIds:
        found = evaluation._dts[image_id, category]
        if not found:
            continue
        scores = np.array([prediction["score"] for prediction in found])
        order = np.argsort(-scores, kind="stable")[:limit]
        instances = evaluation._gts[image_id, category]
        truth = np.array([instance["keypoints"] for instance in instances], dtype=np.float64).reshape(
            -1, len(sigmas), 3
        )
        points = np.array([found[best]["keypoints"] for best in order], dtype=np.float64)
        yield JudgedImage(
            scores=scores[order],
            points=points.reshape(-1, len(sigmas), 3)[..., :2],
            truth=truth[..., :2],
            labelled=truth[..., 2] > 0,
            boxes=np.array([instance["bbox"] for instance in instances], dtype=np.float64).reshape(-1, 4),
            areas=np.array([instance["area"] for instance in instances], dtype=np.float64),
            ignored=np.array([instance["ignore"] for instance in instances], dtype=bool),
            crowd=np.array([instance["iscrowd"] for instance in instances], dtype=bool),
            oks=np.reshape(evaluation.ious[image_id, category], (len(order), len(instances))),
            sigmas=sigmas,
        )


def match_images(
    images: Sequence[JudgedImage], similarities: Sequence[Array], ignored: Sequence[Array], thresholds: Sequence[float]
) -> list[Array]:
    """Whom the predictions of images are matched to; see `bench.pose.metrics.matching.match`.

    Args:
        images: any number from 1.
        similarities: of each image, (predictions, instances, kinds).
        ignored: of each image, (instances, kinds) bool.
        thresholds: of the similarities.

    Returns:
        Of each image (predictions, kinds, thresholds), positions among its instances, -1 for nobody.
    """
    predictions, instances, kinds = np.transpose([similarity.shape for similarity in similarities])
    positions = np.arange(len(images))
    pairs = pairs_within_images(np.repeat(positions, predictions), np.repeat(positions, instances))
    flat = np.concatenate([similarity.reshape(-1, kinds[0]) for similarity in similarities])
    crowd = np.concatenate([image.crowd for image in images])
    matches = match(
        pairs,
        flat,
        ignored=np.concatenate(ignored),
        crowd=crowd,
        thresholds=thresholds,
        predictions=int(predictions.sum()),
    )
    matches -= np.where(matches < 0, 0, np.repeat(instances.cumsum() - instances, predictions)[:, None, None])
    return np.split(matches, predictions.cumsum()[:-1])


def keypoint_instances(evaluation: COCOeval) -> Array:
    """Number of instances who count and have the keypoint labelled, by keypoint, (keypoints,)."""
    (category,) = evaluation.params.catIds
    keypoints = len(evaluation.params.kpt_oks_sigmas)
    counted = [
        np.reshape(instance["keypoints"], (keypoints, 3))[:, 2] > 0
        for image_id in evaluation.params.imgIds
        for instance in evaluation._gts[image_id, category]
        if not instance["ignore"]
    ]
    return np.sum(counted, axis=0) if counted else np.zeros(keypoints, dtype=np.int64)
