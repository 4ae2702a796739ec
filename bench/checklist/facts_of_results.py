"""Facts about what was run, on what, for how long, and how sure its numbers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import mean

import pandas as pd

from bench.analysis.findings import Finding, measure_rows
from bench.analysis.formatting import DASH, backbone_name, count_of, listing, metric_words, representation_name
from bench.analysis.rows import as_records, row_title
from bench.checklist.checklist_data import ChecklistData, Fact
from bench.planning.plan import GIGA, MILLION
from bench.pose.metrics.catalog import metric_named
from bench.report.claims import describe_claim
from bench.report.costs import HOUR, hours_text
from bench.report.energy import Energy
from bench.report.glance import (
    describe_cost,
    describe_data,
    describe_hardware,
    describe_hours,
    describe_scope,
)

Facts = Iterator[Fact]

MOST_LISTED = 12
"""Rows or networks that get a sentence each; more are counted."""

NOTHING_FINISHED = "results: no training or evaluation is finished"


def claims(evidence: ChecklistData) -> Facts:
    """The suite's claims and what became of them."""
    if not evidence.judged:
        yield Fact("claims: the suite states none", known=False)
    for judged in evidence.judged:
        yield Fact(describe_claim(judged), known=judged.verdict != "not measured")


def scope(evidence: ChecklistData) -> Facts:
    """What was varied, and on what data."""
    yield Fact(describe_scope(evidence.results))
    yield Fact(describe_data(evidence.results))


def limits(evidence: ChecklistData) -> Facts:
    """What narrows the results, as far as records tell."""
    yield from scope(evidence)
    yield from single_seed(evidence)
    reasons = Counter(reason for _, reason in evidence.plan.excluded)
    for reason, count in reasons.items():
        yield Fact(f"{count_of(count, 'combination')} left out by the suite: {reason}")
    toys = [judged.claim.id for judged in evidence.judged if judged.outcome == "toy"]
    if toys:
        yield Fact(f"measured at less than the paper's scale, so not evidence about the paper: {listing(toys)}")
    yield from (Fact(f"settings: {note}") for note in evidence.plan.strangers)


def single_seed(evidence: ChecklistData) -> Facts:
    """A warning, where rows have one seed."""
    counts = _seeds_of_rows(evidence)
    single = int((counts == 1).sum())
    if single:
        which = "one seed only" if single == len(counts) else f"{single} of {len(counts)} rows have one seed only"
        yield Fact(f"how much results vary between trainings: {which}", known=False)


def _seeds_of_rows(evidence: ChecklistData) -> pd.Series:
    frame = evidence.results.frame
    return frame[frame["state"] == "done"].groupby("row", sort=False)["seed"].nunique()


def seeds(evidence: ChecklistData) -> Facts:
    """The seeds, and what they decide."""
    values = sorted({training.spec.seed for training in evidence.plan.trainings})
    yield Fact(
        f"seed{'s' * (len(values) > 1)} {listing(list(map(str, values)))}; the seed of a training decides initial"
        " weights, the order of instances and their augmentation, and is part of its record"
    )
    yield from single_seed(evidence)


def runs(evidence: ChecklistData) -> Facts:
    """How many trainings stand behind a number."""
    counts = Counter(_seeds_of_rows(evidence))
    if not counts:
        yield Fact(NOTHING_FINISHED, known=False)
    for number, rows in sorted(counts.items()):
        yield Fact(f"{count_of(rows, 'row')} of the tables: mean of {count_of(number, 'training')}, each measured once")


def intervals(evidence: ChecklistData) -> Facts:
    """The headline metric of each row with its interval, and what the interval is over."""
    found = measure_rows(evidence.results.frame, evidence.metric, evidence.uncertainty)
    titles = dict(zip(evidence.results.rows.index, as_records(evidence.results.rows), strict=True))
    measured = {row: finding for row, finding in found.items() if finding.mean is not None}
    sure = {row: finding for row, finding in measured.items() if finding.interval_text}
    for row, finding in list(sure.items())[:MOST_LISTED]:
        yield Fact(f"{row_title(titles[row])}: {_interval(evidence, row, finding)}")
    if len(sure) > MOST_LISTED:
        yield Fact(f"{len(sure) - MOST_LISTED} more rows with an interval, in the tables of `bench report`")
    if sure:
        yield Fact(
            "95% intervals by Student's t, over seeds where a row has several, and over resampled images where"
            " per-instance results were kept"
        )
    if unsure := len(measured) - len(sure):
        yield Fact(f"{count_of(unsure, 'row')} without an interval: one seed, and no per-instance results", known=False)
    if not measured:
        yield Fact(f"{metric_words(evidence.metric)} of any row", known=False)
    yield from single_seed(evidence)


