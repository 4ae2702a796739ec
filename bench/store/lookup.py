"""Cells of a results folder by their ids: a training, or an evaluation with its training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from bench.files import StoreError, load_document
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import EvaluationFolder, Store
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["StoredCell", "look_up", "seeds_of"]

DocumentT = TypeVar("DocumentT", bound=BaseModel)


@dataclass(frozen=True)
class StoredCell:
    """A training, or an evaluation with its training, as the store holds it.

    Attributes:
        training: its spec.
        evaluation: likewise; None for a training.
        training_record: None until it is finished.
        record: of the evaluation; None until it is finished.
    """

    training: TrainSpec
    evaluation: EvalSpec | None
    training_record: TrainingRecord | None
    record: Record | None

    @property
    def id(self) -> str:
        """Of the evaluation, or else of the training."""
        return self.evaluation.id if self.evaluation is not None else self.training.id

    @property
    def simulated(self) -> bool:
        """Whether a result of it is made up."""
        return any(record is not None and record.simulated for record in (self.record, self.training_record))


def look_up(store: Store, prefix: str) -> StoredCell:
    """The training or evaluation whose id starts so.

    Raises:
        StoreError: none or several do, a file of it cannot be read, or its spec is not in the store.
    """
    folder = store.find(prefix)
    if not isinstance(folder, EvaluationFolder):
        record = folder.record()
        return StoredCell(_training_spec(store, folder.path.name, record), None, record, None)
    result, spec = folder.record(), folder.spec()
    if spec is None:
        raise StoreError(f"{folder.path}: holds no spec, so that its training is not known")
    training_record = store.training(spec.training).record()
    training = result.training if result is not None else _training_spec(store, spec.training, training_record)
    return StoredCell(training, spec, training_record, result)


def seeds_of(store: Store, cell: StoredCell) -> list[StoredCell]:
    """Cells that differ from one in nothing but the seed, itself among them, by seed.

    What cannot be read is passed over: whoever asks for it hears what is wrong.
    """
    trainings = {
        spec.id: spec
        for spec in _specs(store.trainings, TrainSpec)
        if spec.model_dump(exclude={"seed"}) == cell.training.model_dump(exclude={"seed"})
    }
    if cell.evaluation is None:
        ids = list(trainings)
    else:
        way = cell.evaluation.model_dump(exclude={"training"})
        ids = [
            spec.id
            for spec in _specs(store.evaluations, EvalSpec)
            if spec.training in trainings and spec.model_dump(exclude={"training"}) == way
        ]
    found = []
    for id_ in ids:
        with contextlib.suppress(StoreError):
            found.append(look_up(store, id_))
    return sorted(found, key=lambda other: (other.training.seed, other.id))


def _training_spec(store: Store, id_: str, record: TrainingRecord | None) -> TrainSpec:
    if record is not None:
        return record.spec
    file = store.training(id_).path / "spec.json"
    spec = load_document(file, TrainSpec)
    if spec is None:
        raise StoreError(f"{file}: there is no such file, so that the training is not known")
    return spec


def _specs(folder: Path, kind: type[DocumentT]) -> Iterator[DocumentT]:
    for file in sorted(folder.glob("*/spec.json")):
        with contextlib.suppress(StoreError):
            spec = load_document(file, kind)
            if spec is not None:
                yield spec
