"""A suite's tables: every row beside the paper's, with its uncertainty, or with the reason why it is not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import pandas as pd

from bench.analysis.findings import Finding
from bench.analysis.formatting import (
    DASH,
    backbone_name,
    format_metric,
    in_print_units,
    metric_name,
    representation_name,
    setting_name,
    setting_text,
)
from bench.analysis.results import Results
from bench.analysis.rows import ablated_settings, common_baseline, find_nobody
from bench.analysis.uncertainty import Uncertainty
from bench.paper.published import PublishedRow
from bench.planning.plan import BINARY_GIGA, GIGA, describe_subset
from bench.pose.metrics.catalog import best_of, headline
from bench.report.remarks import remarks_on
from bench.report.table_rows import RowData, paper_rows, printed_sizes, table_rows
from bench.report.tables import Column, Emphasis, Row, Table, TableCell
from bench.statistics.variances import LEVEL
from bench.suite import schema

DIGITS = 6
"""Digits of computed values in CSV: the rest is noise of binary fractions."""

MILLION = 1e6

NOT_APPLICABLE = "n/a"
"""Stands where a measured row has no value; a footnote says why."""

RowColumn = Column[RowData]


@dataclass(frozen=True)
class TableData:
    """What all rows of a table share.

    Attributes:
        results: of the suite.
        wanted: the table that the suite asks for.
        rows: top to bottom.
    """

    results: Results
    wanted: schema.SuiteTable
    rows: tuple[RowData, ...]

    @classmethod
    def collect(cls, results: Results, wanted: schema.SuiteTable, uncertainty: Uncertainty) -> TableData:
        """All that is known of a table's cells."""
        return cls(results, wanted, table_rows(results, wanted, uncertainty))

    @cached_property
    def paper(self) -> tuple[PublishedRow, ...]:
        """Rows of the paper's table beside this one."""
        return paper_rows(self.wanted)

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """Metrics that the paper's table prints too."""
        return tuple(metric for metric in self.wanted.metrics if any(metric in row.metrics for row in self.paper))

    @cached_property
    def headline(self) -> str:
        """The metric that is printed with its interval."""
        return headline(self.wanted.metrics)

    @property
    def headline_findings(self) -> list[Finding]:
        """What is known of the headline metric, row by row."""
        return [row.findings[self.headline] for row in self.rows]

    @property
    def margin_text(self) -> str:
        """The margin within which the headline metric counts as equal to the paper's, as printed."""
        return f"{in_print_units(self.headline, self.wanted.margin_of(self.headline)):g}"


def results_table(data: TableData, details: Mapping[str, str]) -> Table:
    """The table with one line per row and one for the mean pose; `details` has keys of what else is known of rows."""
    columns = tuple(_columns(data))
    rows = [
        Row(
            cells=tuple(column.cell(row) for column in columns),
            records=tuple(row.records["evaluation"]),
            opens_group=above is not None and row.group[0] != above.group[0],
            opens_part=above is not None and row.group != above.group,
            details=details.get(row.id, ""),
            simulated=bool(row.records["simulated"].any()),
        )
        for above, row in zip((None, *data.rows), data.rows, strict=False)
    ]
    baseline = common_baseline(data.results.frame)
    if baseline:
        frame = data.results.frame
        cells = (_baseline_cell(column, baseline.get(column.key), frame) for column in columns[1:])
        first = TableCell("Mean pose baseline", "mean pose baseline")
        rows.append(Row((first, *cells), opens_group=True, opens_part=True))
    wanted = data.wanted
    sizes = sorted(data.results.frame["evaluation_subset"].dropna().unique())
    title = ", ".join([wanted.title or wanted.id, *([describe_subset(sizes)] if sizes else [])])
    return Table(wanted.id, title, columns, tuple(rows), remarks_on(data))


def _baseline_cell(column: RowColumn, value: float | None, frame: pd.DataFrame) -> TableCell:
    if value is not None:
        return TableCell(format_metric(column.key, value), value)
    if why := find_nobody(frame, column.key):
        return TableCell(NOT_APPLICABLE, note=why)
    return TableCell(DASH if column.shown else "")


