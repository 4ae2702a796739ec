"""Cells of a suite's tables: what is measured beside what is published, or the reason why it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from bench.analysis.formatting import (
    DASH,
    backbone_name,
    format_metric,
    metric_name,
    representation_name,
    setting_text,
)
from bench.analysis.results import Condition
from bench.planning.plan import BINARY_GIGA, GIGA
from bench.planning.printed_sizes import SizeComparison, compare_sizes
from bench.pose.input_size import InputSize
from bench.pose.models.network import Complexity
from bench.report.columns import Frame
from bench.report.findings import Finding
from bench.report.layout import Line
from bench.report.tables import Cell, Emphasis
from bench.suite.metrics import best_of

__all__ = ["Best", "best_values", "cells_of"]

DIGITS = 6
"""Kept of computed values in CSV: the rest is noise of binary fractions."""

MILLION = 1e6

Key = tuple[str, InputSize, str]


@dataclass(frozen=True)
class Best:
    """The best values as printed, by backbone, input size and metric, wherever several rows compete."""

    ours: Mapping[Key, str]
    paper: Mapping[Key, str]


def best_values(frame: Frame) -> Best:
    """What is set in bold: the best of each block of rows that the paper compares."""
    found = [(line, metric, finding) for line in frame.lines for metric, finding in frame.findings[line].items()]
    ours = [((*line.group, metric), finding.mean) for line, metric, finding in found]
    paper = [((*line.group, metric), finding.published) for line, metric, finding in found]
    return Best(_best(ours), _best(paper))


def cells_of(frame: Frame, line: Line, best: Best) -> tuple[Cell, ...]:
    """All cells of a row, one per column of the frame."""
    cells = [*_identity(frame, line), *_sizes(frame, line)]
    for metric, finding in frame.findings[line].items():
        cells += _ours(line, finding, best)
        cells += _beside(line, finding, best) if metric in frame.compared else []
        cells += _interval(finding)
    answered = line.answered
    return (*cells, Cell(value=answered.id if answered is not None else None))


def _best(values: Iterable[tuple[Key, float | None]]) -> dict[Key, str]:
    groups: dict[Key, list[float]] = {}
    for key, value in values:
        if value is not None:
            groups.setdefault(key, []).append(value)
    return {key: format_metric(key[-1], best_of(key[-1], group)) for key, group in groups.items() if len(group) > 1}


def _identity(frame: Frame, line: Line) -> Iterator[Cell]:
    """Cells that say what a row is, and how many seeds are behind it."""
    backbone, size, representation, post_process = line.method
    condition = line.condition
    texts = [backbone_name(backbone), representation_name(representation), str(size), setting_text(post_process)]
    texts += [setting_text(condition.settings[name]) if condition is not None else DASH for name in frame.settings]
    yield from (Cell(text, "" if text == DASH else text) for text in texts)
    if condition is None:
        yield from (Cell(DASH, 0), Cell(DASH, 0))
        return
    done, planned = len(condition.records), len(condition.measurements)
    # A row without any seed gives its reasons where its metrics would stand.
    note = _reasons(condition) if 0 < done < planned else ""
    yield Cell(str(done) if done == planned else f"{done} of {planned}", done, note=note)
    yield Cell(str(planned), planned)


def _sizes(frame: Frame, line: Line) -> Iterator[Cell]:
    """Parameters and GFLOPs as counted, and as the paper prints them."""
    paper, complexity = line.paper, _complexity(line)
    notes = _sizes_of_paper()[paper.id].disagreements if paper is not None and not line.obstacle else {}
    yield Cell(f"{complexity.params / MILLION:.2f}", complexity.params)
    if frame.prints_params:
        yield _printed(paper.params_m if paper is not None else None, "M", line, notes.get("params"))
    yield _giga(complexity.multiply_adds / GIGA)
    yield _giga(complexity.published_convention / BINARY_GIGA)
    if frame.prints_gflops:
        yield _printed(paper.gflops if paper is not None else None, " GFLOPs", line, notes.get("gflops"))


def _complexity(line: Line) -> Complexity:
    if line.condition is not None:
        return line.condition.measurements[0].training.complexity
    assert line.paper is not None, "a line without a condition is a row of the paper"
    return _sizes_of_paper()[line.paper.id].complexity


@cache
def _sizes_of_paper() -> Mapping[str, SizeComparison]:
    return {item.row.id: item for item in compare_sizes()}


def _printed(value: float | None, unit: str, line: Line, disagreement: str | None) -> Cell:
    """A size as the paper prints it, with what is known about one that is not what the network has."""
    if value is None:
        return Cell(DASH, emphasis="muted")
    note = "" if disagreement is None else f"printed {value:.1f}{unit}: {disagreement or 'not what the network has'}"
    return Cell(f"{value:.1f}", value, note, "muted" if line.obstacle else "none")


def _giga(value: float) -> Cell:
    return Cell(f"{value:.2f}", round(value, DIGITS))


def _ours(line: Line, finding: Finding, best: Best) -> tuple[Cell, Cell]:
    """Mean with its deviation, or why there is none; the deviation for CSV."""
    if finding.mean is None:
        return _unmeasured(line, finding.metric), Cell()
    is_best = best.ours.get((*line.group, finding.metric)) == format_metric(finding.metric, finding.mean)
    mean = Cell(finding.mean_text, finding.mean, emphasis="best" if is_best else "none")
    return mean, Cell(value=finding.deviation)


def _unmeasured(line: Line, metric: str) -> Cell:
    condition = line.condition
    if condition is None:
        return Cell("excluded", note=f"excluded because {line.excluded}", emphasis="muted")
    if condition.records:
        return Cell("n/a", note=f"the records hold no {metric_name(metric)} for these instances")
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


def _interval(finding: Finding) -> tuple[Cell, Cell]:
    """The interval in print, and its two ends for CSV."""
    if finding.interval is None:
        return Cell(DASH if finding.mean is not None else ""), Cell()
    low, high = finding.interval
    return Cell(finding.interval_text, round(low, DIGITS)), Cell(value=round(high, DIGITS))


def _beside(line: Line, finding: Finding, best: Best) -> Sequence[Cell]:
    """Cells with the paper's value, the difference from it, and what that means."""
    if finding.published is None:
        return Cell(DASH, note="not in the paper", emphasis="muted"), Cell(), Cell()
    text = finding.published_text
    is_best = best.paper.get((*line.group, finding.metric)) == text
    emphasis: Emphasis = "muted" if line.obstacle else "best" if is_best else "none"
    agreement = finding.agreement or ""
    return (
        Cell(text, round(finding.published, DIGITS), line.obstacle, emphasis),
        Cell(finding.difference_text, _rounded(finding.difference), agreement=agreement),
        Cell(agreement, agreement),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
