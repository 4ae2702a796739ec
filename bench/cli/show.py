"""`bench show`: print everything known about a training or evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.options import AsJson, Results
from bench.files import printable

NO_VALUE = "–"
DIGITS = 6


def show(
    target: Annotated[str, typer.Argument(metavar="ID", help="Id of a training or evaluation, or its beginning.")],
    results: Results = Path("results"),
    suites: Annotated[
        Path, typer.Option(help="Folder of suites, to list those that plan it; without one, the installed.")
    ] = Path("suites"),
    as_json: AsJson = False,
) -> None:
    """Print everything known about a cell.

    Specs, state, metrics beside published ones, other seeds, provenance, diagnostics, failures, leases, files, the end
    of its log, and the command that makes it again.
    """
    from bench.compare.show import describe_cell
    from bench.planning.plan import describe_subset
    from bench.store.folders import Store

    sections = describe_cell(Store(results), target, suites)
    if as_json:
        typer.echo(json.dumps(sections, indent=2))
        return
    if sections.pop("simulated"):
        typer.echo("SIMULATED: made up by `bench simulate`; nothing was measured\n")
    typer.echo(f"{sections.pop('kind')} {sections.pop('id')}")
    sizes = {part.get("subset") for part in (sections["training"], sections.get("evaluation", {}))} - {None}
    if sizes:
        typer.echo(f"SUBSET: {describe_subset(sorted(sizes))}")
    for name, section in sections.items():
        typer.echo(printable(f"\n{name.replace('_', ' ')}\n{_indented(_text(section))}"))


def _text(section: Any) -> str:
    from tabulate import tabulate

    if isinstance(section, dict):
        rows = [(name, _value(value)) for name, value in section.items()]
        return tabulate(rows, tablefmt="plain", disable_numparse=True)
    if isinstance(section, list) and isinstance(section[0], dict):
        cells = [list(map(_value, row.values())) for row in section]
        headers = [name.replace("_", " ") for name in section[0]]
        return tabulate(cells, headers=headers, tablefmt="simple", disable_numparse=True)
    return "\n".join(map(str, section)) if isinstance(section, list) else str(section)


def _value(value: Any) -> str:
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
