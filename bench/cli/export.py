"""`bench export`: pack a suite's results into one file that others can verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Only, Results, Set, Subset, SuiteFile
from bench.cli.targets import planner


def export(
    suite: SuiteFile,
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="The capsule.")],
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    predictions: Annotated[bool, typer.Option(help="Include predictions, which recomputing needs.")] = True,
    report: Annotated[bool, typer.Option(help="Include the suite's report.")] = True,
) -> None:
    """Pack records, specs, predictions, per-instance results and the report of a suite's finished evaluations into a
    capsule.

    `bench verify` recomputes it from the predictions. Publish the printed sha256 of the capsule: hashes within the file
    do not protect against changes to it.
    """
    from bench.capsule.export import pack
    from bench.files import sha256
    from bench.store.folders import Store

    plan = planner(suite, results, only, settings, subset)()
    packed = pack(plan, Store(results), out, selection=only or [], predictions=predictions, report=report)
    if packed.manifest.simulated:
        typer.echo("SIMULATED: results in this capsule are made up; nothing was measured")
    typer.echo(f"{out}: {packed.evaluations} evaluations, {len(packed.manifest.missing)} missing")
    typer.echo(f"sha256 {sha256(out)}")
