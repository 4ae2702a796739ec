"""Plans a command's suite, and selects its trainings by id and state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from bench.pose.errors import UnknownNameError

if TYPE_CHECKING:
    from bench.planning.plan import Plan, PlannedTraining


MAX_NAMED = 20

Ids = Annotated[
    list[str] | None,
    typer.Option("--id", help="Only trainings or evaluations with this id or beginning of an id; may be repeated."),
]
States = Annotated[
    list[str] | None, typer.Option("--state", metavar="STATE[,STATE]", help="Only trainings in these states.")
]


def planner(
    suite: Path,
    results: Path,
    only: Sequence[str] | None = None,
    settings: Sequence[str] | None = None,
    subset: int | None = None,
) -> Callable[[], Plan]:
    """Check a suite and the options to choose its cells; returns a function that plans these cells as they are."""
    from bench.planning.plan import make_plan, parse_selection
    from bench.store.folders import Store
    from bench.suite.overrides import override
    from bench.suite.schema import load_suite

    loaded = override(load_suite(suite), [*(settings or []), *([] if subset is None else [f"subset={subset}"])])
    selection = parse_selection(only or [], loaded)
    return lambda: make_plan(loaded, Store(results), selection)


def parse_states(items: Sequence[str]) -> set[str]:
    """States from comma-separated lists. Raises `UnknownNameError`."""
    from bench.store.documents import State

    names = {name for item in items for name in item.split(",")}
    for name in sorted(names - set(get_args(State))):
        raise UnknownNameError("state", name, get_args(State))
    return names


def matching(plan: Plan, ids: Sequence[str], states: set[str]) -> list[PlannedTraining]:
    """Trainings of a plan that have, or have an evaluation with, one of the ids and states. Empty means any.

    Raises:
        UnknownNameError: the plan has no such id.
    """
    known = [part.spec.id for training in plan.trainings for part in training.parts]
    for prefix in ids:
        if not any(id_.startswith(prefix) for id_ in known):
            raise UnknownNameError("id", prefix, known[:MAX_NAMED])
    return [
        training
        for training in plan.trainings
        if (not ids or any(part.spec.id.startswith(tuple(ids)) for part in training.parts))
        and (not states or any(part.state in states for part in training.parts))
    ]
