"""Telling simulated results from measured ones, and keeping them in folders of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench.files import StoreError, load_document
from bench.planning.plan import Plan
from bench.store.documents import Record
from bench.store.folders import Store


class _Mark(BaseModel):
    """The mark of simulated records. Other fields are not validated, which takes a tenth of the time."""

    simulated: Any = False


def result_kinds(store: Store) -> Iterator[tuple[str, bool]]:
    """Id of each finished training and evaluation of a store, and whether it is simulated.

    Unreadable files are skipped; reading them elsewhere reports the error.
    """
    yield from _kinds((*store.root.glob("trainings/*/training.json"), *store.root.glob("evaluations/*/record.json")))


def simulated_ids(plan: Plan, store: Store) -> tuple[str, ...]:
    """Ids of a plan's trainings and evaluations whose results are simulated."""
    return tuple(id_ for id_, simulated in _kinds(_results(plan, store)) if simulated)


def refuse_simulated(store: Store) -> None:
    """Raise `StoreError` if a store holds simulated results: measured ones must not be mixed with them."""
    if any(simulated for _, simulated in result_kinds(store)):
        raise StoreError(f"{store.root} holds simulated results; give another folder with --results")


def refuse_simulated_record(record: Record) -> None:
    """Raise `StoreError` for a simulated record where a measured one is needed."""
    if record.simulated:
        raise StoreError(f"evaluation {record.id} is simulated: nothing was predicted")


def _results(plan: Plan, store: Store) -> Iterator[Path]:
    """Record files of a plan's finished trainings and evaluations."""
    for training in plan.trainings:
        if training.state == "done":
            yield store.training(training.spec.id).record_file
        yield from (store.evaluation(item.spec.id).record_file for item in training.evaluations if item.state == "done")


def _kinds(files: Iterable[Path]) -> Iterator[tuple[str, bool]]:
    """Id of the training or evaluation of each file that can be read, and whether it is simulated."""
    for file in files:
        with contextlib.suppress(StoreError):
            mark = load_document(file, _Mark)
            if mark is not None:
                yield file.parent.name, mark.simulated is True
