"""`bench doctor`: check this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson, DataRoot, Results
from bench.cli.outcomes import print_outcomes


def doctor(
    data_root: DataRoot = Path("data"),
    results: Results = Path("results"),
    profile: Annotated[Path | None, typer.Option(help="SLURM profile to check as well.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Check versions, devices, folders, data and SLURM, and explain how to fix problems.

    Nothing is changed. Ends 0 if there are at most warnings, and 1 if a check fails.
    """
    from bench.doctor.installation import all_checks
    from bench.doctor.isolation import run_isolated

    checks = all_checks(data_root=data_root, results=results, profile=profile)
    print_outcomes(checks, run_isolated(checks), as_json=as_json)
