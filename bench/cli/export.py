"""`bench export`: pack a suite's results into one file that others can verify, or the weights of a training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Only, Results, Set, Subset
from bench.cli.targets import MAX_NAMED, planner

ID = re.compile("[0-9a-f]{1,12}")


def export(
    suite: Annotated[
        Path,
        typer.Argument(
            metavar="SUITE|ID",
            help="Suite file (YAML), or name of an installed suite; for weights also the id of a training.",
            show_default=False,
        ),
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE.zip", help="The capsule.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE.safetensors", help="The weights of one finished training: the id's, or --only's."),
    ] = None,
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    predictions: Annotated[bool, typer.Option(help="Include predictions, which recomputing needs.")] = True,
    report: Annotated[bool, typer.Option(help="Include the suite's report.")] = True,
) -> None:
    """Pack records, specs, predictions, per-instance results and the report of a suite's finished evaluations into a
    capsule, or the weights of a training into a file of safetensors.

    `bench verify` recomputes a capsule from the predictions. Publish the printed sha256: hashes within the capsule do
    not protect against changes to it.
    """
    from bench.capsule.export import pack
    from bench.files import sha256
    from bench.store.folders import Store

    if out is None and weights is None:
        raise typer.BadParameter("one of them is needed", param_hint="--out, --weights")
    if weights is not None:
        if weights.suffix != ".safetensors":
            raise typer.BadParameter(f"writes safetensors, so call it FILE.safetensors, not {weights}")
        _export_weights(suite, weights, results, only, settings, subset)
    if out is None:
        return
    plan = planner(suite, results, only, settings, subset)()
    packed = pack(plan, Store(results), out, selection=only or [], predictions=predictions, report=report)
    if packed.manifest.simulated:
        typer.echo("SIMULATED: results in this capsule are made up; nothing was measured")
    typer.echo(f"{out}: {packed.evaluations} evaluations, {len(packed.manifest.missing)} missing")
    typer.echo(f"sha256 {sha256(out)}")


def _export_weights(
    target: Path, out: Path, results: Path, only: list[str] | None, settings: list[str] | None, subset: int | None
) -> None:
    """Write the weights of the training with an id, or of the only finished one of a suite's selected cells."""
    from bench.capsule.exported_weights import export_weights
    from bench.files import StoreError, sha256
    from bench.store.folders import Store
    from bench.suite.shipped import shipped_suites

    name = str(target)
    if not ID.fullmatch(name) or target.exists() or name in shipped_suites():
        plan = planner(target, results, only, settings, subset)()
        done = [training.spec.id for training in plan.trainings if training.state == "done"]
        if len(done) != 1:
            listed = f": {', '.join(done[:MAX_NAMED])}" if done else ""
            raise StoreError(
                f"--weights writes one training, and {len(done)} of those selected are finished{listed};"
                " choose one by --only, or give its id in place of the suite"
            )
        name = done[0]
    training = export_weights(Store(results), name, out)
    typer.echo(f"{out}: weights of training {training}")
    typer.echo(f"sha256 {sha256(out)}")
