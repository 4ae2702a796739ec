"""A report as data: what every format prints, in the same order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.plan import Plan
from bench.provenance import checkout
from bench.report.appendix import Entry, describe_records, format_time
from bench.report.comparison import results_table
from bench.report.formatting import backbone_name, metric_name, representation_name, setting_name, setting_text
from bench.report.photographs import draw_photographs
from bench.report.plots import bar_plot, training_curves
from bench.report.results import Results, headline_metric, load_results
from bench.report.summary import summarise
from bench.report.tables import Table
from bench.store import Store

__all__ = ["Exclusion", "Picture", "Report", "make_report"]


@dataclass(frozen=True)
class Picture:
    """A figure with its heading, or the reason why there is none.

    Attributes:
        name: of its file, without extension.
        title: heading over it.
        caption: under it; where there is no picture, why.
        png: the file's contents.
    """

    name: str
    title: str
    caption: str
    png: bytes | None


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
        summary: sentences computed from the records.
        generated: when and by which code.
        tables: in the suite's order.
        exclusions: by reason.
        pictures: plots and photographs; empty where none were asked for.
        provenance: one entry per record.
        problems: files of the results folder that cannot be read.
    """

    name: str
    title: str
    description: str
    summary: tuple[str, ...]
    generated: str
    tables: tuple[Table, ...]
    exclusions: tuple[Exclusion, ...]
    pictures: tuple[Picture, ...]
    provenance: tuple[Entry, ...]
    problems: tuple[str, ...]


def make_report(plan: Plan, store: Store, *, pictures: bool = True) -> Report:
    """The report of a plan; drawing `pictures` takes most of the time."""
    suite = plan.suite
    results = load_results(plan, store)
    drawn, problems = _pictures(results, store) if pictures else ((), ())
    return Report(
        name=suite.name,
        title=suite.title,
        description=suite.description,
        summary=summarise(results),
        generated=_generated(),
        tables=tuple(results_table(results, table) for table in suite.tables),
        exclusions=_exclusions(plan),
        pictures=drawn,
        provenance=describe_records(results),
        problems=(*results.problems, *problems),
    )


def _generated() -> str:
    now = time.time()
    revision, dirty = checkout()
    commit = f"commit {revision}" if revision else "code outside a checkout"
    return f"{format_time(now)} by {commit}{' with uncommitted changes' if dirty else ''}"


def _exclusions(plan: Plan) -> tuple[Exclusion, ...]:
    """Excluded combinations by reason; seeds of one combination are one line."""
    reasons: dict[str, dict[str, None]] = {}
    for axes, reason in plan.excluded:
        names: dict[str, Callable[[str], str]] = {
            "backbone": backbone_name,
            "representation": representation_name,
            "input_size": str,
        }
        known = [names[name](value) for name, value in axes.items() if name in names]
        others = [
            f"{setting_name(name)} {setting_text(value)}"
            for name, value in axes.items()
            if name not in names and name != "seed"
        ]
        reasons.setdefault(reason, {})[", ".join(known + others)] = None
    return tuple(Exclusion(reason, tuple(combinations)) for reason, combinations in reasons.items())


def _pictures(results: Results, store: Store) -> tuple[tuple[Picture, ...], Sequence[str]]:
    metric = metric_name(headline_metric(results.plan.suite))
    bars, curves, photographs = bar_plot(results), training_curves(results), draw_photographs(results, store)
    bars_caption = (
        f"{metric} by input size and method, mean over seeds; error bars are sample standard deviations where there"
        " are several seeds. Diamonds: the paper's value where a row measures the same."
    )
    curves_caption = (
        "Training loss by epoch, a line per seed. Representations minimise different losses: compare lines within a"
        " panel, never across panels."
    )
    pictures = (
        Picture("bars", f"{metric} by input size", bars_caption if bars else "Nothing is measured yet.", bars),
        Picture("curves", "Training curves", curves_caption if curves else "No training is finished yet.", curves),
        Picture("photographs", "Validation photographs", photographs.caption, photographs.png),
    )
    return pictures, photographs.problems
