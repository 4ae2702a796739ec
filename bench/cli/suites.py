"""`bench suites`: the suites that are installed with the package."""

from __future__ import annotations

import json
from typing import Any

import typer

from bench.cli.options import AsJson


def suites(as_json: AsJson = False) -> None:
    """List the installed suites, which every command takes by name. Reads only their files."""
    from tabulate import tabulate

    from bench.suite.expansion import expand
    from bench.suite.schema import load_suite
    from bench.suite.shipped import shipped_suites

    rows: list[dict[str, Any]] = []
    for name, file in shipped_suites().items():
        suite = load_suite(file)
        cells, data = expand(suite).cells, suite.dataset
        rows.append(
            {
                "suite": name,
                "title": suite.title,
                "trainings": len(cells),
                "evaluations": sum(len(cell.evaluations) for cell in cells),
                "data": f"{data.name}: {data.train}, {data.eval}",
            }
        )
    typer.echo(json.dumps(rows, indent=2) if as_json else tabulate(rows, headers="keys"))
