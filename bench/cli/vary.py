"""`bench vary`: what an evaluation would have found under other protocols, without its network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.devices import require_device
from bench.cli.exits import Exit
from bench.cli.options import AllowLinks, DataRoot, Device, ExtensionModules, Only, Results, Set, Workers

if TYPE_CHECKING:
    from bench.execute.job import Job, Resources
    from bench.execute.variation import Variation
    from bench.store.folders import Store
    from bench.suite.specs import EvalSpec

    Target = tuple[Job, EvalSpec]


def vary(
    target: Annotated[str, typer.Argument(metavar="SUITE|ID", help="Suite, or id of an evaluation, or its beginning.")],
    results: Results = Path("results"),
    data_root: DataRoot = Path("data"),
    only: Only = None,
    settings: Set = None,
    device: Device = "cpu",
    workers: Workers = None,
    allow_links: AllowLinks = False,
    extensions: ExtensionModules = None,
) -> None:
    """Measure finished evaluations again with one choice of the protocol changed at a time.

    Changed are flip test and its shift, refinement, rules and thresholds for scores and suppression, and the evaluator;
    the other boxes are listed where they were measured. Each variant is an evaluation with an id and a record of its
    own, made from the network's outputs that `bench run --store-outputs` kept; where there are none, the network runs
    once. `bench report` then prints how far each choice moves the number, with intervals, and the claims that hang on
    one.
    """
    from bench.execute.job import Resources
    from bench.execute.variation import vary as vary_evaluation
    from bench.planning.jobs import LocalOptions, devices
    from bench.pose.errors import BenchError
    from bench.pose.machine import usable_cores
    from bench.store.folders import Store

    require_device(device)
    store = Store(results.absolute())
    resources = Resources(
        data_root=data_root.absolute(),
        results=results.absolute(),
        device=devices(device)[0],
        threads=usable_cores(),
        workers=LocalOptions(device, workers=workers).workers_of(1),
        save_every=60.0,
        allow_links=allow_links,
    )
    is_suite = _is_suite(target)
    if is_suite and extensions:
        raise typer.BadParameter("goes with an id; a suite names its own", param_hint="--extension")
    if not is_suite and (only or settings):
        raise typer.BadParameter("goes with a suite", param_hint="--only" if only else "--set")
    if is_suite:
        found = _of_suite(target, store, resources, only, settings)
    else:
        found = _of_id(target, store, resources, extensions)
    failed = False
    for job, spec in found:
        try:
            _print(vary_evaluation(job, spec, store, typer.echo), job.title)
        except BenchError as error:
            typer.echo(f"{spec.id}: {error}", err=True)
            failed = True
    if failed:
        raise typer.Exit(Exit.FAILED)


def _is_suite(target: str) -> bool:
    from bench.suite.shipped import shipped_suites

    return target.endswith((".yaml", ".yml")) or target in shipped_suites() or Path(target).exists()


def _of_suite(
    target: str, store: Store, resources: Resources, only: list[str] | None, settings: list[str] | None
) -> Iterator[Target]:
    """The finished evaluations of a suite. Raises `StoreError` where there is none."""
    from bench.cli.targets import planner
    from bench.files import StoreError
    from bench.planning.jobs import make_job

    plan = planner(Path(target), store.root, only, settings)()
    plan.suite.extensions.load()
    done = [
        (make_job(plan, training, resources).model_copy(update={"command": f"python -m bench vary {target}"}), one.spec)
        for training in plan.trainings
        for one in training.evaluations
        if one.state == "done"
    ]
    if not done:
        raise StoreError(
            f"{store.root}: no evaluation of {plan.suite.name} is finished; `bench run {target}` makes them"
        )
    missing = sum(len(training.evaluations) for training in plan.trainings) - len(done)
    if missing:
        typer.echo(f"not finished, and left out: {missing} evaluations")
    for job, spec in done:
        record = store.evaluation(spec.id).record()
        if record is not None and record.scored_by == "server":
            typer.echo(f"{spec.id}: only a server can score {spec.split}, so it is left out")
        else:
            yield job, spec


def _of_id(target: str, store: Store, resources: Resources, extensions: list[str] | None) -> Iterator[Target]:
    from bench.execute.job import Job
    from bench.extensions import Extensions

    own = Extensions.of(extensions or ())
    own.load()
    _, record = store.finished_evaluation(target)
    command = f"python -m bench vary {record.id}"
    yield (
        Job(training=record.training, evaluations=(), resources=resources, command=command, extensions=own),
        record.spec,
    )


def _print(variation: Variation, title: str) -> None:
    """The variants of a training's evaluation by how far they move the headline metric."""
    from tabulate import tabulate

    from bench.analysis.formatting import format_difference, metric_name

    name, metric = metric_name(variation.metric), variation.metric
    base = variation.base.metrics[metric]
    spec = variation.base.spec
    typer.echo(
        f"{spec.id} {title}, {spec.boxes} boxes: {name} {_metric(metric, base)}, decoded from stored outputs"
        f" {_metric(metric, variation.decoded)}"
    )
    rows = []
    for variant, record in variation.variants:
        value = record.metrics.get(metric)
        moved = None if value is None or base is None else value - base
        text = "–" if moved is None else format_difference(metric, moved)
        cells = (variant.setting, variant.words, _metric(metric, value), text, record.id)
        rows.append((abs(moved or 0.0), cells))
    rows.sort(key=lambda row: -row[0])
    headers = ("setting", "value", name, "moves it by", "evaluation")
    typer.echo(tabulate([cells for _, cells in rows], headers=headers, disable_numparse=True))
    typer.echo(f"{len(rows)} variants, {variation.made} measured now, in {variation.seconds:.1f} s\n")


def _metric(metric: str, value: float | None) -> str:
    from bench.analysis.formatting import DASH, format_metric

    return DASH if value is None else format_metric(metric, value)
