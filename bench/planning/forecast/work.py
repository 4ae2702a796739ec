"""The work of trainings and evaluations, computed from their instances, pixels and networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.planning.plan import GIGA, complexity_of
from bench.pose.models.network import Complexity
from bench.store.documents import Record, TrainingRecord
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = [
    "KINDS",
    "MEGAPIXELS",
    "SplitSizes",
    "WorkItem",
    "evaluation_item",
    "forward_work",
    "training_item",
    "training_work",
]

KINDS = {
    "crops": "a crop, with all other work per instance",
    "megapixels": "a megapixel decoded",
    "updates": "1e9 parameters updated",
    "training": "1e9 multiply-adds of a forward pass in training, with its backward pass",
    "forward": "1e9 multiply-adds of another forward pass",
}
"""Kinds of work, in the order of every work vector, with the unit of each price."""

PUBLISHED_INSTANCES: Mapping[tuple[str, str, str], int] = {
    ("coco", "train2017", "gt"): 149_813,
    ("coco", "val2017", "gt"): 6_352,
    ("coco", "val2017", "detector"): 104_125,
    ("mpii", "train", "gt"): 22_246,
    ("mpii", "valid", "gt"): 2_958,
}
"""Number of instances by dataset, split and boxes, as the reference counts annotations or detector boxes."""

MEGAPIXELS: Mapping[str, float] = {
    "coco": 0.28,
    "crowdpose": 0.28,
    "mpii": 0.9,
    "lspet": 0.08,
    "synthetic": 160 * 208 / 1e6,
}
"""Mean image size, estimated from samples; synthetic images have one size. It affects decoding only."""

USUAL_MEGAPIXELS = 0.28
"""Image size of other datasets."""

VALIDATION_PASSES = 2
"""Forward passes per instance in validation: the reference uses flip testing there too."""

SAME_COST = frozenset(
    {"seed", "epochs", "learning_rate", "learning_rate_factor", "milestones", "milestone_timing", "warmup_steps"}
)
"""Settings of a training that do not change the time per instance."""

Work = npt.NDArray[np.float64]


def training_work(complexity: Complexity, *, instances: int, epochs: int, batch_size: int, megapixels: float) -> Work:
    """Work of a training, in the order of `KINDS`. `megapixels` is the size of one image."""
    crops = instances * epochs
    steps = math.ceil(instances / batch_size) * epochs
    trained = crops * complexity.multiply_adds / GIGA
    return np.array([crops, crops * megapixels, steps * complexity.params / GIGA, trained, 0])


def forward_work(complexity: Complexity, *, instances: int, passes: int, megapixels: float) -> Work:
    """Work of predicting instances with `passes` forward passes each, in the order of `KINDS`."""
    return np.array([instances, instances * megapixels, 0, 0, instances * passes * complexity.multiply_adds / GIGA])


class SplitSizes:
    """Number of instances of splits: from records, from a synthetic split's name, or as published."""

    def __init__(self, trainings: Iterable[TrainingRecord] = (), evaluations: Iterable[Record] = ()) -> None:
        self._known = dict(PUBLISHED_INSTANCES)
        for training in trainings:
            if training.history:
                self._known[training.spec.dataset, training.spec.split, "gt"] = training.history[-1].instances
        for record in evaluations:
            self._known[record.training.dataset, record.spec.split, record.spec.boxes] = record.instances

    def count(self, dataset: str, split: str, boxes: str = "gt") -> int | None:
        """Number of instances of a split with annotated ("gt") or detector boxes; None if unknown."""
        digits = split.lstrip("abcdefghijklmnopqrstuvwxyz")
        if dataset == "synthetic" and boxes == "gt" and digits.isdecimal():
            return int(digits)
        return self._known.get((dataset, split, boxes))


@dataclass(frozen=True, eq=False)
class WorkItem:
    """The work of a training or an evaluation.

    Attributes:
        key: equal for items that take the same time per unit.
        units: instances times epochs.
        network: name of the backbone.
        work: work vector in the order of `KINDS`; None if it cannot be priced.
        unknown: why it cannot be priced.
        devices: number of devices that it occupies.
    """

    key: tuple[Any, ...]
    units: int
    network: str
    work: Work | None
    unknown: str = ""
    devices: int = 1


def training_item(spec: TrainSpec, instances: SplitSizes) -> WorkItem | str:
    """The work of a training with its validations, or the reason why it is unknown."""
    count = instances.count(spec.dataset, spec.split)
    if count is None:
        return _uncounted(spec.dataset, spec.split, "gt")
    complexity, megapixels = complexity_of(spec), MEGAPIXELS.get(spec.dataset, USUAL_MEGAPIXELS)
    work = training_work(
        complexity, instances=count, epochs=spec.epochs, batch_size=spec.batch_size, megapixels=megapixels
    )
    unknown = _uncalibrated(spec)
    if spec.selection_split is not None:
        validated = instances.count(spec.dataset, spec.selection_split)
        if validated is None:
            unknown = _uncounted(spec.dataset, spec.selection_split, "gt")
        else:
            predicted = validated * spec.epochs
            work += forward_work(complexity, instances=predicted, passes=VALIDATION_PASSES, megapixels=megapixels)
    return WorkItem(
        _key(spec), count * spec.epochs, spec.backbone, None if unknown else work, unknown, devices=spec.world_size
    )


def evaluation_item(spec: EvalSpec, training: TrainSpec, instances: SplitSizes) -> WorkItem | str:
    """The work of an evaluation, or the reason why it is unknown."""
    count = instances.count(training.dataset, spec.split, spec.boxes)
    if count is None:
        return _uncounted(training.dataset, spec.split, spec.boxes)
    work = forward_work(
        complexity_of(training),
        instances=count,
        passes=1 + spec.flip_test,
        megapixels=MEGAPIXELS.get(training.dataset, USUAL_MEGAPIXELS),
    )
    ways = tuple(value for name, value in spec if name != "training")
    unknown = _uncalibrated(training)
    return WorkItem(
        (*_key(training), *ways),
        count,
        training.backbone,
        None if unknown else work,
        unknown,
        devices=training.world_size,
    )


def _key(spec: TrainSpec) -> tuple[Any, ...]:
    return tuple(value for name, value in spec if name not in SAME_COST)


def _uncalibrated(spec: TrainSpec) -> str:
    """Why prices, which are measured with one process, do not apply; empty if they do."""
    size = spec.world_size
    return "" if size == 1 else f"the time of a training with {size} processes was never measured"


def _uncounted(dataset: str, split: str, boxes: str) -> str:
    kind = "annotated instances" if boxes == "gt" else "detector boxes"
    return f"the number of {kind} of {dataset} {split} is unknown"
