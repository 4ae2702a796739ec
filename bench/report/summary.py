"""The result of a suite in a few sentences, each computed from the records."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from bench.analysis.formatting import (
    backbone_name,
    data_name,
    format_metric,
    in_print_units,
    metric_words,
    representation_name,
)
from bench.analysis.results import Condition, Results, common_baseline, headline_metric
from bench.report.columns import Frame
from bench.report.tables import Table
from bench.suite.metrics import best_of

__all__ = ["summarise"]

MOST_GROUPS = 6
"""Pairs of backbone and input size that get a sentence each; more are counted."""


def summarise(results: Results, frames: Sequence[Frame], claims: Table | None) -> tuple[str, ...]:
    """Sentences computed from the records.

    What was run, how much is done, what became of the paper's claims, who wins where, and how far that is from a mean
    pose and from the paper.
    """
    metric = headline_metric(results.plan.suite)
    sentences = [_what(results), _progress(results), _verdicts(claims), *_winners(results, metric)]
    sentences += [_seeds(results), _baseline(results, metric), _paper(results, metric), *map(_agreement, frames)]
    return tuple(sentence for sentence in sentences if sentence)


def _what(results: Results) -> str:
    suite = results.plan.suite
    specs = [training.spec for training in results.plan.trainings]
    backbones = _listing([backbone_name(name) for name in dict.fromkeys(spec.backbone for spec in specs)])
    methods = _listing([representation_name(name) for name in dict.fromkeys(spec.representation for spec in specs)])
    sizes = _listing(list(dict.fromkeys(str(spec.input_size) for spec in specs)))
    data = suite.dataset
    return (
        f"{backbones} with {methods} at {sizes}, trained on {data_name(data.info, data.train)} and measured on"
        f" {data_name(data.info, data.eval)}."
    )


def _progress(results: Results) -> str:
    planned, done = len(results.measurements), len(results.records)
    trainings = len(results.plan.trainings)
    states = [item.reason.partition(":")[0] for item in results.measurements if item.reason]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    rest = f" ({_listing(counts)})" if counts else ""
    evaluations = f"evaluation{'s' if planned != 1 else ''}"
    return f"{done} of {planned} {evaluations} of {trainings} training{'s' if trainings != 1 else ''} are done{rest}."


def _verdicts(claims: Table | None) -> str:
    """How often each verdict fell; cases of a claim, which stand under it, have no text in the first column."""
    if claims is None:
        return ""
    place = next(index for index, column in enumerate(claims.columns) if column.key == "verdict")
    verdicts = Counter(row.cells[place].text for row in claims.rows if row.cells[0].text)
    counts = [f"{count} {verdict}" for verdict, count in verdicts.most_common()]
    return f"Of the paper's claims that the suite states: {_listing(counts)}."


def _winners(results: Results, metric: str) -> list[str]:
    groups = results.groups
    if len(groups) > MOST_GROUPS:
        return [_tally(results, metric)]
    return [
        _winner(results, f"{backbone_name(backbone)} at {size}", conditions, metric)
        for (backbone, size), conditions in groups.items()
    ]


def _tally(results: Results, metric: str) -> str:
    """How often each method is best, ties counted for each, where at least two are measured."""
    wins: list[str] = []
    contests = 0
    for conditions in results.groups.values():
        means = [(mean, condition) for condition in conditions if (mean := condition.mean(metric)) is not None]
        if len(means) > 1:
            contests += 1
            best = format_metric(metric, best_of(metric, (mean for mean, _ in means)))
            wins += [results.method(condition) for mean, condition in means if format_metric(metric, mean) == best]
    if not contests:
        return ""
    counts = Counter(wins).most_common(MOST_GROUPS)
    texts = [f"{method} in {count}" for method, count in counts]
    where = f"{contests} pairs of backbone and input size in which several methods are measured"
    return f"Highest {metric_words(metric)} in the {where}: {_listing(texts)}{_rest(wins, counts)}."


def _rest(wins: Sequence[str], counts: Sequence[tuple[str, int]]) -> str:
    rest = len(wins) - sum(count for _, count in counts)
    return f", others in {rest}" if rest else ""


def _winner(results: Results, where: str, conditions: Sequence[Condition], metric: str) -> str:
    measured = [(mean, condition) for condition in conditions if (mean := condition.mean(metric)) is not None]
    if not measured:
        return ""
    ranked = sorted(measured, key=lambda item: -item[0])
    texts = [f"{results.method(condition)} ({_with_deviation(condition, mean, metric)})" for mean, condition in ranked]
    name = metric_words(metric)
    if len(texts) == 1:
        return f"{where}: only {texts[0]} has its {name} measured."
    if format_metric(metric, ranked[0][0]) == format_metric(metric, ranked[1][0]):
        return f"{where}: {texts[0]} and {texts[1]} tie for the highest {name}{_after(texts[2:])}."
    return f"{where}: {texts[0]} has the highest {name}{_after(texts[1:])}."


def _after(texts: Sequence[str]) -> str:
    return f", before {_listing(texts)}" if texts else ""


def _with_deviation(condition: Condition, mean: float, metric: str) -> str:
    deviation = condition.deviation(metric)
    spread = "" if deviation is None else f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{format_metric(metric, deviation)}"
    return format_metric(metric, mean) + spread


def _seeds(results: Results) -> str:
    counts = {len(condition.records) for condition in results.conditions if condition.records}
    return "Every number is from a single seed, so chance between seeds is not known." if counts == {1} else ""


def _baseline(results: Results, metric: str) -> str:
    value = common_baseline(results.records).get(metric)
    if value is None:
        return ""
    return (
        f"The mean pose of the training instances alone reaches {metric_words(metric)} {format_metric(metric, value)}."
    )


def _paper(results: Results, metric: str) -> str:
    """How far the rows that answer published ones are from them."""
    differences = []
    answered = 0
    for condition in results.conditions:
        mean = condition.mean(metric)
        rows = [row for row in condition.measurements[0].evaluation.published if metric in row.metrics]
        answered += len(rows)
        differences += [mean - row.metrics[metric] for row in rows if mean is not None]
    if not answered:
        return "No row measures exactly what a row of the paper does, so no difference is taken."
    if not differences:
        return f"None of the {answered} published rows that the suite answers is measured yet."
    average = in_print_units(metric, statistics.fmean(map(abs, differences)))
    return (
        f"{len(differences)} of the {answered} published rows that the suite answers are measured; their"
        f" {metric_words(metric)} is {average:.1f} from the paper's on average."
    )


def _agreement(frame: Frame) -> str:
    """How many rows of a table are shown to agree with the paper, and how many to differ."""
    findings = [frame.findings[line][frame.headline] for line in frame.lines]
    counts = Counter(finding.agreement for finding in findings if finding.agreement is not None)
    if not counts:
        return ""
    return (
        f"{metric_words(frame.headline)} of {counts.total()} rows beside the paper's, with a margin of"
        f" {frame.margin_text}: {counts['equivalent']} equivalent, {counts['different']} different,"
        f" {counts['undecided']} undecided."
    )


def _listing(texts: Sequence[str]) -> str:
    """The texts as "a", "a and b", or "a, b and c"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
