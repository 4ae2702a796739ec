"""A report as data: what every format prints, in the same order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.analysis.curves import LearningCurves
from bench.analysis.formatting import describe_settings
from bench.analysis.results import headline_metric, read_results
from bench.analysis.sensitivity import Sensitivity
from bench.analysis.uncertainty import Uncertainty
from bench.analysis.verdicts import judge
from bench.planning.plan import Plan
from bench.report.appendix import Appendix, describe_records, format_time
from bench.report.claims import claims_table
from bench.report.costs import Price
from bench.report.curves_table import curves_table
from bench.report.details import RowDetails, describe_rows, log_tails
from bench.report.figure_options import REPORT, VenueStyle
from bench.report.glance import glance_table
from bench.report.pictures import Picture, draw_pictures
from bench.report.render_ahead import RenderAhead
from bench.report.sensitivity_table import budget_table, choices_table
from bench.report.suite_tables import TableData, results_table
from bench.report.summary import summarize
from bench.report.tables import Table
from bench.store.folders import Store
from bench.store.provenance import code_identity

SIMULATED = "SIMULATED: numbers made up by `bench simulate`, nothing was measured"
"""Mark on every page of a report with any simulated record."""


@dataclass(frozen=True)
class Exclusion:
    """Combinations that the suite leaves out, and why."""

    reason: str
    combinations: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All of one suite's report.

    Attributes:
        name: of the suite.
        title: of the suite.
        description: of the suite.
        glance: scope, data, hardware, device-hours and outcome in one table.
        summary: sentences computed from the records.
        date: when it was made.
        code: by which it was made.
        simulated: whether any record is made up.
        mark: what every page says of numbers that do not count; "" where there is nothing to say.
        claims: sentences and what became of them; None where the suite states none.
        tables: in the suite's order, then those of learning curves, of choices of the protocol and of errors.
        exclusions: by reason.
        pictures: plots and images; empty where none were asked for.
        details: of rows of tables, by the rows' keys.
        logs: last lines of the logs of trainings, by their ids.
        provenance: of every record.
        problems: files of the results folder that cannot be read.
    """

    name: str
    title: str
    description: str
    glance: Table
    summary: tuple[str, ...]
    date: str
    code: str
    simulated: bool
    mark: str
    claims: Table | None
    tables: tuple[Table, ...]
    exclusions: tuple[Exclusion, ...]
    pictures: tuple[Picture, ...]
    details: Mapping[str, RowDetails]
    logs: Mapping[str, tuple[str, ...]]
    provenance: Appendix
    problems: tuple[str, ...]

    @property
    def generated(self) -> str:
        """When and by which code it was made."""
        return f"{self.date} by {self.code}"


def make_report(
    plan: Plan,
    store: Store,
    *,
    pictures: bool = True,
    left_out: Mapping[str, str] | None = None,
    style: Path | None = None,
    venue: VenueStyle = REPORT,
    price: Price | None = None,
    watts: float | None = None,
    source: str = "",
    ahead: RenderAhead | None = None,
) -> Report:
    """The report of a plan.

    Args:
        plan: of the suite.
        store: its results.
        pictures: draw plots and images, which takes most of the time.
        left_out: see `read_results`.
        style: a style file of matplotlib for the plots, on top of ours.
        venue: whose columns plots and images are to fit.
        price: of a device-hour; None to state no cost.
        watts: declared power of a device, see `Energy`.
        source: where the results were read from, if that is not a results folder.
        ahead: begins with the files of pictures as soon as they are drawn.

    Raises:
        BenchError: the style file cannot be used.
    """
    suite = plan.suite
    results = read_results(plan, store, left_out)
    uncertainty = Uncertainty(results.frame, store)
    tables = [TableData.collect(results, table, uncertainty) for table in suite.tables]
    keys = {row: f"row-{number}" for number, row in enumerate(results.rows.index, start=1)}
    sensitivity = Sensitivity.collect(results, store, headline_metric(suite))
    judged = tuple(map(sensitivity.with_flips, judge(results, uncertainty)))
    claims = claims_table(results, judged)
    learning = LearningCurves.collect(results.frame, headline_metric(suite), uncertainty)
    curves = curves_table(learning, results.frame, [table.id for table in suite.tables])
    unread: list[str] = []
    moved = [choices_table(sensitivity, results), budget_table(results, store, unread)]
    drawn, problems = (
        draw_pictures(results, uncertainty, store, learning, sensitivity, style=style, venue=venue, ahead=ahead)
        if pictures
        else ((), ())
    )
    return Report(
        name=suite.name,
        title=suite.title,
        description=suite.description,
        glance=glance_table(results, judged, price=price, watts=watts, source=source),
        summary=summarize(results, tables),
        date=format_time(time.time()),
        code=code_identity().code,
        simulated=results.simulated,
        mark=". ".join([*([SIMULATED] if results.simulated else []), *plan.subsets]),
        claims=claims,
        tables=(
            *(results_table(table, keys) for table in tables),
            *(table for table in (curves, *moved) if table is not None),
        ),
        exclusions=_exclusions(plan),
        pictures=drawn,
        details=describe_rows(results, keys, tables),
        logs=log_tails(results, store),
        provenance=describe_records(results),
        problems=tuple(
            dict.fromkeys((*results.problems, *uncertainty.problems, *sensitivity.problems, *unread, *problems))
        ),
    )


def _exclusions(plan: Plan) -> tuple[Exclusion, ...]:
    """Excluded combinations by reason; seeds of one combination are one line."""
    reasons: dict[str, dict[str, None]] = {}
    for axes, reason in plan.excluded:
        combination = describe_settings({name: value for name, value in axes.items() if name != "seed"})
        reasons.setdefault(reason, {})[combination] = None
    return tuple(Exclusion(reason, tuple(combinations)) for reason, combinations in reasons.items())
