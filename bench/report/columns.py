"""Columns of a suite's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from bench.analysis.formatting import in_print_units, metric_name, setting_name
from bench.analysis.results import Results, headline
from bench.paper.rows import PublishedRow
from bench.report.findings import Finding
from bench.report.layout import Line, paper_rows
from bench.report.tables import Column
from bench.statistics.estimate import LEVEL
from bench.suite import schema

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """What all rows of a table share.

    Attributes:
        results: of the suite.
        wanted: the table that the suite asks for.
        lines: its rows, top to bottom.
        findings: by row and metric.
    """

    results: Results
    wanted: schema.SuiteTable
    lines: Sequence[Line]
    findings: Mapping[Line, Mapping[str, Finding]]

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Settings with a column: what tells rows apart, and the splitting factor if it varies at all."""
        conditions = self.results.conditions
        ratios = {condition.training.split_ratio for condition in conditions} - {None}
        wanted = {*self.results.ablated, *(["split_ratio"] if len(ratios) > 1 else [])}
        return tuple(name for name in conditions[0].settings if name in wanted)

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

    @cached_property
    def margin_text(self) -> str:
        """The margin within which the headline metric counts as equal to the paper's, as printed."""
        return f"{in_print_units(self.headline, self.wanted.margin_of(self.headline)):g}"

    @cached_property
    def prints_params(self) -> bool:
        """Whether the paper's table has numbers of parameters."""
        return any(row.params_m is not None for row in self.paper)

    @cached_property
    def prints_gflops(self) -> bool:
        """Whether the paper's table has GFLOPs."""
        return any(row.gflops is not None for row in self.paper)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns, left to right."""
        return (
            Column("backbone", "Backbone", axis=True),
            Column("representation", "Representation", axis=True),
            Column("input_size", "Input size", axis=True),
            Column("post_process", "Post-process", axis=True),
            *(Column(name, setting_name(name), axis=True) for name in self.settings),
            Column("seeds", "Seeds", numeric=True),
            Column("seeds_planned", shown=False),
            *self._size_columns(),
            *chain.from_iterable(self._metric_columns(metric) for metric in self.wanted.metrics),
            Column("published_row", shown=False),
        )

    def _size_columns(self) -> Iterator[Column]:
        params, gflops = "#Params (M)", "GFLOPs"
        if self.prints_params:
            yield Column("params", "ours", params, numeric=True)
            yield Column("params_published", "paper", params, numeric=True, below=True)
        else:
            yield Column("params", params, numeric=True)
        yield Column("gflops_multiply_adds", "true", gflops, numeric=True)
        yield Column("gflops_published_convention", "paper's count", gflops, numeric=True)
        if self.prints_gflops:
            yield Column("gflops_published", "paper", gflops, numeric=True, below=True)

    def _metric_columns(self, metric: str) -> Iterator[Column]:
        name, compared, prominent = metric_name(metric), metric in self.compared, metric == self.headline
        if compared or prominent:
            yield Column(metric, "ours" if compared else "mean", name, numeric=True)
        else:
            yield Column(metric, name, numeric=True)
        yield Column(f"{metric}_std", shown=False)
        if compared:
            yield Column(f"{metric}_published", "paper", name, numeric=True, below=True)
            yield Column(f"{metric}_difference", "diff.", name, numeric=True, below=True)
            yield Column(f"{metric}_agreement", shown=False)
        # CSV has the intervals of all metrics; printed is that of the one that sums up the others.
        yield Column(f"{metric}_low", f"{LEVEL:.0%} interval", name, numeric=True, shown=prominent)
        yield Column(f"{metric}_high", shown=False)
