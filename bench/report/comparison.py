"""A suite's tables: every row beside the paper's, with its uncertainty, or with the reason why it is not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import published
from bench.plan import BINARY_GIGA, GIGA
from bench.published import PublishedRow, published_rows
from bench.report.formatting import (
    DASH,
    backbone_name,
    data_name,
    format_difference,
    format_metric,
    metric_name,
    representation_name,
    setting_name,
    setting_text,
)
from bench.report.results import Condition, Results, common_baseline
from bench.report.tables import Cell, Column, Row, Table
from bench.suite import schema

__all__ = ["results_table"]

DIGITS = 6
"""Kept of computed values in CSV: the rest is noise of binary fractions."""


@dataclass(frozen=True)
class _Published:
    """The paper's rows of a method - MPII's table has one per threshold - and why nothing is taken from them, if so."""

    rows: tuple[PublishedRow, ...]
    note: str

    @property
    def id(self) -> str:
        return ", ".join(row.id for row in self.rows)

    @property
    def metrics(self) -> Mapping[str, float]:
        return {name: value for row in self.rows for name, value in row.metrics.items()}


def results_table(results: Results, wanted: schema.Table) -> Table:
    """The table that a suite asks for, with one row per condition and one for the mean pose."""
    settings = _setting_columns(results)
    compared = _compared_metrics(wanted)
    columns = (
        Column("backbone", "Backbone"),
        Column("representation", "Representation"),
        Column("input_size", "Input size"),
        Column("extra_post", "Extra post."),
        *(Column(name, setting_name(name)) for name in settings),
        Column("seeds", "Seeds", numeric=True),
        Column("seeds_planned", shown=False),
        Column("params", "#Params (M)", numeric=True),
        Column("gflops_multiply_adds", "true", "GFLOPs", numeric=True),
        Column("gflops_published_convention", "paper", "GFLOPs", numeric=True),
        *(column for metric in wanted.metrics for column in _metric_columns(metric, metric in compared)),
        Column("published_row", shown=False),
    )
    best = _best(results, wanted.metrics)
    rows = []
    previous = None
    for condition in results.conditions:
        cells = (*_identity(condition, settings), *_metrics(condition, wanted, compared, best))
        ids = tuple(record.id for record in condition.records)
        rows.append(Row(cells, ids, opens_group=previous is not None and condition.group != previous))
        previous = condition.group
    baseline = common_baseline(results.records)
    if baseline:
        rows.append(_baseline_row(columns, baseline))
    return Table(wanted.id, wanted.title or wanted.id, columns, tuple(rows), _remarks(results, wanted, compared))


def _setting_columns(results: Results) -> tuple[str, ...]:
    """Settings with a column: what tells rows apart, and the splitting factor if it varies at all."""
    ratios = {condition.training.split_ratio for condition in results.conditions} - {None}
    wanted = {*results.ablated, *(["split_ratio"] if len(ratios) > 1 else [])}
    return tuple(name for name in results.conditions[0].settings if name in wanted)


def _compared_metrics(wanted: schema.Table) -> tuple[str, ...]:
    """Metrics of a table that the paper's table prints too."""
    rows = [row for row in published_rows() if row.table == wanted.published_table]
    return tuple(metric for metric in wanted.metrics if any(metric in row.metrics for row in rows))


def _metric_columns(metric: str, compared: bool) -> tuple[Column, ...]:
    name = metric_name(metric)
    deviation = Column(f"{metric}_std", shown=False)
    if not compared:
        return Column(metric, name, numeric=True), deviation
    return (
        Column(metric, "ours", name, numeric=True),
        deviation,
        Column(f"{metric}_published", "paper", name, numeric=True),
        Column(f"{metric}_difference", "diff.", name, numeric=True),
    )


def _identity(condition: Condition, settings: Sequence[str]) -> list[Cell]:
    """Cells that say what a row is."""
    training, complexity = condition.training, condition.measurements[0].training.complexity
    texts = (
        backbone_name(training.backbone),
        representation_name(training.representation),
        training.input_size,
        setting_text(condition.evaluation.post_process),
        *(setting_text(condition.settings[name]) for name in settings),
    )
    done, planned = len(condition.records), len(condition.measurements)
    return [
        *(Cell(text, "" if text == DASH else text) for text in texts),
        _seeds(condition, done, planned),
        Cell(str(planned), planned),
        Cell(f"{complexity.params / 1e6:.2f}", complexity.params),
        _giga(complexity.multiply_adds / GIGA),
        _giga(complexity.published_convention / BINARY_GIGA),
    ]


def _seeds(condition: Condition, done: int, planned: int) -> Cell:
    if done == planned:
        return Cell(str(done), done)
    # A row without any seed gives its reasons where its metrics would stand.
    return Cell(f"{done} of {planned}", done, note=_reasons(condition) if done else "")


def _giga(value: float) -> Cell:
    return Cell(f"{value:.2f}", round(value, DIGITS))


def _metrics(
    condition: Condition, wanted: schema.Table, compared: Sequence[str], best: Mapping[tuple[str, str, str], str]
) -> list[Cell]:
    paper = _published(condition, wanted.published_table)
    cells = []
    for metric in wanted.metrics:
        cells += [_ours(condition, metric, best), Cell(value=condition.deviation(metric))]
        if metric in compared:
            cells += _beside(condition, metric, paper)
    comparable = paper is not None and not paper.note
    return [*cells, Cell(value=paper.id if paper is not None and comparable else None)]


