"""`bench conform`: check an extension's entry as the built-in ones are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson, DataRoot, ExtensionModules, OfSuite
from bench.cli.outcomes import print_outcomes


def conform(
    name: Annotated[
        str,
        typer.Argument(help="Name of a backbone, representation, dataset, metric, executor, format or logger."),
    ],
    extension: ExtensionModules = None,
    suite: OfSuite = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="backbone, representation, dataset, metric, executor, format or logger: needed if several have a name."
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Split of a dataset, may be repeated; default: the suite's, or those under --data-root."),
    ] = None,
    data_root: DataRoot = Path("data"),
    profile: Annotated[Path | None, typer.Option(help="Profile of the cluster, for executors that need one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the checks that every built-in entry passes on an extension's entry, or on a built-in one.

    Prints one line per check: ok, failed or skipped, what was checked, and what was found. Errors of the entry are
    reported with file and line. Ends 0 if all checks hold, 1 if some fail, 3 if there is no such entry or the input is
    unusable.

    Backbones are built small, trained for a few steps and measured; representations encode, fit and decode; datasets
    are read, or generated in place; metrics and formats get made-up instances and records; executors run a training
    of seconds in a temporary folder; loggers are told of made-up trainings, and the built-in ones kept from servers. An
    executor that needs a profile runs only if it is given: it submits jobs.
    """
    import bench.cli.execution  # registers local and slurm
    import bench.execute.loggers  # noqa: F401  # registers the built-in ones
    from bench.checks import run_checks, source_of
    from bench.conformance.kinds import Surroundings, find_kind
    from bench.extensions import Extensions
    from bench.suite.schema import load_suite

    Extensions.of(extension or []).load()
    used = load_suite(suite).dataset if suite is not None else None
    defined = None if used is None else (used.info, tuple(dict.fromkeys([used.train, used.eval])))
    around = Surroundings(data_root, tuple(split or ()), defined, profile)
    found = find_kind(name, kind, around)
    checks = found.checks(name, around)
    outcomes = run_checks(checks, source_of(found.registry.origin(name)))
    print_outcomes(checks, outcomes, as_json=as_json, name=name)
