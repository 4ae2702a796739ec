"""The result of a suite in a few sentences, each computed from the results frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from bench.analysis.formatting import (
    backbone_name,
    format_metric,
    in_print_units,
    listing,
    metric_words,
    sentence,
)
from bench.analysis.results import Results, headline_metric
from bench.analysis.rows import common_baseline, find_nobody, summarize_rows
from bench.pose.metrics.catalog import best_of, metric_named
from bench.report.suite_tables import TableData

MOST_GROUPS = 6
"""Pairs of backbone and input size that get a sentence each; more are counted."""

MOST_BEHIND = 5
"""Methods that are named after the best; more are counted."""

GROUP = ["backbone", "input_size"]
"""Columns whose values rows that compete have in common."""


def summarize(results: Results, tables: Sequence[TableData]) -> tuple[str, ...]:
    """Sentences on who wins, and how far that is from the paper; `glance_table` says what was run."""
    metric = headline_metric(results.plan.suite)
    rows = summarize_rows(results.frame, metric)
    sentences = [*_winners(rows, metric), sentence(find_nobody(results.frame, metric))]
    sentences += [_seeds(rows), _baseline(results.frame, metric), _paper(rows, metric), *map(_agreement, tables)]
    return tuple(sentence for sentence in sentences if sentence)


def _winners(rows: pd.DataFrame, metric: str) -> list[str]:
    groups = [group.dropna(subset="mean") for _, group in rows.groupby(GROUP, sort=False)]
    if len(groups) > MOST_GROUPS:
        return [_tally(groups, metric)]
    return [_winner(group, metric) for group in groups if len(group)]


def _tally(groups: Sequence[pd.DataFrame], metric: str) -> str:
    """How often each method is best, ties counted for each, where at least two are measured."""
    contests = [group for group in groups if len(group) > 1]
    if not contests:
        return ""
    wins: list[str] = []
    for group in contests:
        printed = group["mean"].map(lambda mean: format_metric(metric, mean))
        wins += list(group["method"][printed == format_metric(metric, best_of(metric, group["mean"]))])
    counts = Counter(wins).most_common(MOST_GROUPS)
    texts = [f"{method} in {count}" for method, count in counts]
    where = f"{len(contests)} pairs of backbone and input size in which several methods are measured"
    rest = len(wins) - sum(count for _, count in counts)
    others = f", others in {rest}" if rest else ""
    best = f"{_superlative(metric).capitalize()} {metric_words(metric)}"
    return f"{best} in the {where}: {listing(texts)}{others}."


def _winner(group: pd.DataFrame, metric: str) -> str:
    where = f"{backbone_name(group['backbone'].iloc[0])} at {group['input_size'].iloc[0]}"
    ranked = group.sort_values("mean", ascending=metric_named(metric).lower_is_better, kind="stable")
    means = [format_metric(metric, mean) for mean in ranked["mean"]]
    spreads = ["" if pd.isna(std) else f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{format_metric(metric, std)}"
               for std in ranked["std"]]  # fmt: skip
    texts = [
        f"{method} ({mean}{spread})" for method, mean, spread in zip(ranked["method"], means, spreads, strict=True)
    ]
    if len(texts) == 1:
        return f"{where}: only {texts[0]} has its {metric_words(metric)} measured."
    name = f"{_superlative(metric)} {metric_words(metric)}"
    if means[0] == means[1]:
        return f"{where}: {texts[0]} and {texts[1]} tie for the {name}{_after(texts[2:])}."
    return f"{where}: {texts[0]} has the {name}{_after(texts[1:])}."


def _superlative(metric: str) -> str:
    return "lowest" if metric_named(metric).lower_is_better else "highest"


def _after(texts: Sequence[str]) -> str:
    rest = len(texts) - MOST_BEHIND
    named = [*texts[:MOST_BEHIND], *([f"{rest} more"] if rest > 0 else [])]
    return f", before {listing(named)}" if named else ""


def _seeds(rows: pd.DataFrame) -> str:
    single = set(rows["done"]) - {0} == {1}
    return "Every number is from a single seed, so chance between seeds is not known." if single else ""


def _baseline(frame: pd.DataFrame, metric: str) -> str:
    value = common_baseline(frame).get(metric)
    if value is None:
        return ""
    return (
        f"The mean pose of the training instances alone reaches {metric_words(metric)} {format_metric(metric, value)}."
    )


def _paper(rows: pd.DataFrame, metric: str) -> str:
    """How far the rows that answer published ones are from them."""
    answered = rows.dropna(subset="published")
    differences = (answered["mean"] - answered["published"]).dropna().abs()
    if answered.empty:
        return "No row measures exactly what a row of the paper does, so no difference is taken."
    if differences.empty:
        return f"None of the {len(answered)} published rows that the suite answers is measured yet."
    return (
        f"{len(differences)} of the {len(answered)} published rows that the suite answers are measured; their"
        f" {metric_words(metric)} is {in_print_units(metric, differences.mean()):.1f} from the paper's on average."
    )


def _agreement(table: TableData) -> str:
    """How many rows of a table are shown to agree with the paper, and how many to differ."""
    counts = Counter(finding.agreement for finding in table.headline_findings if finding.agreement is not None)
    if not counts:
        return ""
    return (
        f"{metric_words(table.headline)} of {counts.total()} rows beside the paper's, with a margin of"
        f" {table.margin_text}: {counts['equivalent']} equivalent, {counts['different']} different,"
        f" {counts['undecided']} undecided."
    )
