"""The table that opens a report: scope, data, hardware, device-hours, cost, energy and outcome, each in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from bench.analysis.formatting import (
    DASH,
    backbone_name,
    count_of,
    data_name,
    explain_left_out,
    listing,
    representation_name,
    sentence,
)
from bench.analysis.results import Results
from bench.analysis.rows import as_records
from bench.analysis.verdicts import ClaimVerdict
from bench.report.claims import describe_claim
from bench.report.costs import DeviceHours, Price, hours_text
from bench.report.energy import Energy
from bench.report.tables import Column, Row, Table, TableCell
from bench.store.documents import Record, TrainingRecord

Line = tuple[str, str]
"""What a line is about, and what it says."""

COLUMNS: tuple[Column[Line], ...] = (
    Column("what", "", cell=lambda line: TableCell(line[0], line[0])),
    Column("says", "", cell=lambda line: TableCell(line[1], line[1]), prose=True),
)

MOST_MACHINES = 6
"""Machines that are named; more are counted."""


def glance_table(
    results: Results,
    judged: Sequence[ClaimVerdict],
    *,
    price: Price | None = None,
    watts: float | None = None,
    source: str = "",
) -> Table:
    """The result of a suite at a glance.

    Args:
        results: of the suite.
        judged: its claims.
        price: of a device-hour; None to state no cost.
        watts: declared power of a device, see `Energy`.
        source: where the results were read from, if that is not a results folder.
    """
    lines = {
        "Scope": describe_scope(results),
        "Data": describe_data(results),
        "Hardware": describe_hardware(results),
        "Device-hours": describe_hours(results),
        "Cost": "" if price is None else describe_cost(results, price),
        "Energy": describe_energy(results, watts),
        "Outcome": _outcome(judged),
        "Source": source,
    }
    rows = [Row(tuple(column.cell(line) for column in COLUMNS)) for line in lines.items() if line[1]]
    return Table("glance", "At a glance", COLUMNS, tuple(rows))


def describe_scope(results: Results) -> str:
    """Networks, input sizes, seeds and progress, in sentences."""
    # The order of the suite, which is not that of the tables.
    first = {training.spec.id: place for place, training in enumerate(results.plan.trainings)}
    frame = results.frame.loc[results.frame["training"].map(first).sort_values(kind="stable").index]
    backbones = listing([backbone_name(name) for name in frame["backbone"].unique()])
    methods = listing([representation_name(name) for name in frame["representation"].unique()])
    seeds = sorted(frame["seed"].unique())
    seeded = f"seed{'s' * (len(seeds) > 1)} {listing([str(seed) for seed in seeds])}"
    cells = f"{backbones} with {methods} at {listing(list(frame['input_size'].unique()))}, {seeded}."
    return " ".join([cells, _progress(frame), *map(sentence, results.plan.given)])


def _progress(frame: pd.DataFrame) -> str:
    states = frame["state"].value_counts(sort=False)
    counts = [f"{count} {state}" for state, count in states.items() if state != "done"]
    rest = f" ({listing(counts)})" if counts else ""
    planned = count_of(len(frame), "evaluation")
    return f"{states.get('done', 0)} of {planned} of {count_of(frame['training'].nunique(), 'training')} done{rest}."


def describe_data(results: Results) -> str:
    """Splits with their numbers of instances, and what was left out of them, in sentences."""
    frame, info = results.frame, results.plan.suite.dataset.info
    trained = [
        f"{data_name(info, split)}{_range(frame[frame['split'] == split]['distinct_instances'])}"
        for split in frame["split"].unique()
    ]
    measured = [
        f"{data_name(info, split)}{_range(frame[frame['evaluation_split'] == split]['instances'])}"
        for split in frame["evaluation_split"].unique()
    ]
    sentences = [f"Trained on {listing(trained)}, measured on {listing(measured)}.", _left_out(frame)]
    return " ".join(filter(None, [*sentences, *map(sentence, results.plan.subsets)]))


def _range(counts: pd.Series[int]) -> str:
    """The least and the largest number of instances, in parentheses."""
    known = counts[counts > 0]
    if known.empty:
        return ""
    ends = dict.fromkeys(f"{count:,}" for count in (known.min(), known.max()))
    return f" ({' to '.join(ends)} instances)"


def _left_out(frame: pd.DataFrame) -> str:
    lines = as_records(frame.filter(regex="images"))
    count = sum(bool(explain_left_out(line)) for line in lines)
    marked = f"{count} of {len(frame)} evaluations or their trainings do without images that could not be read"
    return f"{marked}: the tables mark them, the provenance names the images." if count else ""


def _documents(results: Results) -> Iterator[TrainingRecord | Record]:
    """All records that are not made up."""
    documents: list[TrainingRecord | Record] = [*results.trainings.values(), *results.records.values()]
    return (document for document in documents if not document.simulated)


def describe_hardware(results: Results) -> str:
    """The machines of all records that are not made up, in a sentence; those of most records first."""
    machines = Counter(_machine(document) for document in _documents(results))
    if not machines:
        return "None: the numbers are made up." if results.simulated else DASH
    named = [f"{machine} ({count_of(count, 'record')})" for machine, count in machines.most_common(MOST_MACHINES)]
    more = len(machines) - len(named)
    return f"{'; '.join(named)}{f'; {more} more' if more else ''}."


def _machine(document: TrainingRecord | Record) -> str:
    hardware = document.provenance.hardware
    device = str(hardware.get("device", ""))
    name = str(hardware.get("gpu") or hardware.get("processor") or "not recorded")
    number = hardware.get("threads")
    threads = count_of(number, "thread") if isinstance(number, int) else ""
    return ", ".join(filter(None, (name, device, threads)))


def _device_hours(results: Results) -> DeviceHours:
    return DeviceHours.of(results.trainings, results.records)


def describe_hours(results: Results) -> str:
    """Device-hours of finished trainings and evaluations, in a sentence."""
    if not any(_documents(results)):
        return DASH
    spent = _device_hours(results)
    trainings = sum(not record.simulated for record in results.trainings.values())
    evaluations = sum(not record.simulated for record in results.records.values())
    return (
        f"{hours_text(spent.total)}, wall time x devices: {hours_text(spent.training)} of"
        f" {count_of(trainings, 'finished training')}, {hours_text(spent.evaluation)} of"
        f" {count_of(evaluations, 'finished evaluation')}."
    )


def describe_cost(results: Results, price: Price) -> str:
    """What the device-hours cost, in a sentence."""
    return sentence(price.of(_device_hours(results).total)) if any(_documents(results)) else DASH


def describe_energy(results: Results, watts: float | None) -> str:
    """Energy of finished work, in a sentence: measured, estimated or absent."""
    return sentence(str(Energy.of(results.trainings, results.records, watts))) if any(_documents(results)) else DASH


def _outcome(judged: Sequence[ClaimVerdict]) -> str:
    """How often each verdict and outcome fell, and the first claim, which is the suite's main one."""
    if not judged:
        return "The suite states no claims."
    verdicts, outcomes = Counter(claim.verdict for claim in judged), Counter(claim.outcome for claim in judged)
    words = [listing([f"{count} {word}" for word, count in counts.most_common()]) for counts in (verdicts, outcomes)]
    return f"{count_of(len(judged), 'claim')}: {words[0]}; outcome: {words[1]}. {describe_claim(judged[0])}"
