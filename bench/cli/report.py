"""`bench report`: tables, claims, plots and images of suites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import typer

from bench.cli.options import CalibrationFile, ExtensionModules, Only, Results, Set, Subset
from bench.cli.rates import PricePerHour, Watts, parse_power, parse_price
from bench.cli.targets import planner
from bench.pose.errors import nearest
from bench.report.figure_options import REPORT, VENUES, FigureKind

if TYPE_CHECKING:
    from bench.planning.plan import Plan

NameT = TypeVar("NameT", bound=str)

Budget = Annotated[
    float | None,
    typer.Option(
        metavar="HOURS",
        min=0,
        help="Mark missing cells whose trainings do not fit into this many device-hours, counted as in `bench run"
        " --budget`, as over budget.",
    ),
]


RESULTS = Path("results")


def report(
    suites: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Suite files, or names of installed suites; default: all in suites/, or else all installed."
        ),
    ] = None,
    results: Results = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("reports"),
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: md, html, pdf, csv, tex.")
    ] = "md,html,pdf,csv,tex",
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    budget: Budget = None,
    calibration: CalibrationFile = None,
    style: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.mplstyle", help="Style file of matplotlib for the plots, on top of the built-in style."
        ),
    ] = None,
    price_per_hour: PricePerHour = None,
    watts: Watts = None,
    figures: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Write each figure as files of these kinds under figures/, with its numbers as CSV."
            " Comma-separated: pdf, svg, png.",
        ),
    ] = None,
    venue: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Draw figures as wide as the columns of a venue, with text of its small print: {', '.join(VENUES)}.",
        ),
    ] = None,
    capsule: Annotated[
        Path | None,
        typer.Option(metavar="FILE.zip", help="Capsule of `bench export` to report on, in place of a results folder."),
    ] = None,
    extensions: ExtensionModules = None,
) -> None:
    """Write the report of each suite from its records.

    With --capsule the report is made from a capsule alone: its hashes are checked as `bench verify` does, and code that
    its suite names never runs, but for the extensions that you name.
    """
    from bench.report.writer import write_report
    from bench.store.folders import Store

    names = [name.strip() for name in formats.split(",")]
    price, power = parse_price(price_per_hour), parse_power(watts)
    write = partial(
        write_report,
        out=out,
        formats=names,
        style=style,
        figures=_figure_kinds(figures),
        venue=REPORT if venue is None else VENUES[_known(venue.strip(), VENUES, "--venue")],
        price=price,
        watts=power,
    )
    if capsule is not None:
        given = {
            "SUITES": suites,
            "--results": results != RESULTS,
            "--only": only,
            "--set": settings,
            "--subset": subset,
            "--budget": budget is not None,
            "--calibration": calibration,
        }
        for name in filter(given.get, given):
            raise typer.BadParameter("a capsule says itself what it holds", param_hint=f"{name} beside --capsule")
        written = _of_capsule(capsule, extensions or (), write)
    else:
        if extensions:
            raise typer.BadParameter("goes with --capsule; a suite names its own", param_hint="--extension")
        plans = [planner(suite, results, only, settings, subset)() for suite in suites or _all_suites()]
        left_out = {} if budget is None else _over_budget(plans, results, budget, calibration)
        written = write(plans, Store(results), left_out=left_out)
    for file in written:
        typer.echo(file)


def _of_capsule(file: Path, extensions: Sequence[str], write: Callable[..., list[Path]]) -> list[Path]:
    from bench.capsule.unpacking import unpack
    from bench.extensions import Extensions

    Extensions.of(extensions).load()
    with unpack(file) as found:
        return write([found.plan], found.store, left_out=found.left_out, source=found.source)


def _over_budget(plans: Sequence[Plan], results: Path, budget: float, calibration: Path | None) -> dict[str, str]:
    """Why missing trainings were not run, by their ids, as far as that is the budget."""
    from bench.cli.forecasting import gather_evidence, over_budget
    from bench.planning.jobs import LocalOptions

    evidence = gather_evidence(results, LocalOptions(), calibration)
    return {id_: reason for plan in plans for id_, reason in over_budget(plan, budget, evidence).items()}


def _figure_kinds(text: str | None) -> list[FigureKind]:
    return [] if text is None else [_known(name.strip(), get_args(FigureKind), "--figures") for name in text.split(",")]


def _known(name: str, valid: Iterable[NameT], option: str) -> NameT:
    """The name that is meant. Raises `typer.BadParameter` with the nearest one for a name that is not valid."""
    names = {str(one): one for one in valid}
    if name not in names:
        hint = f"{name!r:.80} is not valid{nearest(name, names)}; valid: {', '.join(names)}"
        raise typer.BadParameter(hint, param_hint=option)
    return names[name]


def _all_suites() -> list[Path]:
    from bench.suite.shipped import shipped_suites

    return sorted(Path("suites").glob("*.yaml")) or [*shipped_suites().values()]
