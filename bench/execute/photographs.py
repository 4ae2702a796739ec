"""A few validation people with truth and prediction, small enough to keep beside every record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.files import write_atomically, write_json
from bench.pose.data.images import read_image
from bench.pose.data.people import Person, Split
from bench.pose.errors import ImageError
from bench.pose.geometry import affine_matrix, box_to_center_scale, transform_points, warp
from bench.pose.metrics.oks import person_oks
from bench.store import EvaluationFolder

__all__ = ["store_photographs"]

COUNT = 8
HEIGHT = 224
ASPECTS = (160, 224, 288)
"""Widths, in px, of upright, square and lying photographs; the nearest to the person's box is taken."""

Array = npt.NDArray[Any]


def store_photographs(folder: EvaluationFolder, split: Split, results: Sequence[dict[str, Any]]) -> None:
    """Store people spread evenly over the split, the same ones for every evaluation of it.

    Each has its photograph around the box, the annotated joints, and the joints of the prediction in that image that
    is most similar, all in px of the stored photograph. People whose image cannot be read are passed over: the
    record lists them. None are stored of a split whose people are not published.
    """
    if not split.annotated:
        return
    by_image: dict[int, list[Array]] = {}
    for result in results:
        by_image.setdefault(result["image_id"], []).append(np.asarray(result["keypoints"]).reshape(-1, 3))
    shown = []
    for person in _choose(split.people(), split.skeleton.size):
        try:
            shown.append(_show(folder, split, person, by_image.get(person.image_id, [])))
        except ImageError:
            continue
    write_json(folder.people_file, {"skeleton": split.skeleton.name, "people": shown})


def _choose(people: Sequence[Person], joints: int) -> list[Person]:
    """People with most joints labelled, evenly spaced, in the split's order."""
    full = [person for person in people if person.visible.sum() > joints / 2] or list(people)
    positions = np.unique(np.linspace(0, len(full) - 1, COUNT).round().astype(int))
    return [full[position] for position in positions]


def _show(folder: EvaluationFolder, split: Split, person: Person, predictions: Sequence[Array]) -> dict[str, Any]:
    size = (HEIGHT, min(ASPECTS, key=lambda width: abs(width / HEIGHT - person.box[2] / max(person.box[3], 1))))
    matrix = affine_matrix(*box_to_center_scale(person.box, size), 0, size)
    photograph = warp(read_image(person.image), matrix, size)
    name = f"{person.annotation_id}.jpg"
    encoded = cv2.imencode(".jpg", photograph, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    write_atomically(folder.people_folder / name, lambda file: file.write(encoded.tobytes()), durable=False)
    scored = [(_oks(split, person, prediction), prediction) for prediction in predictions]
    oks, best = max(scored, key=lambda pair: pair[0], default=(None, None))
    return {
        "image_id": person.image_id,
        "annotation_id": person.annotation_id,
        "file": f"people/{name}",
        "truth": _placed(np.column_stack([person.joints, person.visible]), matrix),
        "prediction": None if best is None else _placed(best, matrix),
        "oks": oks,
    }


def _oks(split: Split, person: Person, prediction: Array) -> float:
    return person_oks(prediction[:, :2], person.joints, person.visible, person.area, split.skeleton.sigmas)


def _placed(keypoints: Array, matrix: Array) -> list[list[float]]:
    points = np.column_stack([transform_points(keypoints[:, :2], matrix), keypoints[:, 2]])
    return [[round(float(value), 2) for value in point] for point in points]