def _columns(data: TableData) -> Iterator[RowColumn]:
    """All columns, left to right."""
    yield _setting("backbone", "Backbone", backbone_name)
    yield _setting("representation", "Representation", representation_name)
    yield _setting("input_size", "Input size", str)
    yield _setting("post_process", "Post-process", setting_text)
    frame = data.results.frame
    several_ratios = "split_ratio" in frame and frame["split_ratio"].nunique() > 1
    wanted = {*ablated_settings(frame), *(["split_ratio"] if several_ratios else [])}
    wanted |= {"subset"} if frame["subset"].notna().any() else set()
    wanted |= {"evaluation_subset"} if not frame["evaluation_subset"].equals(frame["subset"]) else set()
    yield from (_setting(name, setting_name(name), setting_text) for name in frame.columns if name in wanted)
    yield Column("seeds", "Seeds", numeric=True, cell=_seeds)
    for name in ("images_left_out", "training_images_left_out"):
        yield Column(name, shown=False, cell=_most(name))
    yield Column("seeds_planned", shown=False, cell=lambda row: TableCell(str(len(row.seeds) or DASH), len(row.seeds)))
    yield from _size_columns(data)
    yield from chain.from_iterable(_metric_columns(data, metric) for metric in data.wanted.metrics)
    yield Column(
        "published_row", shown=False, cell=lambda row: TableCell(value=row.answered.id if row.answered else None)
    )


def _setting(name: str, title: str, words: Callable[[Any], str]) -> RowColumn:
    def cell(row: RowData) -> TableCell:
        value = row.values.get(name)
        text = DASH if value is None else words(value)
        return TableCell(text, "" if text == DASH else text)

    return Column(name, title, axis=True, cell=cell)


def _most(name: str) -> Callable[[RowData], TableCell]:
    """The largest count among the seeds, for CSV."""
    return lambda row: TableCell(value=int(row.records[name].fillna(0).max()) if len(row.records) else None)


def _seeds(row: RowData) -> TableCell:
    done, planned = len(row.records), len(row.seeds)
    if not planned:
        return TableCell(DASH, 0)
    # A row without any seed gives its reasons where its metrics would stand.
    note = _reasons(row.seeds) if 0 < done < planned else ""
    return TableCell(str(done) if done == planned else f"{done} of {planned}", done, note=note)


def _size_columns(data: TableData) -> Iterator[RowColumn]:
    """Parameters and GFLOPs as counted, and as the paper prints them."""

    def params(row: RowData) -> TableCell:
        value = row.values["params"]
        return TableCell(DASH) if value is None else TableCell(f"{value / MILLION:.2f}", int(value))

    def gflops(name: str, unit: float) -> Callable[[RowData], TableCell]:
        def cell(row: RowData) -> TableCell:
            value = row.values[name]
            return TableCell(DASH) if value is None else TableCell(f"{value / unit:.2f}", round(value / unit, DIGITS))

        return cell

    if any(row.params_m is not None for row in data.paper):
        yield Column("params", "ours", "#Params", "M", params, numeric=True)
        yield Column("params_published", "paper", "#Params", "M", _printed("params_m", "M"), numeric=True, below=True)
    else:
        yield Column("params", "#Params", unit="M", cell=params, numeric=True)
    true, published = gflops("multiply_adds", GIGA), gflops("published_convention", BINARY_GIGA)
    yield Column("gflops_multiply_adds", "true", "GFLOPs", cell=true, numeric=True)
    yield Column("gflops_published_convention", "paper's count", "GFLOPs", cell=published, numeric=True)
    if any(row.gflops is not None for row in data.paper):
        printed = _printed("gflops", " GFLOPs")
        yield Column("gflops_published", "paper", "GFLOPs", cell=printed, numeric=True, below=True)


def _printed(name: str, unit: str) -> Callable[[RowData], TableCell]:
    """A size as the paper prints it, with what is known about one that is not what the network has."""

    def cell(row: RowData) -> TableCell:
        value = getattr(row.paper, name, None)
        if row.paper is None or value is None:
            return TableCell(DASH, emphasis="muted")
        known = {} if row.obstacle else printed_sizes()[row.paper.id].disagreements
        why = known.get(name.removesuffix("_m"))
        note = "" if why is None else f"printed {value:.1f}{unit}: {why or 'not what the network has'}"
        return TableCell(f"{value:.1f}", value, note, "muted" if row.obstacle else "none")

    return cell