def _interval(evidence: ChecklistData, row: str, finding: Finding) -> str:
    estimate = evidence.uncertainty.of(row, finding.metric)
    over = f" over {listing(estimate.sources)}" if estimate is not None else ""
    return f"{metric_words(finding.metric)} {finding.mean_text} {finding.interval_text}{over}"


def tests(evidence: ChecklistData) -> Facts:
    """The statistical tests of claims."""
    if not evidence.judged:
        yield Fact("tests: the suite states no claims to test", known=False)
        return
    yield Fact(
        "a claim is judged by the 95% interval of its difference, paired over seeds and images; one about equality by"
        " two one-sided tests (TOST); no correction for several claims"
    )
    yield from claims(evidence)


def metrics(evidence: ChecklistData) -> Facts:
    """The metrics of the suite's tables, and what computed them."""
    names = dict.fromkeys(metric for table in evidence.plan.suite.tables for metric in table.metrics)
    titles = [f"{metric_named(name).title} ({metric_named(name).unit or 'no unit'})" for name in names]
    yield Fact(f"metrics: {listing(titles)}; methods are ranked by {metric_words(evidence.metric)}")
    evaluators = Counter(record.spec.evaluator for record in evidence.results.records.values())
    for evaluator, count in evaluators.items():
        yield Fact(f"computed by {evaluator} ({count_of(count, 'evaluation')})")
    if not evaluators:
        yield Fact(NOTHING_FINISHED, known=False)


def hardware(evidence: ChecklistData) -> Facts:
    """The machines."""
    yield _unless_nothing(describe_hardware(evidence.results))


def memory(_: ChecklistData) -> Facts:
    """What records do not hold of machines."""
    yield Fact("memory and disk of the machines, the operating system, and whose machines they are", known=False)


def hours(evidence: ChecklistData) -> Facts:
    """Device-hours in all and of each training."""
    yield _unless_nothing(describe_hours(evidence.results), "device-hours: ")
    spent = [
        item.seconds * item.spec.world_size / HOUR
        for item in evidence.results.trainings.values()
        if not item.simulated and item.spec.epochs
    ]
    if spent:
        yield Fact(
            f"a training took {hours_text(mean(spent))} device-hours on average, {hours_text(min(spent))} to"
            f" {hours_text(max(spent))}"
        )
    yield Fact("time of tries that failed, and of experiments outside this suite", known=False)


def energy(evidence: ChecklistData) -> Facts:
    """Energy: measured, estimated or absent."""
    found = Energy.of(evidence.results.trainings, evidence.results.records, evidence.watts)
    if any(evidence.documents()):
        yield Fact(f"energy {found}", known=found.complete)
    else:
        yield Fact(NOTHING_FINISHED, known=False)


def cost(evidence: ChecklistData) -> Facts:
    """What the device-hours cost."""
    if evidence.price is None:
        yield Fact("cost: no price of a device-hour was given (`--price-per-hour`)", known=False)
    else:
        yield _unless_nothing(describe_cost(evidence.results, evidence.price), "cost: ")


def _unless_nothing(text: str, prefix: str = "") -> Fact:
    return Fact(prefix + text) if text != DASH else Fact(NOTHING_FINISHED, known=False)


def complexity(evidence: ChecklistData) -> Facts:
    """Parameters and multiply-adds of each network."""
    networks = {
        (
            backbone_name(training.spec.backbone),
            representation_name(training.spec.representation),
            str(training.spec.input_size),
        ): training.complexity
        for training in evidence.plan.trainings
    }
    for name, found in list(networks.items())[:MOST_LISTED]:
        yield Fact(
            f"{', '.join(name)}: {found.params / MILLION:.2f} million parameters,"
            f" {found.multiply_adds / GIGA:.3g} billion multiply-adds per image"
        )
    if len(networks) > MOST_LISTED:
        yield Fact(f"{len(networks) - MOST_LISTED} more networks, in the tables of `bench report`")


def logs(evidence: ChecklistData) -> Facts:
    """The training curves that are kept."""
    epochs = sum(len(item.history) for item in evidence.results.trainings.values() if not item.simulated)
    if epochs:
        yield Fact(
            f"loss, learning rate and validation score of {count_of(epochs, 'epoch')} stand in training.json of"
            f" {count_of(len(evidence.results.trainings), 'training')}, which `bench export` packs"
        )
    else:
        yield Fact("no training has a curve", known=False)
