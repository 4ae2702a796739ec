"""A few validation people with truth and prediction, small enough to keep beside every record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from bench.files import write_atomically, write_json
from bench.pose.data.images import read_image
from bench.pose.data.people import Person, Split
from bench.pose.errors import ImageError
from bench.pose.geometry import affine_matrix, box_to_center_scale, transform_points, warp
from bench.pose.metrics.oks import person_oks
from bench.pose.metrics.pckh import head_distances, read_head_truth
from bench.store import EvaluationFolder

__all__ = ["store_photographs"]

COUNTS: Mapping[Literal["spread", "worst", "median"], int] = {"spread": 8, "worst": 4, "median": 4}
"""People stored, by why they were chosen."""

HEIGHT = 224
ASPECTS = (160, 224, 288)
"""Widths, in px, of upright, square and lying photographs; the nearest to the person's box is taken."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Predicted:
    """A person with the most similar prediction in the image, (joints, 3), and the OKS of it; None for neither."""

    person: Person
    prediction: Array | None
    oks: float | None


def store_photographs(folder: EvaluationFolder, split: Split, results: Sequence[dict[str, Any]]) -> None:
    """Store people spread evenly over the split, the same ones for every evaluation of it, the worst and the median.

    People with most joints labelled are chosen from. Who is worst, and who in the middle, is decided by the OKS of the
    most similar prediction in the image, 0 without any, and for MPII by the mean distance in head sizes; they come
    after those chosen for another reason, so nobody is stored twice.
    Each has the photograph around the box, the annotated joints, and the joints of the prediction in that image that
    is most similar, all in px of the stored photograph. People whose image cannot be read are passed over: the
    record lists them. None are stored of a split whose people are not published.
    """
    if not split.annotated:
        return
    people = _predicted(split, results)
    shown = []
    for choice, chosen in _choose(people, _errors(split, people)):
        try:
            shown.append(_show(folder, chosen) | {"choice": choice})
        except ImageError:
            continue
    write_json(folder.people_file, {"skeleton": split.skeleton.name, "people": shown})


def _predicted(split: Split, results: Sequence[dict[str, Any]]) -> list[_Predicted]:
    """People with most joints labelled, or with any if there are none, in the split's order."""
    by_image: dict[int, list[Array]] = {}
    for result in results:
        by_image.setdefault(result["image_id"], []).append(np.asarray(result["keypoints"]).reshape(-1, 3))
    people = [person for person in split.people() if person.visible.any()]
    full = [person for person in people if person.visible.sum() > split.skeleton.size / 2] or people
    return [_best(person, by_image.get(person.image_id, []), split.skeleton.sigmas) for person in full]


def _best(person: Person, predictions: Sequence[Array], sigmas: Sequence[float]) -> _Predicted:
    similarities = [
        person_oks(prediction[:, :2], person.joints, person.visible, person.area, sigmas) for prediction in predictions
    ]
    best = int(np.argmax(similarities)) if similarities else None
    return _Predicted(person, *((None, None) if best is None else (predictions[best], similarities[best])))


def _errors(split: Split, people: Sequence[_Predicted]) -> Array:
    """How wrong each person is, (people,), in the measure of the split's protocol."""
    if split.protocol != "mpii":
        return np.array([1 - (one.oks or 0.0) for one in people])
    truth = read_head_truth(split.truth_file)
    joints = np.full((*truth.joints.shape[:2], 2), np.nan)
    for one in people:
        if one.prediction is not None:
            joints[one.person.annotation_id] = one.prediction[:, :2]
    distances = np.where(truth.visible, head_distances(joints, truth), 0).sum(axis=1)
    means = distances / np.maximum(truth.visible.sum(axis=1), 1)
    return np.nan_to_num(means, nan=np.inf)[[one.person.annotation_id for one in people]]


def _choose(people: Sequence[_Predicted], errors: Array) -> Iterator[tuple[str, _Predicted]]:
    """People by why they were chosen: evenly spaced, with the largest errors, with those nearest to the median."""
    by_error = np.argsort(-errors, kind="stable")
    ranks = np.empty(len(people))
    ranks[by_error] = np.arange(len(people))
    orders = {
        "spread": np.unique(np.linspace(0, len(people) - 1, COUNTS["spread"]).round().astype(int))[: len(people)],
        "worst": by_error,
        "median": np.argsort(abs(ranks - (len(people) - 1) / 2), kind="stable"),
    }
    taken: set[int] = set()
    for choice, count in COUNTS.items():
        fresh = [position for position in orders[choice].tolist() if position not in taken][:count]
        taken.update(fresh)
        yield from ((choice, people[position]) for position in fresh)


def _show(folder: EvaluationFolder, chosen: _Predicted) -> dict[str, Any]:
    person = chosen.person
    size = (HEIGHT, min(ASPECTS, key=lambda width: abs(width / HEIGHT - person.box[2] / max(person.box[3], 1))))
    matrix = affine_matrix(*box_to_center_scale(person.box, size), 0, size)
    photograph = warp(read_image(person.image), matrix, size)
    name = f"{person.annotation_id}.jpg"
    encoded = cv2.imencode(".jpg", photograph, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    write_atomically(folder.people_folder / name, lambda file: file.write(encoded.tobytes()), durable=False)
    return {
        "image_id": person.image_id,
        "annotation_id": person.annotation_id,
        "file": f"people/{name}",
        "truth": _placed(np.column_stack([person.joints, person.visible]), matrix),
        "prediction": None if chosen.prediction is None else _placed(chosen.prediction, matrix),
        "oks": chosen.oks,
    }


def _placed(keypoints: Array, matrix: Array) -> list[list[float]]:
    points = np.column_stack([transform_points(keypoints[:, :2], matrix), keypoints[:, 2]])
    return [[round(float(value), 2) for value in point] for point in points]