def _ours(condition: Condition, metric: str, best: Mapping[tuple[str, str, str], str]) -> Cell:
    mean, deviation = condition.mean(metric), condition.deviation(metric)
    if mean is None:
        return _unmeasured(condition, metric)
    text = printed = format_metric(metric, mean)
    if deviation is not None:
        text += f" ± {format_metric(metric, deviation)}"
    is_best = best.get((*condition.group, metric)) == printed
    return Cell(text, mean, emphasis="best" if is_best else "none")


def _unmeasured(condition: Condition, metric: str) -> Cell:
    if condition.records:
        return Cell("n/a", note=f"the records hold no {metric_name(metric)} for these people")
    states = dict.fromkeys(item.reason.partition(":")[0] for item in condition.measurements)
    text = ", ".join(states)
    reasons = _reasons(condition)
    return Cell(text, note="" if reasons == text else reasons, emphasis="muted")


def _reasons(condition: Condition) -> str:
    """Why seeds are not measured, by seed where there are several."""
    reasons = [(item.seed, item.reason) for item in condition.measurements if item.reason]
    if len({reason for _, reason in reasons}) == 1 and len(reasons) == len(condition.measurements):
        return reasons[0][1]
    return "; ".join(f"seed {seed}: {reason}" for seed, reason in reasons)


def _published(condition: Condition, table: str | None) -> _Published | None:
    """The paper's row of the same method, and whether this condition measures it again."""
    training, evaluation = condition.training, condition.evaluation
    answered = tuple(row for row in condition.measurements[0].evaluation.published if row.table == table)
    if answered:
        return _Published(answered, "")
    wanted = (table, *condition.group, training.representation, evaluation.post_process)
    alike = tuple(
        row
        for row in published_rows()
        if (row.table, row.backbone, row.input_size, row.representation, row.post_process) == wanted
    )
    return _Published(alike, _obstacle(condition, alike[0])) if alike else None


def _obstacle(condition: Condition, row: PublishedRow) -> str:
    """Why a row of the paper cannot be subtracted from a measurement of the same method."""
    training, evaluation = condition.training, condition.evaluation
    table = published.TABLES[row.table]
    dataset, split = table.dataset, table.split
    if (dataset, split) != (training.dataset, evaluation.split):
        return f"published on {data_name(dataset, split)}; other data, so no difference is taken"
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


def _beside(condition: Condition, metric: str, paper: _Published | None) -> tuple[Cell, Cell]:
    """Cells with the paper's value and the difference from it."""
    value = paper.metrics.get(metric) if paper is not None else None
    if paper is None or value is None:
        return Cell(DASH, note="not in the paper", emphasis="muted"), Cell()
    if paper.note:
        return Cell(format_metric(metric, value), round(value, DIGITS), paper.note, "muted"), Cell()
    shown = Cell(format_metric(metric, value), round(value, DIGITS))
    mean = condition.mean(metric)
    if mean is None:
        return shown, Cell()
    return shown, Cell(format_difference(metric, mean - value), round(mean - value, DIGITS))


def _best(results: Results, metrics: Sequence[str]) -> dict[tuple[str, str, str], str]:
    """The highest value as printed, by backbone, input size and metric, wherever several rows compete."""
    best = {}
    for group, conditions in results.groups.items():
        for metric in metrics:
            means = [mean for condition in conditions if (mean := condition.mean(metric)) is not None]
            if len(means) > 1:
                best[*group, metric] = format_metric(metric, max(means))
    return best


def _baseline_row(columns: Sequence[Column], baseline: Mapping[str, float]) -> Row:
    cells = [Cell("Mean pose baseline", "mean pose baseline")]
    for column in columns[1:]:
        value = baseline.get(column.key)
        if value is not None:
            cells.append(Cell(format_metric(column.key, value), value))
        else:
            cells.append(Cell(DASH if column.shown else ""))
    return Row(tuple(cells), opens_group=True)


def _remarks(results: Results, wanted: schema.Table, compared: Sequence[str]) -> tuple[str, ...]:
    training, evaluation = results.conditions[0].training, results.conditions[0].evaluation
    remarks = [
        f"Measured on {data_name(training.dataset, evaluation.split)}. AP, AR and PCKh in percent, mean OKS in 0 to 1;"
        " mean over seeds, ± sample standard deviation where there are several. Bold: best of its backbone and"
        " input size.",
        "GFLOPs: true multiply-adds per image in units of 1e9, and the paper's way of counting in units of 2^30, which"
        " is the one to hold against published GFLOPs.",
    ]
    if results.records:
        agreed = set(wanted.metrics) <= set(common_baseline(results.records))
        remarks.append(
            "The baseline puts the mean pose of the training people into each annotated box: it is what a model that"
            " learnt nothing from the images reaches."
            if agreed
            else "Where the records disagree about the mean pose baseline, or hold none, none is shown."
        )
    if wanted.published_table and set(compared) != set(wanted.metrics):
        printed = " and ".join(map(metric_name, compared)) or "none of these metrics"
        remarks.append(f"The paper's table ({wanted.published_table}) prints {printed} only.")
    return tuple(remarks)