def _metric_columns(data: TableData, metric: str) -> Iterator[RowColumn]:
    """The mean over seeds, with the paper's value where it has one, and the interval."""
    name, compared, prominent = metric_name(metric), metric in data.compared, metric == data.headline
    best = _best_means(data, metric, lambda finding: finding.mean)

    def mean(row: RowData) -> TableCell:
        finding = row.findings[metric]
        if finding.mean is None:
            return _unmeasured(row, metric)
        is_best = best.get(row.group) == format_metric(metric, finding.mean)
        return TableCell(finding.mean_text, finding.mean, row.left_out, "best" if is_best else "none")

    def interval(row: RowData) -> TableCell:
        finding = row.findings[metric]
        text = finding.interval_text or (DASH if finding.mean is not None else "")
        return TableCell(text, _rounded(finding.low))

    if compared or prominent:
        yield Column(metric, "ours" if compared else "mean", name, cell=mean, numeric=True)
    else:
        yield Column(metric, name, cell=mean, numeric=True)
    yield Column(f"{metric}_std", shown=False, cell=lambda row: TableCell(value=row.findings[metric].std))
    if compared:
        yield from _paper_columns(data, metric)
    if any(_elsewhere(row, metric) is not None for row in data.rows):
        yield Column(f"{metric}_elsewhere", "elsewhere", name, cell=_elsewhere_cell(metric), numeric=True, below=True)
    # CSV has the intervals of all metrics; printed is that of the one that sums up the others.
    yield Column(f"{metric}_low", f"{LEVEL:.0%} interval", name, cell=interval, numeric=True, shown=prominent)
    yield Column(f"{metric}_high", shown=False, cell=lambda row: TableCell(value=_rounded(row.findings[metric].high)))


def _elsewhere(row: RowData, metric: str) -> float | None:
    value = row.values.get(f"elsewhere_{metric}")
    return None if value is None or pd.isna(value) else float(value)


def _elsewhere_cell(metric: str) -> Callable[[RowData], TableCell]:
    """Another project's number for the row, with its source and protocol. It is no part of any verdict."""

    def cell(row: RowData) -> TableCell:
        value = _elsewhere(row, metric)
        if value is None:
            return TableCell(DASH, emphasis="muted")
        return TableCell(format_metric(metric, value), value, row.values["elsewhere_row"], "muted")

    return cell


def _paper_columns(data: TableData, metric: str) -> Iterator[RowColumn]:
    """The paper's value, the difference from it, and what that means."""
    name = metric_name(metric)
    best = _best_means(data, metric, lambda finding: finding.published)

    def published(row: RowData) -> TableCell:
        finding = row.findings[metric]
        if finding.published is None:
            return TableCell(DASH, note="not in the paper", emphasis="muted")
        is_best = best.get(row.group) == finding.published_text
        emphasis: Emphasis = "muted" if row.obstacle else "best" if is_best else "none"
        return TableCell(finding.published_text, _rounded(finding.published), row.obstacle, emphasis)

    def difference(row: RowData) -> TableCell:
        finding = row.findings[metric]
        return TableCell(finding.difference_text, _rounded(finding.difference), agreement=finding.agreement or "")

    def agreement(row: RowData) -> TableCell:
        finding = row.findings[metric]
        text = finding.agreement or ""
        return TableCell(text, text if finding.published is not None else None)

    yield Column(f"{metric}_published", "paper", name, cell=published, numeric=True, below=True)
    yield Column(f"{metric}_difference", "diff.", name, cell=difference, numeric=True, below=True)
    yield Column(f"{metric}_agreement", shown=False, cell=agreement)


def _best_means(
    data: TableData, metric: str, value: Callable[[Finding], float | None]
) -> Mapping[tuple[str, str], str]:
    """The best values as printed, by backbone and input size, wherever several rows compete."""
    groups: dict[tuple[str, str], list[float]] = {}
    for row in data.rows:
        found = value(row.findings[metric])
        if found is not None:
            groups.setdefault(row.group, []).append(found)
    return {
        group: format_metric(metric, best_of(metric, values)) for group, values in groups.items() if len(values) > 1
    }


def _unmeasured(row: RowData, metric: str) -> TableCell:
    if row.excluded:
        return TableCell("excluded", note=f"excluded because {row.excluded}", emphasis="muted")
    if len(row.records):
        why = find_nobody(row.records, metric)
        return TableCell(NOT_APPLICABLE, note=why or f"the records hold no {metric_name(metric)} for these instances")
    text, reasons = ", ".join(row.seeds["state"].unique()), _reasons(row.seeds)
    return TableCell(text, note="" if reasons == text else reasons, emphasis="muted")


def _reasons(seeds: pd.DataFrame) -> str:
    """Why seeds are not measured, by seed where there are several."""
    if seeds["reason"].nunique() == 1:
        return str(seeds["reason"].iloc[0])
    missing = seeds[seeds["reason"] != ""]
    return "; ".join(f"seed {seed}: {reason}" for seed, reason in zip(missing["seed"], missing["reason"], strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
