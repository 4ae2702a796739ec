"""The work of trainings and evaluations, computed from their instances, pixels and networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.paper.published import TRAININGS
from bench.planning.plan import GIGA, complexity_of
from bench.pose.errors import BenchError
from bench.pose.models.network import Complexity
from bench.store.documents import Record, TrainingRecord
from bench.suite.specs import EvalSpec, TrainSpec

KINDS = {
    "crops": "a crop, with all other work per instance",
    "megapixels": "a megapixel decoded",
    "updates": "1e9 parameters updated",
    "training": "1e9 multiply-adds of a forward pass in training, with its backward pass",
    "forward": "1e9 multiply-adds of another forward pass",
}
"""Kinds of work, in the order of every work vector, with the unit of each price."""

PUBLISHED_INSTANCES: Mapping[tuple[str, str, str], int] = {
    **{(dataset, item.split, "gt"): item.instances for dataset, item in TRAININGS.items()},
    ("coco", "val2017", "gt"): 6_352,
    ("coco", "val2017", "detector"): 104_125,
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
    {
        "seed",
        "subset",
        "held_out",
        "train_subset",
        "epochs",
        "learning_rate",
        "learning_rate_factor",
        "milestones",
        "milestone_timing",
        "warmup_steps",
    }
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


class UnknownTimeError(BenchError):
    """The time of some work cannot be forecast; the message says why."""


class SplitSizes:
    """Number of instances of splits: from records, from a synthetic split's name, or as published."""

    def __init__(self, records: Iterable[TrainingRecord | Record] = ()) -> None:
        self._known: dict[tuple[str, str, str, int | None], int] = {
            (*whose, None): count for whose, count in PUBLISHED_INSTANCES.items()
        }
        for record in records:
            if isinstance(record, Record):
                evaluated = record.spec
                whose = (record.training.dataset, evaluated.split, evaluated.boxes, evaluated.subset)
                self._known[whose] = record.instances
            elif record.history and record.spec.train_subset is record.spec.held_out is None:
                trained = record.spec
                self._known[trained.dataset, trained.split, "gt", trained.subset] = record.history[-1].instances

    def count(self, dataset: str, split: str, boxes: str = "gt", subset: int | None = None) -> int:
        """Instances of a split with annotated ("gt") or detector boxes. Raises `UnknownTimeError` if unknown."""
        digits = split.lstrip("abcdefghijklmnopqrstuvwxyz")
        if dataset == "synthetic" and boxes == "gt" and subset is None and digits.isdecimal():
            return int(digits)
        if (dataset, split, boxes, subset) not in self._known:
            kind = "annotated instances" if boxes == "gt" else "detector boxes"
            part = "" if subset is None else f"the first {subset} images of "
            raise UnknownTimeError(f"the number of {kind} of {part}{dataset} {split} is unknown")
        return self._known[dataset, split, boxes, subset]


@dataclass(frozen=True, eq=False)
class WorkItem:
    """The work of a training or an evaluation.

    Attributes:
        key: equal for items that take the same time per unit.
        units: instances times epochs.
        network: name of the backbone.
        work: work vector in the order of `KINDS`, or the reason why it cannot be priced.
        devices: number of devices that it occupies.
    """

    key: tuple[Any, ...]
    units: int
    network: str
    work: Work | str
    devices: int = 1


def training_item(spec: TrainSpec, instances: SplitSizes) -> WorkItem:
    """The work of a training with its validations. Raises `UnknownTimeError` if the number of instances is unknown."""
    # A given number of instances is what is trained on, or else the training fails.
    count = spec.train_subset or instances.count(spec.dataset, spec.split, subset=spec.subset)
    if spec.train_subset is None and spec.held_out is not None:
        count -= instances.count(spec.dataset, spec.split, subset=spec.held_out)
    return WorkItem(
        _key(spec), count * spec.epochs, spec.backbone, _training_work(spec, count, instances), spec.world_size
    )


def _training_work(spec: TrainSpec, count: int, instances: SplitSizes) -> Work | str:
    if spec.world_size > 1:
        return _uncalibrated(spec)
    complexity, megapixels = complexity_of(spec), _megapixels(spec)
    work = training_work(
        complexity, instances=count, epochs=spec.epochs, batch_size=spec.batch_size, megapixels=megapixels
    )
    if spec.selection_split is None:
        return work
    try:
        predicted = instances.count(spec.dataset, spec.selection_split, subset=spec.selection_subset) * spec.epochs
    except UnknownTimeError as error:
        return str(error)
    return work + forward_work(complexity, instances=predicted, passes=VALIDATION_PASSES, megapixels=megapixels)


def evaluation_item(spec: EvalSpec, training: TrainSpec, instances: SplitSizes) -> WorkItem:
    """The work of an evaluation. Raises `UnknownTimeError` if the number of instances is unknown."""
    count = instances.count(training.dataset, spec.split, spec.boxes, spec.subset)
    key = (*_key(training), *(value for name, value in spec if name not in {"training", "subset"}))
    if training.world_size > 1:
        return WorkItem(key, count, training.backbone, _uncalibrated(training), training.world_size)
    work = forward_work(
        complexity_of(training), instances=count, passes=1 + spec.flip_test, megapixels=_megapixels(training)
    )
    return WorkItem(key, count, training.backbone, work)


def _key(spec: TrainSpec) -> tuple[Any, ...]:
    return tuple(value for name, value in spec if name not in SAME_COST)


def _megapixels(spec: TrainSpec) -> float:
    return MEGAPIXELS.get(spec.dataset, USUAL_MEGAPIXELS)


def _uncalibrated(spec: TrainSpec) -> str:
    """Prices are measured with one process."""
    return f"the time of a training with {spec.world_size} processes was never measured"
