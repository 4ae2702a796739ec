"""The few instances that an evaluation keeps for reports, with truth and prediction, as they are stored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.files import StoreError, read_json
from bench.pose.skeletons import Skeleton
from bench.store.folders import EvaluationFolder

Choice = Literal["spread", "worst", "median"]
"""Why an instance was kept: spread over the split, among the lowest similarities, or near the median."""

StoredKeypoint = Annotated[tuple[float, float, float], Field(strict=False)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredInstance(_Stored):
    """One instance as an evaluation keeps it for reports.

    Attributes:
        image_id: of the image in the dataset.
        annotation_id: of the instance.
        choice: why this instance was kept.
        file: the image region around the instance, relative to the evaluation's folder.
        truth: (x, y, v) per keypoint in px of that region; v = 0 is unlabelled.
        prediction: (x, y, confidence) per keypoint, None where nothing was predicted.
        oks: object keypoint similarity of the two, None where it is not defined.
    """

    image_id: int
    annotation_id: int
    choice: Choice = "spread"
    file: str
    truth: list[StoredKeypoint]
    prediction: list[StoredKeypoint] | None
    oks: float | None


class StoredInstances(_Stored):
    """Contents of `instances.json`."""

    skeleton: str
    instances: list[StoredInstance]


def read_instances(folder: EvaluationFolder, skeleton: Skeleton) -> StoredInstances | None:
    """The instances that an evaluation keeps; None where it keeps none. Raises `StoreError` if they are unusable.

    Args:
        folder: of the evaluation.
        skeleton: of the dataset that it was made on.
    """
    file = folder.instances_file
    contents = read_json(file)
    if contents is None:
        return None
    try:
        stored = StoredInstances.model_validate(contents)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{file}: {where}: {first['msg']}") from None
    if stored.skeleton != skeleton.name:
        raise StoreError(f"{file}: skeleton {stored.skeleton!r:.80}, expected {skeleton.name!r}")
    for instance in stored.instances:
        for keypoints in (instance.truth, instance.prediction):
            if keypoints is not None and len(keypoints) != skeleton.size:
                counts = f"{len(keypoints)} keypoints, {skeleton.name} has {skeleton.size}"
                raise StoreError(f"{file}: instance {instance.annotation_id} has {counts}")
    return stored
