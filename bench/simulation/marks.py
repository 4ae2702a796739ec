"""Telling simulated results from measured ones, and keeping them in folders of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.files import StoreError, read_json
from bench.plan import Plan
from bench.store import Record, Store

__all__ = ["refuse_simulated", "refuse_simulated_record", "result_kinds", "simulated_ids"]


def result_kinds(store: Store) -> Iterator[tuple[str, bool]]:
    """Id of each finished training and evaluation of a store, and whether it is simulated.

    Files that cannot be read are passed over: whoever needs them hears what is wrong.
    """
    for file in (*store.root.glob("trainings/*/training.json"), *store.root.glob("evaluations/*/record.json")):
        with contextlib.suppress(StoreError):
            contents = read_json(file)
            if isinstance(contents, dict):
                yield file.parent.name, contents.get("simulated") is True


def simulated_ids(plan: Plan, store: Store) -> tuple[str, ...]:
    """Ids of a plan's trainings and evaluations whose results are simulated."""
    planned = [part.spec.id for training in plan.trainings for part in training.parts]
    simulated = {id_ for id_, is_simulated in result_kinds(store) if is_simulated}
    return tuple(id_ for id_ in planned if id_ in simulated)


def refuse_simulated(store: Store) -> None:
    """Raise `StoreError` if a store holds simulated results: nothing is to be measured among them."""
    if any(simulated for _, simulated in result_kinds(store)):
        raise StoreError(f"{store.root} holds simulated results; give another folder with --results")


def refuse_simulated_record(record: Record) -> None:
    """Raise `StoreError` for a simulated record where only a measured one will do."""
    if record.simulated:
        raise StoreError(f"evaluation {record.id} is simulated: nothing was predicted")
