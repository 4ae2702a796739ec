"""The tables of what moves the number: choices of the protocol, and kinds of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.analysis.formatting import DASH, format_difference, format_interval, format_metric, metric_name, setting_name
from bench.analysis.results import Results
from bench.analysis.rows import as_records, row_title
from bench.analysis.sensitivity import ChoiceEffect, Sensitivity
from bench.files import StoreError
from bench.report.tables import Column, Row, Table, TableCell
from bench.statistics.variances import LEVEL
from bench.store.folders import Store

DIGITS = 6
"""Digits of computed values in CSV: the rest is noise of binary fractions."""

CHOICES_REMARKS = (
    "Each line is the row measured again with one choice of the protocol made otherwise, the weights the same, by"
    f" `bench vary`. {LEVEL:.0%} intervals are of the difference, over images, which are paired, and over seeds where"
    " there are several.",
)

BUDGET_REMARKS = (
    "What the predictions would score if errors of these kinds had not been made; from misses on each step keeps those"
    " before it. Kinds are those of Ronchi and Perona (ICCV 2017). Wrong keypoints are put on the truth; scores are"
    " perfect if they rank predictions by what they reach. Quantization stands alone: keypoints within half a cell of"
    " the truth are put on it. Means over seeds.",
)


def choices_table(sensitivity: Sensitivity, results: Results) -> Table | None:
    """A line per row and choice, the largest moves first; None where nothing was varied."""
    if not sensitivity.effects:
        return None
    metric = sensitivity.metric
    titles = _titles(results)

    def end(number: int) -> Callable[[ChoiceEffect], TableCell]:
        def cell(one: ChoiceEffect) -> TableCell:
            interval = one.effect.interval()
            return TableCell(value=None if interval is None else round(interval[number], DIGITS))

        return cell

    groups = [_condensed(metric, list(group)) for _, group in groupby(sensitivity.effects, key=lambda one: one.row)]
    first = {id(group[0]) for group in groups}
    columns: tuple[Column[ChoiceEffect], ...] = (
        Column(
            "row", "Row", cell=lambda one: TableCell(titles[one.row] * (id(one) in first), titles[one.row]), axis=True
        ),
        Column("setting", "Choice", cell=lambda one: _text(setting_name(one.setting)), axis=True),
        Column("value", "Made otherwise", cell=lambda one: _text(one.value), prose=True),
        Column("moves", f"Moves {metric_name(metric)} by", cell=lambda one: _moved(metric, one), numeric=True),
        Column("low", shown=False, cell=end(0)),
        Column("high", shown=False, cell=end(1)),
        Column("seeds", "Seeds", cell=lambda one: TableCell(str(one.effect.seeds), one.effect.seeds), numeric=True),
    )
    rows = [
        Row(tuple(column.cell(one) for column in columns), one.evaluations, opens_group=number == 0 and place > 0)
        for place, group in enumerate(groups)
        for number, one in enumerate(group)
    ]
    return Table("sensitivity", "What moves the number", columns, tuple(rows), CHOICES_REMARKS)


def _condensed(metric: str, effects: Sequence[ChoiceEffect]) -> list[ChoiceEffect]:
    """The choices of a row that move it in print, then all others as one."""
    moving = [one for one in effects if _moves(metric, one)]
    still = [one for one in effects if one not in moving]
    if len(still) < 2:
        return [*effects]
    by_setting = groupby(sorted(still, key=lambda one: one.setting), key=lambda one: one.setting)
    words = [f"{setting_name(setting)} {', '.join(one.value for one in group)}" for setting, group in by_setting]
    ids = tuple(id_ for one in still for id_ in one.evaluations)
    return [*moving, ChoiceEffect(still[0].row, "no difference", "; ".join(words), still[0].effect, ids)]


def _moves(metric: str, one: ChoiceEffect) -> bool:
    """Whether the move, or an end of its interval, is not printed as zero."""
    values = (one.effect.value, *(one.effect.interval() or ()))
    return any(format_difference(metric, value).strip("0.") for value in values)


@dataclass(frozen=True)
class BudgetRow:
    """The error budget of a row.

    Attributes:
        title: of the row.
        steps: the metric by kind of correction, the mean over seeds.
        evaluations: that they are of.
    """

    title: str
    steps: Mapping[str, float]
    evaluations: tuple[str, ...]


def budget_table(results: Results, store: Store, problems: list[str]) -> Table | None:
    """The error budget of each row that has one; None where none was measured. Unreadable files go to `problems`."""
    rows = [row for row in _budget_rows(results, store, problems) if row.steps]
    if not rows:
        return None
    names = list(dict.fromkeys(name for row in rows for name in row.steps))
    columns: tuple[Column[BudgetRow], ...] = (
        Column("row", "Row", cell=lambda row: _text(row.title), axis=True),
        *(_step(name) for name in names),
    )
    lines = tuple(Row(tuple(column.cell(row) for column in columns), row.evaluations) for row in rows)
    return Table("error_budget", "Error budget: AP without errors of some kinds", columns, lines, BUDGET_REMARKS)


def _budget_rows(results: Results, store: Store, problems: list[str]) -> Sequence[BudgetRow]:
    found, titles = [], _titles(results)
    for row, lines in results.frame[results.frame["state"] == "done"].groupby("row", sort=False):
        budgets = {}
        for evaluation in lines["evaluation"]:
            try:
                budgets[evaluation] = store.evaluation(evaluation).error_budget()
            except StoreError as error:
                problems.append(str(error))
        steps = [one.steps for one in budgets.values() if one is not None]
        names = steps[0] if steps else ()
        values = {name: [one.get(name) for one in steps] for name in names}
        means = {
            name: sum(known) / len(known)
            for name, all_ in values.items()
            if (known := [v for v in all_ if v is not None])
        }
        found.append(BudgetRow(titles[str(row)], means, tuple(id_ for id_, one in budgets.items() if one)))
    return found


def _titles(results: Results) -> dict[str, str]:
    rows = results.rows
    return dict(zip(map(str, rows.index), map(row_title, as_records(rows)), strict=True))


def _step(name: str) -> Column[BudgetRow]:
    def cell(row: BudgetRow) -> TableCell:
        value = row.steps.get(name)
        return TableCell(DASH) if value is None else TableCell(format_metric("AP", value), round(value, DIGITS))

    return Column(name.replace(" ", "_"), name[0].upper() + name[1:], cell=cell, numeric=True)


def _moved(metric: str, one: ChoiceEffect) -> TableCell:
    interval = one.effect.interval()
    ends = "" if interval is None else f" {format_interval(metric, interval)}"
    return TableCell(format_difference(metric, one.effect.value) + ends, round(one.effect.value, DIGITS))


def _text(text: str) -> TableCell:
    return TableCell(text, text)
