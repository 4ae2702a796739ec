"""Which rows a table has and in which order: the paper's where it compares with one of the paper's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis.formatting import data_name
from bench.analysis.results import Condition, Results
from bench.paper.rows import TABLES, PublishedRow, published_rows
from bench.pose.codecs.representation import PostProcess
from bench.pose.data.datasets import dataset_info
from bench.pose.input_size import InputSize
from bench.suite import schema
from bench.suite.expansion import complete_cell
from bench.suite.recipe import load_recipe, quirks

__all__ = ["Line", "lay_out", "paper_rows"]


@dataclass(frozen=True, eq=False)
class Line:
    """A row of a table: a condition, or a row of the paper that the suite excludes.

    Attributes:
        condition: whose measurements it prints; None for what is excluded.
        paper: the paper's row of the same method, if it has one.
        obstacle: why nothing is subtracted from the paper's row; "" where it measures the same.
        excluded: why the suite leaves it out; "" for conditions.
    """

    condition: Condition | None
    paper: PublishedRow | None
    obstacle: str = ""
    excluded: str = ""

    @property
    def method(self) -> tuple[str, InputSize, str, PostProcess]:
        """Backbone, input size, representation, and refinement of peaks."""
        if self.condition is not None:
            training = self.condition.training
            post_process = self.condition.evaluation.post_process
            return training.backbone, training.input_size, training.representation, post_process
        assert self.paper is not None, "a line without a condition is a row of the paper"
        return _method(self.paper)

    @property
    def group(self) -> tuple[str, InputSize]:
        """Backbone and input size: rows of one group compete."""
        return self.method[:2]

    @property
    def answered(self) -> PublishedRow | None:
        """The paper's row that it measures again, or would."""
        return None if self.obstacle else self.paper


def paper_rows(wanted: schema.SuiteTable) -> tuple[PublishedRow, ...]:
    """Rows of the paper's table beside ours that print one of our columns; MPII's has one set of them per threshold."""
    return tuple(
        row
        for row in published_rows()
        if row.table == wanted.published_table and not row.metrics.keys().isdisjoint(wanted.metrics)
    )


def lay_out(results: Results, wanted: schema.SuiteTable) -> tuple[Line, ...]:
    """The rows of a table.

    Where the suite measures rows of the paper again they are in the paper's order, what varies them further stands with
    them, and what the paper does not have comes after, in the order of the suite's grid. So are all rows otherwise.
    """
    rows = paper_rows(wanted)
    lines = [_line(condition, rows) for condition in results.conditions]
    lines += _excluded(results, rows, {line.answered.id for line in lines if line.answered})
    if not any(line.answered for line in lines):
        return tuple(lines)
    places = {row.id: place for place, row in enumerate(rows)}
    return tuple(sorted(lines, key=lambda line: places[line.paper.id] if line.paper else len(places)))


def _method(row: PublishedRow) -> tuple[str, InputSize, str, PostProcess]:
    return row.backbone, row.input_size, row.representation, row.post_process


def _line(condition: Condition, rows: Sequence[PublishedRow]) -> Line:
    answers = {row.id for row in condition.measurements[0].evaluation.published}
    answered = next((row for row in rows if row.id in answers), None)
    if answered is not None:
        return Line(condition, answered)
    method = Line(condition, None).method
    alike = next((row for row in rows if _method(row) == method), None)
    return Line(condition, alike, _obstacle(condition, alike) if alike is not None else "")


def _obstacle(condition: Condition, row: PublishedRow) -> str:
    """Why a row of the paper cannot be subtracted from a measurement of the same method."""
    training, evaluation = condition.training, condition.evaluation
    table = TABLES[row.table]
    if (table.dataset, table.split) != (training.dataset, evaluation.split):
        return (
            f"published on {data_name(dataset_info(table.dataset), table.split)}; other data, so no difference is taken"
        )
    ways = [
        way
        for way, same in (
            (f"{table.boxes} boxes", evaluation.boxes == table.boxes),
            ("flip test", evaluation.flip_test),
        )
        if not same
    ]
    other = " and ".join(ways) or "other training settings"
    return f"published with {other}, so no difference is taken"


def _excluded(results: Results, rows: Iterable[PublishedRow], answered: set[str]) -> Iterator[Line]:
    """Rows of the paper that no condition answers because the suite leaves their combination out."""
    data = results.plan.suite.dataset
    for row in rows:
        table = TABLES[row.table]
        if row.id not in answered and (table.dataset, table.split) == (data.name, data.eval):
            reason = next((reason for axes, reason in results.plan.excluded if _names(axes, row)), None)
            if reason is not None:
                yield Line(None, row, excluded=reason)


def _names(axes: Mapping[str, Any], row: PublishedRow) -> bool:
    """Whether a combination of axis values is the one of a published row."""
    method = {"backbone": row.backbone, "input_size": row.input_size, "representation": row.representation}
    if any(axes[name] != value for name, value in method.items()):
        return False
    data = TABLES[row.table]
    paper = complete_cell(load_recipe("paper").train, {"dataset": data.dataset, **method})
    free = {"seed", "world_size", *quirks()}
    # None is a setting that the representation does not read.
    return all(paper[name] in (None, value) for name, value in axes.items() if name not in free)
