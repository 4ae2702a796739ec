"""`bench check`: compare a suite's records with a committed baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import AsJson, Only, Results, Set, Subset, SuiteFile
from bench.cli.targets import planner
from bench.pose.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.analysis.results import Results as Measured
    from bench.compare.gate.baseline import Baseline
    from bench.compare.gate.gate_result import GateResult
    from bench.suite.schema import Suite


def check(
    suite: SuiteFile,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Earlier metrics of the suite (YAML or JSON); default: those installed with it, if there are."
        ),
    ] = None,
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    update: Annotated[bool, typer.Option("--update", help="Write the baseline from the records.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Output file for the verdicts as JUnit XML.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Output file for the verdicts in Markdown.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a suite's records with a baseline, metric by metric, by the limits that it declares.

    Ends 0 if all holds, 1 if something moved too far, 2 if something was not measured, 3 for unusable input. It reads
    records and runs nothing: `bench run` into an empty --results folder comes first. With --update nothing is compared:
    the records become the baseline, and its limits stay as they are.
    """
    from bench.analysis.results import read_results
    from bench.compare.gate.baseline import load_baseline
    from bench.compare.gate.cell_checks import compare_with_baseline
    from bench.compare.gate.gate_result import GateResult, other_code
    from bench.store.folders import Store
    from bench.suite.expansion import expand

    plan = planner(suite, results, only, settings, subset)()
    measured = read_results(plan, Store(results))
    known = [spec.id for cell in expand(plan.suite).cells for spec in cell.evaluations]
    file = _baseline_file(baseline, plan.suite, update=update)
    before = load_baseline(file, plan.suite.name) if file.exists() or not update else None
    if plan.suite.settings and before is not None:  # they make other ids; the baseline's cells are not gone
        others = [entry.id for entry in before.evaluations if entry.id not in known]
        if update and others:
            raise BenchError(
                f"{file}: is the baseline of other settings; leave out --set and --subset, or name a new file"
            )
        known += others
    if update or before is None:
        raise typer.Exit(_update(file, before, measured, known))
    checks = compare_with_baseline(before, measured, known)
    result = GateResult(plan.suite.name, str(suite), str(file), checks, (*plan.notes, *other_code(measured)))
    _write(result, junit, summary)
    typer.echo(json.dumps(result.as_json(), indent=2) if as_json else result.as_text())
    raise typer.Exit(result.status)


def _baseline_file(given: Path | None, suite: Suite, *, update: bool) -> Path:
    """The baseline. Raises `typer.BadParameter` if it is not given, and none is installed or it is to be written."""
    from bench.suite.shipped import shipped_baseline, suite_argument

    installed = None if update else shipped_baseline(suite.file)
    file = given or installed
    if file is None:
        reason = "--update writes it" if update else f"none is installed for {suite_argument(suite.file)}"
        raise typer.BadParameter(f"name the baseline's file: {reason}", param_hint="--baseline")
    return file


def _update(file: Path, before: Baseline | None, results: Measured, known: Sequence[str]) -> int:
    """Write the baseline and print the changes; returns the exit status."""
    from bench.compare.gate.baseline import save_baseline
    from bench.compare.gate.cell_checks import STATUS
    from bench.compare.gate.update import UpdateError, describe_changes, updated

    try:
        after = updated(before, results, known)
    except UpdateError as error:
        typer.echo(f"error: {error}", err=True)
        return STATUS[error.verdict]
    save_baseline(file, after)
    for line in describe_changes(before, after):
        typer.echo(line)
    typer.echo(f"{file}: written; look at the difference and commit it")
    return 0


def _write(result: GateResult, junit: Path | None, summary: Path | None) -> None:
    from bench.files import write_bytes

    if junit is not None:
        from bench.compare.gate.junit import render_junit

        write_bytes(junit, render_junit(result))
    if summary is not None:
        from bench.compare.gate.markdown import render_summary

        write_bytes(summary, render_summary(result).encode())
