"""Which rows a table has and in which order: the paper's where it compares with one of the paper's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import pandas as pd

from bench.analysis.findings import Finding, compare_with_paper, measure_rows
from bench.analysis.formatting import data_name, explain_left_out
from bench.analysis.results import Results
from bench.analysis.rows import as_records, split_rows
from bench.analysis.uncertainty import Uncertainty
from bench.paper.published import TABLES, PublishedRow, published_rows
from bench.planning.printed_sizes import SizeComparison, compare_sizes
from bench.pose.data.datasets import dataset_info
from bench.suite import schema
from bench.suite.expansion import complete_cell
from bench.suite.recipe import load_recipe, quirks

METHOD = ("backbone", "input_size", "representation")


@dataclass(frozen=True, eq=False)
class RowData:
    """What is known of a row of a table.

    Attributes:
        id: of the row in the results frame; "" for a row of the paper that the suite excludes.
        values: its line of `collect_rows`; what the paper says, where it is excluded.
        seeds: its part of the results frame.
        paper: the paper's row of the same method, if it has one.
        obstacle: why nothing is subtracted from the paper's row; "" where it measures the same.
        excluded: why the suite leaves it out; "" for what it measures.
        findings: by metric.
    """

    id: str
    values: Mapping[str, Any]
    seeds: pd.DataFrame
    paper: PublishedRow | None
    obstacle: str = ""
    excluded: str = ""
    findings: Mapping[str, Finding] = ()  # type: ignore[assignment]  # set before anybody reads it

    @property
    def group(self) -> tuple[str, str]:
        """Backbone and input size: rows of one group compete."""
        return self.values["backbone"], self.values["input_size"]

    @property
    def answered(self) -> PublishedRow | None:
        """The paper's row that it measures again, or would."""
        return None if self.obstacle else self.paper

    @cached_property
    def records(self) -> pd.DataFrame:
        """The seeds that are done."""
        return self.seeds[self.seeds["state"] == "done"]

    @cached_property
    def left_out(self) -> str:
        """Images that its numbers do without; "" where all could be read."""
        counts = as_records(self.records.filter(regex="images"))
        return "; ".join(dict.fromkeys(filter(None, map(explain_left_out, counts))))


def paper_rows(wanted: schema.SuiteTable) -> tuple[PublishedRow, ...]:
    """Rows of the paper's table beside ours that print one of our columns; MPII's has one set of them per threshold."""
    return tuple(
        row
        for row in published_rows()
        if row.table == wanted.published_table and not row.metrics.keys().isdisjoint(wanted.metrics)
    )


@cache
def printed_sizes() -> Mapping[str, SizeComparison]:
    """Sizes of the paper's networks as counted, by row."""
    return {item.row.id: item for item in compare_sizes()}


def table_rows(results: Results, wanted: schema.SuiteTable, uncertainty: Uncertainty) -> tuple[RowData, ...]:
    """The rows of a table, with what is known of its metrics.

    Where the suite measures rows of the paper again they are in the paper's order, what varies them further stands with
    them, and what the paper does not have comes after, in the order of the suite's grid. So are all rows otherwise.
    """
    measured = {metric: measure_rows(results.frame, metric, uncertainty) for metric in wanted.metrics}

    def find(row: RowData, metric: str) -> Finding:
        finding = measured[metric].get(row.id, Finding(metric))
        margin = None if row.obstacle else wanted.margin_of(metric)
        return compare_with_paper(finding, row.id, row.paper.metrics if row.paper else {}, margin, uncertainty)

    return tuple(
        replace(row, findings={metric: find(row, metric) for metric in wanted.metrics})
        for row in _in_order(results, paper_rows(wanted))
    )


def _in_order(results: Results, paper: Sequence[PublishedRow]) -> Sequence[RowData]:
    parts = split_rows(results.frame)
    ids, values = results.rows.index, as_records(results.rows)
    rows = [_row(id_, line, parts[id_], paper) for id_, line in zip(ids, values, strict=True)]
    rows += _excluded(results, paper, {row.answered.id for row in rows if row.answered})
    if not any(row.answered for row in rows):
        return rows
    places = {row.id: place for place, row in enumerate(paper)}
    return sorted(rows, key=lambda row: places[row.paper.id] if row.paper else len(places))


def _row(id_: str, values: Mapping[str, Any], seeds: pd.DataFrame, paper: Sequence[PublishedRow]) -> RowData:
    answers = values["published_row"].split(", ")
    answered = next((row for row in paper if row.id in answers), None)
    if answered is not None:
        return RowData(id_, values, seeds, answered)
    alike = next((row for row in paper if _same_method(values, row)), None)
    return RowData(id_, values, seeds, alike, _obstacle(values, alike) if alike is not None else "")


def _same_method(values: Mapping[str, Any], row: PublishedRow) -> bool:
    return all(values[name] == str(getattr(row, name)) for name in (*METHOD, "post_process"))


def _obstacle(values: Mapping[str, Any], row: PublishedRow) -> str:
    """Why a row of the paper cannot be subtracted from a measurement of the same method."""
    table = TABLES[row.table]
    if (table.dataset, table.split) != (values["dataset"], values["evaluation_split"]):
        data = data_name(dataset_info(table.dataset), table.split)
        return f"published on {data}; other data, so no difference is taken"
    if values["subset"] is not None or values["evaluation_subset"] is not None:
        return "published on all images, so no difference is taken"
    ways = [] if values["boxes"] == table.boxes else [f"{table.boxes} boxes"]
    ways += [] if values["flip_test"] else ["flip test"]
    return f"published with {' and '.join(ways) or 'other training settings'}, so no difference is taken"


def _excluded(results: Results, paper: Iterable[PublishedRow], answered: set[str]) -> Iterator[RowData]:
    """Rows of the paper that nothing answers because the suite leaves their combination out."""
    data = results.plan.suite.dataset
    for row in paper:
        table = TABLES[row.table]
        if row.id not in answered and (table.dataset, table.split) == (data.name, data.eval):
            reason = next((reason for axes, reason in results.plan.excluded if _names(axes, row)), None)
            if reason is not None:
                method = {name: str(getattr(row, name)) for name in (*METHOD, "post_process")}
                values = method | vars(printed_sizes()[row.id].complexity)
                yield RowData("", values, results.frame.head(0), row, excluded=reason)


def _names(axes: Mapping[str, Any], row: PublishedRow) -> bool:
    """Whether a combination of axis values is the one of a published row."""
    method = {name: getattr(row, name) for name in METHOD}
    if any(axes[name] != value for name, value in method.items()):
        return False
    paper = complete_cell(load_recipe("paper").train, {"dataset": TABLES[row.table].dataset, **method})
    free = {"seed", "world_size", *quirks()}
    # None is a setting that the representation does not read.
    return all(paper[name] in (None, value) for name, value in axes.items() if name not in free)
