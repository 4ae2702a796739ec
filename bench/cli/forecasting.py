"""Forecasts of plans as text and JSON, shared by `plan`, `run` and `report`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from bench.cli.listing import hours
from bench.planning.forecast.evidence import UNMEASURED, Evidence, gather, kind_here, load_calibration
from bench.planning.forecast.forecast import CALIBRATE, Forecast, Unknown, affordable, forecast, total
from bench.planning.jobs import LocalOptions, devices
from bench.planning.plan import Plan, PlannedTraining
from bench.pose.machine import bfloat16_instructions
from bench.store.folders import Store

Forecasts = Mapping[str, Forecast | Unknown]
"""Forecasts of unfinished trainings by their ids."""


def gather_evidence(results: Path, options: LocalOptions, calibration: Path | None) -> Evidence:
    """Measurements on a calibration's hardware, or on this machine's as used with the options."""
    given = load_calibration(calibration) if calibration else None
    return gather(Store(results), given.kind if given else kind_here(options), given)


def forecast_plans(
    plans: Iterable[Plan], results: Path, options: LocalOptions, calibration: Path | None
) -> tuple[Forecasts, str]:
    """Forecasts of all unfinished trainings of the plans, and the unit of their hours."""
    unfinished = {training.spec.id: training for plan in plans for training in plan.unfinished}
    if not unfinished:
        return {}, ""
    evidence = gather_evidence(results, options, calibration)
    return {id_: forecast(training, evidence) for id_, training in unfinished.items()}, evidence.kind.unit


def describe_total(forecasts: Forecasts, trainings: Sequence[PlannedTraining], unit: str) -> list[str]:
    """Lines about the total of the unfinished trainings, and about those without a forecast."""
    left = {training.spec.id: training for training in trainings if training.spec.id in forecasts}
    found = [forecasts[id_] for id_ in left]
    known = [item for item in found if isinstance(item, Forecast)]
    lines = []
    if known:
        together = total(known)
        measured = sum(item.source == "measured" for item in known)
        sources = [f"{measured} as measured before"] if measured else []
        sources += [f"{len(known) - measured} by calibration"] if measured < len(known) else []
        lines.append(f"missing: {hours(together)} {unit}; trainings: {', '.join(sources)}")
    for reason in dict.fromkeys(item.reason for item in found if isinstance(item, Unknown)):
        number = sum(item == Unknown(reason) for item in found)
        hint = f"; {CALIBRATE}" if reason.startswith(UNMEASURED) else ""
        lines.append(f"no forecast of {number} training{'s' if number != 1 else ''}: {reason}{hint}")
    begun = sum(training.state in {"running", "interrupted"} for training in left.values())
    if begun and known:
        lines.append(f"{begun} of these have started and are counted as a whole")
    return lines


def describe_precision(trainings: Iterable[PlannedTraining], options: LocalOptions) -> list[str]:
    """A line about bfloat16 where float32 trainings are left for a processor that is made for it."""
    instructions = bfloat16_instructions()
    left = any(training.spec.precision == "float32" for training in trainings)
    if not left or not instructions or devices(options.device) != ["cpu"]:
        return []
    return [
        f"this processor has {instructions}: by --set precision=bfloat16, HRNet-W32 trained 1.9 and SimBa-Res50 2.1"
        " times as fast elsewhere, MobileNetV2 no faster (`bench doctor` measures a convolution here). It is part of"
        " the identity"
    ]


def forecast_json(plan: Plan, forecasts: Forecasts) -> dict[str, Any]:
    """The documented form of `plan --json`: `as_json` with a forecast of each training, and of all together."""
    document = plan.as_json()
    for training in document["trainings"]:
        found = forecasts.get(training["id"])
        training["forecast"] = found.as_json() if isinstance(found, Forecast) else None
    left = [forecasts[training.spec.id] for training in plan.unfinished]
    together = total(left).as_json()
    del together["source"]
    document["forecast"] = together | {"unknown": sum(isinstance(item, Unknown) for item in left)}
    return document


def _divide(
    trainings: Sequence[PlannedTraining], budget: float, evidence: Evidence
) -> tuple[dict[str, Forecast | Unknown], dict[str, Forecast]]:
    """Forecasts of the first trainings, which fit into a budget of device-hours, and the known ones of the others.

    Raises:
        BudgetError: the time of a training is unknown.
    """
    forecasts = {training.spec.id: forecast(training, evidence) for training in trainings}
    number = affordable(trainings, [*forecasts.values()], budget)
    rest = [*forecasts.items()][number:]
    return dict([*forecasts.items()][:number]), {id_: item for id_, item in rest if isinstance(item, Forecast)}


def over_budget(plan: Plan, budget: float, evidence: Evidence) -> Mapping[str, str]:
    """Why waiting trainings do not fit into a budget of device-hours, by their ids; see `_divide`."""
    waiting = [training for training in plan.unfinished if not training.under_way]
    _, others = _divide(waiting, budget, evidence)
    rest = f"{evidence.kind.unit}, more than is left of {budget:g}"
    return {id_: f"over budget: {hours(item)} {rest}" for id_, item in others.items()}


def within_budget(
    plan: Plan, choose: Callable[[Plan], list[PlannedTraining]], budget: float, evidence: Evidence
) -> Callable[[Plan], list[PlannedTraining]]:
    """Restrict `choose` to the trainings that fit into a budget of device-hours, and print the others; see `_divide`.

    Trainings that other processes are running do not count.
    """
    chosen = [training for training in choose(plan) if not training.under_way]
    fitting, others = _divide(chosen, budget, evidence)
    unit = evidence.kind.unit
    spent = sum(item.bounds[1] for item in fitting.values() if isinstance(item, Forecast))
    typer.echo(f"budget of {budget:g} {unit}: {len(fitting)} of {len(chosen)} trainings, {spent:.3g} at most")
    for spec in (training.spec for training in chosen if training.spec.id in others):
        typer.echo(f"left out: {spec.id} {spec.title(plan.suite.varied)}: {hours(others[spec.id])} {unit}")
    return lambda later: [training for training in choose(later) if training.spec.id in fitting]
