"""How sure the numbers of a report are: over seeds where there are several, and over images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.report.results import Condition, Results
from bench.statistics.estimate import Estimate
from bench.store import Store

__all__ = ["Agreement", "Uncertainty"]

Agreement = Literal["equivalent", "different", "undecided"]
"""Of a measurement with a published number, by two one-sided tests."""


class Uncertainty:
    """Estimates from the records of some results and, where they were kept, their judgements image by image."""

    def __init__(self, results: Results, store: Store) -> None: ...

    def of(self, condition: Condition, metric: str) -> Estimate | None:
        """The metric's mean over seeds; None where no seed has it."""

    def combination(self, terms: Mapping[Condition, float], metric: str) -> Estimate | None:
        """A weighted sum of conditions' means, images paired; None where a condition is not measured."""

    def agreement(self, condition: Condition, metric: str, published: float, margin: float) -> Agreement | None:
        """Whether the metric is within `margin` of a published number; None where it is not measured."""
