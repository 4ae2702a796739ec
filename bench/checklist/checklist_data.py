"""What facts are read from: the results of a suite, and the rates that were given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.analysis.results import Results, headline_metric, read_results
from bench.analysis.uncertainty import Uncertainty
from bench.analysis.verdicts import ClaimVerdict, judge
from bench.planning.plan import Plan
from bench.report.costs import Price
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store


@dataclass(frozen=True)
class Fact:
    """A sentence for an item.

    Attributes:
        text: what the records say, or what they do not hold.
        known: whether they hold it.
    """

    text: str
    known: bool = True


@dataclass(frozen=True)
class ChecklistData:
    """The results of a suite.

    Attributes:
        results: its records.
        uncertainty: of its numbers.
        judged: its claims.
        price: of a device-hour; None where none was given.
        watts: declared power of a device in W; None where none was.
    """

    results: Results
    uncertainty: Uncertainty
    judged: tuple[ClaimVerdict, ...]
    price: Price | None = None
    watts: float | None = None

    @classmethod
    def collect(
        cls, plan: Plan, store: Store, *, price: Price | None = None, watts: float | None = None
    ) -> ChecklistData:
        """That of a plan; files that cannot be read cost their own cell only, and are named in `results.problems`."""
        results = read_results(plan, store)
        uncertainty = Uncertainty(results.frame, store)
        return cls(results, uncertainty, judge(results, uncertainty), price, watts)

    @property
    def plan(self) -> Plan:
        """The suite's plan."""
        return self.results.plan

    @property
    def metric(self) -> str:
        """The suite's headline metric."""
        return headline_metric(self.plan.suite)

    @property
    def missing(self) -> dict[str, str]:
        """Why evaluations have no record, by their ids."""
        frame = self.results.frame
        left = frame[frame["state"] != "done"]
        return dict(zip(left["evaluation"], left["reason"], strict=True))

    def documents(self) -> Iterator[TrainingRecord | Record]:
        """All records that are not made up, those of trainings first."""
        for documents in (self.results.trainings, self.results.records):
            yield from (item for item in documents.values() if not item.simulated)
