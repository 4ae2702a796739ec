"""`bench checklist`: a venue's reproducibility checklist, answered from the records of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Only, Results, Set, Subset, SuiteFile
from bench.cli.rates import PricePerHour, Watts, parse_power, parse_price
from bench.cli.targets import planner

ENDINGS = {"": "md", ".md": "md", ".tex": "tex"}


def checklist(
    suite: SuiteFile,
    venue: Annotated[str, typer.Option(help="neurips, cvpr, aaai or mlrc.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="FILE.md or FILE.tex; for AAAI, FILE.tex is written beside FILE.md.",
            show_default=False,
        ),
    ],
    results: Results = Path("results"),
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    price_per_hour: PricePerHour = None,
    watts: Watts = None,
) -> None:
    """Write a venue's reproducibility checklist, each item answered from the records of a suite or marked as yours.

    What an item asks for and the records do not hold is named as such; nothing is answered by guess. A suite that is
    not finished says what is missing.
    """
    if out.suffix not in ENDINGS:
        raise typer.BadParameter(
            f"writes Markdown or TeX, so call it FILE.md or FILE.tex, not {out}", param_hint="--out"
        )
    price, power = parse_price(price_per_hour), parse_power(watts)

    from bench.checklist.answers import answer
    from bench.checklist.checklist_data import ChecklistData
    from bench.checklist.render_checklist import RENDERERS, is_checklist
    from bench.checklist.venue import load_venue
    from bench.files import StoreError, printable, write_bytes
    from bench.store.folders import Store

    asked = load_venue(venue)
    files = {out.with_suffix(f".{form}"): form for form in asked.also} | {out: ENDINGS[out.suffix]}
    for file in files.keys() - {out}:
        if not is_checklist(file):
            raise StoreError(
                f"{file}: is there and no checklist of bench, and would be written too; choose another --out"
            )
    plan = planner(suite, results, only, settings, subset)()
    found = answer(asked, ChecklistData.collect(plan, Store(results), price=price, watts=power))
    if found.mark:
        typer.echo(found.mark)
    for file, form in files.items():
        write_bytes(file, RENDERERS[form](found).encode("utf-8", "replace"))
        typer.echo(file)
    for line in (*found.progress, found.counts):
        typer.echo(printable(line))
