"""Plans and states as tables on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer
from tabulate import tabulate

from bench.files import printable
from bench.planning.plan import BINARY_GIGA, GIGA, MILLION, Plan, PlannedTraining
from bench.planning.simulated import simulated_ids
from bench.store.folders import Store
from bench.suite.recipe import quirks

if TYPE_CHECKING:
    from bench.planning.forecast.forecast import Forecast, Unknown


CELL_HEADERS = ("training", "backbone", "representation", "input", "k", "sigma", "seed")

CELL_SETTINGS = ("backbone", "representation", "input_size", "split_ratio", "sigma", "seed")
"""Settings in these columns."""


def print_plan(plan: Plan, forecasts: Mapping[str, Forecast | Unknown] | None = None) -> None:
    """Print one line per training, with its forecast if given, and then the excluded cells."""
    typer.echo("\n".join([plan.suite.title, *plan.notes, ""]))
    others = _other_axes(plan)
    rows = [
        (*_cell(training, others), *_costs(training), *_hours(training, forecasts), *_states(training))
        for training in plan.trainings
    ]
    costs = ("#params", "GFLOPs", "as published", *(() if forecasts is None else ("hours",)))
    headers = (*CELL_HEADERS, *others, *costs, "state", "evaluations", "published rows")
    typer.echo(tabulate(rows, headers=headers, disable_numparse=True))
    typer.echo(f"\nswitches: {_switches(plan)}")
    typer.echo(summary(plan))
    for axes, reason in plan.excluded:
        typer.echo(f"excluded: {', '.join(f'{name}={value}' for name, value in axes.items())}: {reason}")


def print_sharing(plans: Sequence[Plan]) -> None:
    """Print what the suites need together, and which trainings several of them share."""
    users: dict[str, list[str]] = {}
    for plan in plans:
        for training in plan.trainings:
            users.setdefault(training.spec.id, []).append(plan.suite.name)
    rows = {row for plan in plans for training in plan.trainings for row in _published(training)}
    typer.echo(f"\ntogether: {len(users)} trainings, {len(rows)} published rows")
    for training_id, names in users.items():
        if len(names) > 1:
            typer.echo(f"shared: {training_id} by {', '.join(names)}")


def print_status(plan: Plan, store: Store) -> None:
    """Print one line per training with its progress or failure, and then totals."""
    others = _other_axes(plan)
    rows = [
        (*_cell(training, others), *_states(training)[:2], _activity(training, store)) for training in plan.trainings
    ]
    typer.echo(
        printable(
            tabulate(rows, headers=(*CELL_HEADERS, *others, "state", "evaluations", "activity"), disable_numparse=True)
        )
    )
    typer.echo("\n".join(["", summary(plan), *plan.notes]))
    print_simulation_note(plan, store)


def print_simulation_note(plan: Plan, store: Store) -> None:
    """Print how many of a plan's results are simulated, if any."""
    simulated = len(simulated_ids(plan, store))
    if simulated:
        typer.echo(f"SIMULATED: {simulated} of these results are made up by `bench simulate`; nothing was measured")


def summary(plan: Plan) -> str:
    """Number of trainings and evaluations by state."""
    trainings = _count(training.state for training in plan.trainings)
    evaluations = _count(spec.state for training in plan.trainings for spec in training.evaluations)
    return f"trainings: {trainings}; evaluations: {evaluations}"


def hours(found: Forecast) -> str:
    """Format the hours of a forecast and their bounds with three digits."""
    values = (found.hours, *found.bounds)
    expected, low, high = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values)
    return f"{expected} ({low} to {high})"


def _switches(plan: Plan) -> str:
    """Values of the quirk settings among the trainings."""
    found = {name: dict.fromkeys(item.spec.settings.get(name) for item in plan.trainings) for name in quirks()}
    used = {name: [str(value) for value in values if value is not None] for name, values in found.items()}
    return ", ".join(f"{name}={'|'.join(values)}" for name, values in used.items() if values)


def _count(found: Iterable[str]) -> str:
    states = Counter(found)
    return f"{states.total()} ({', '.join(f'{number} {state}' for state, number in sorted(states.items()))})"


def _other_axes(plan: Plan) -> tuple[str, ...]:
    """Axes of the suite that have no column of their own."""
    return tuple(name for name in plan.suite.axes if name not in CELL_SETTINGS)


def _cell(training: PlannedTraining, others: Sequence[str]) -> tuple[str, ...]:
    spec = training.spec
    k, sigma = (f"{spec.codec[name]:g}" if name in spec.codec else "" for name in ("split_ratio", "sigma"))
    found = spec.settings
    texts = ("" if (value := found.get(name)) is None else f"{value!s:.20}" for name in others)
    return (spec.id, spec.backbone, spec.representation, str(spec.input_size), k, sigma, str(spec.seed), *texts)


def _costs(training: PlannedTraining) -> tuple[str, ...]:
    cost = training.complexity
    return (
        f"{cost.params / MILLION:.1f}M",
        f"{cost.multiply_adds / GIGA:.2f}",
        f"{cost.published_convention / BINARY_GIGA:.2f}",
    )


def _hours(training: PlannedTraining, forecasts: Mapping[str, Forecast | Unknown] | None) -> tuple[str, ...]:
    """Cell of the forecast column, if there is one; empty for finished trainings."""
    if forecasts is None:
        return ()
    from bench.planning.forecast.forecast import Forecast  # imports numpy, which `status` does not need

    found = forecasts.get(training.spec.id)
    if isinstance(found, Forecast):
        return (hours(found),)
    return ("?" if found else "",)


def _states(training: PlannedTraining) -> tuple[str, ...]:
    done = sum(evaluation.state == "done" for evaluation in training.evaluations)
    return (training.state, f"{done}/{len(training.evaluations)}", ", ".join(_published(training)))


def _published(training: PlannedTraining) -> list[str]:
    return [row.id for evaluation in training.evaluations for row in evaluation.published]


def _activity(training: PlannedTraining, store: Store) -> str:
    """Progress of the training's job, or the reason why nothing is running."""
    parts = training.parts
    job = next((f"job {part.status.job}" for part in parts if part.status.job), "")
    reasons = list(dict.fromkeys(part.status.reason for part in parts if part.status.reason))
    if any(part.state == "running" for part in parts):
        from bench.execute.progress import describe

        progress = store.training(training.spec.id).job_progress()
        reasons = [describe(progress) if progress else "starting"]
    return "; ".join([job, *reasons] if job and not training.finished else reasons)
