"""The few people that an evaluation keeps for reports, with truth and prediction, as they are stored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.files import StoreError, read_json
from bench.pose.skeletons import Skeleton
from bench.store import EvaluationFolder

__all__ = ["Choice", "StoredPeople", "StoredPerson", "read_people"]

Choice = Literal["spread", "worst", "median"]
"""Why a person was kept: one of those spread over the split, of the lowest similarities, of those about the median."""

Joint = Annotated[tuple[float, float, float], Field(strict=False)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredPerson(_Stored):
    """One person as an evaluation keeps it for reports.

    Attributes:
        image_id: of the photograph in the dataset.
        annotation_id: of the person.
        choice: why this person was kept.
        file: the region round the person, relative to the evaluation's folder.
        truth: (x, y, v) per joint in px of that region; v = 0 is unlabelled.
        prediction: (x, y, confidence) per joint, None where nothing was predicted.
        oks: similarity of the two, None where it is not defined.
    """

    image_id: int
    annotation_id: int
    choice: Choice = "spread"
    file: str
    truth: list[Joint]
    prediction: list[Joint] | None
    oks: float | None


class StoredPeople(_Stored):
    """Contents of `people.json`."""

    skeleton: str
    people: list[StoredPerson]


def read_people(folder: EvaluationFolder, skeleton: Skeleton) -> StoredPeople | None:
    """The people that an evaluation keeps; None where it keeps none. Raises `StoreError` if they are unusable.

    Args:
        folder: of the evaluation.
        skeleton: of the dataset that it was made on.
    """
    file = folder.people_file
    contents = read_json(file)
    if contents is None:
        return None
    try:
        stored = StoredPeople.model_validate(contents)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{file}: {where}: {first['msg']}") from None
    if stored.skeleton != skeleton.name:
        raise StoreError(f"{file}: skeleton {stored.skeleton!r:.80}, expected {skeleton.name!r}")
    for person in stored.people:
        for joints in (person.truth, person.prediction):
            if joints is not None and len(joints) != skeleton.size:
                counts = f"{len(joints)} joints, {skeleton.name} has {skeleton.size}"
                raise StoreError(f"{file}: person {person.annotation_id} has {counts}")
    return stored
