"""A venue's items with what the records say to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.analysis.formatting import count_of
from bench.checklist import facts_of_origin, facts_of_results
from bench.checklist.checklist_data import ChecklistData, Fact
from bench.checklist.venue import Venue, VenueItem
from bench.pose.data.left_out import summarize
from bench.report.document import SIMULATED
from bench.store.provenance import code_identity

OF_ORIGIN: Mapping[str, Callable[[ChecklistData], Iterator[Fact]]] = {
    "code": facts_of_origin.code,
    "commands": facts_of_origin.commands,
    "data": facts_of_origin.data,
    "licenses": facts_of_origin.licenses,
    "memory": facts_of_results.memory,
    "new_assets": facts_of_origin.new_assets,
    "search": facts_of_origin.search,
    "settings": facts_of_origin.settings,
    "complexity": facts_of_results.complexity,
    "metrics": facts_of_results.metrics,
    "seeds": facts_of_results.seeds,
    "scope": facts_of_results.scope,
    "software": facts_of_origin.software,
    "splits": facts_of_origin.splits,
}
"""Facts by the names that venues give them, which do not depend on how much of the suite is finished."""

OF_RESULTS: Mapping[str, Callable[[ChecklistData], Iterator[Fact]]] = {
    "claims": facts_of_results.claims,
    "cost": facts_of_results.cost,
    "energy": facts_of_results.energy,
    "hardware": facts_of_results.hardware,
    "hours": facts_of_results.hours,
    "intervals": facts_of_results.intervals,
    "left_out": facts_of_origin.left_out,
    "limits": facts_of_results.limits,
    "logs": facts_of_results.logs,
    "pretrained": facts_of_origin.pretrained,
    "runs": facts_of_results.runs,
    "tests": facts_of_results.tests,
}
"""Facts that are incomplete while results are missing, and worth nothing where results are made up."""

FACTS = {**OF_ORIGIN, **OF_RESULTS}

Status = Literal["yes", "partial", "no", "yours to answer"]

STATUSES: Mapping[Status, str] = {
    "yes": "answered from the records",
    "partial": "answered in part",
    "no": "not in the records",
    "yours to answer": "yours to answer",
}

MOST_MISSING = 8
"""Reasons for missing evaluations that are listed."""


@dataclass(frozen=True)
class Answer:
    """An item with what the records say to it.

    Attributes:
        item: the item.
        facts: what they say, and what they do not hold.
    """

    item: VenueItem
    facts: tuple[Fact, ...]

    @property
    def status(self) -> Status:
        """How far the records answer it."""
        known = {fact.known for fact in self.facts}
        if not self.item.facts:
            return "yours to answer"
        return "partial" if len(known) > 1 else "yes" if True in known else "no"


@dataclass(frozen=True)
class Checklist:
    """A venue's checklist for a suite.

    Attributes:
        venue: the venue's.
        suite: title of the suite.
        mark: what to know of all numbers: simulated, or of subsets; "" for nothing.
        code: of bench that wrote it.
        progress: how much of the suite is finished, and why the rest is not.
        answers: one per item, in the venue's order.
    """

    venue: Venue
    suite: str
    mark: str
    code: str
    progress: tuple[str, ...]
    answers: tuple[Answer, ...]

    @property
    def counts(self) -> str:
        """How many items are answered how far."""
        counted = Counter(answer.status for answer in self.answers)
        parts = [f"{counted[status]} {words}" for status, words in STATUSES.items() if counted[status]]
        return f"{count_of(len(self.answers), 'item')}: {', '.join(parts)}"


def answer(venue: Venue, evidence: ChecklistData) -> Checklist:
    """Answer each item of a venue. No item is left without facts or what is left to the author."""
    results = evidence.results
    caveats = tuple(_caveats(evidence))
    found = {name: (*facts(evidence), *(caveats if name in OF_RESULTS else ())) for name, facts in FACTS.items()}
    answers = [
        Answer(item, tuple(dict.fromkeys(fact for name in (*item.facts, *item.helps) for fact in found[name])))
        for item in venue.items
    ]
    return Checklist(
        venue=venue,
        suite=evidence.plan.suite.title,
        mark=". ".join([*([SIMULATED] if results.simulated else []), *evidence.plan.subsets]),
        code=code_identity().code,
        progress=tuple(_progress(evidence)),
        answers=tuple(answers),
    )


def _caveats(evidence: ChecklistData) -> Iterator[Fact]:
    """What is to be said beside every fact of results."""
    if evidence.results.simulated:
        yield Fact("numbers of this suite are made up by `bench simulate`; they say nothing", known=False)
    if evidence.missing:
        planned = count_of(len(evidence.results.frame), "evaluation")
        yield Fact(f"{len(evidence.missing)} of {planned} of the suite, which are missing", known=False)


def _progress(evidence: ChecklistData) -> Iterator[str]:
    total, missing = len(evidence.results.frame), evidence.missing
    yield f"{total - len(missing)} of {count_of(total, 'evaluation')} finished."
    reasons = Counter(missing.values())
    for reason, count in reasons.most_common(MOST_MISSING):
        yield f"{count} without a result: {reason}"
    if len(reasons) > MOST_MISSING:
        yield f"{sum(reasons.values()) - sum(count for _, count in reasons.most_common(MOST_MISSING))} more"
    yield from (f"Could not be read: {problem}" for problem in summarize(evidence.results.problems))
