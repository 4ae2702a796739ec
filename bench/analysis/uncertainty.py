"""How sure the numbers of a report are: over seeds where there are several, and over images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.analysis.formatting import in_print_units
from bench.analysis.results import Condition, Results
from bench.statistics.combination import Combination, Kind
from bench.statistics.equivalence import Agreement, equivalence
from bench.statistics.estimate import Estimate
from bench.store.bootstrap import Resamples
from bench.store.documents import Record
from bench.store.folders import Store
from bench.suite.specs import TrainSpec

__all__ = ["Agreement", "Uncertainty"]

Array = npt.NDArray[Any]

PRINTED_STEP = 0.1
"""The paper prints one decimal."""


class Uncertainty:
    """Estimates from the records of some results and, where they were kept, their per-instance results."""

    def __init__(self, results: Results, store: Store, resamples: Resamples | None = None) -> None:
        """Read nothing yet.

        Args:
            results: whose conditions are asked for.
            store: that they come from.
            resamples: of its records, if they are not to be taken as usual.
        """
        self.results = results
        self._resamples = Resamples(store) if resamples is None else resamples

    @property
    def problems(self) -> Sequence[str]:
        """Per-instance results that cannot be used; their records are judged as if they had none."""
        return tuple(self._resamples.problems)

    def of(self, condition: Condition, metric: str) -> Estimate | None:
        """The metric's mean over seeds; None where no seed has it."""
        return self.combination({condition: 1.0}, metric)

    def combination(self, terms: Mapping[Condition, float], metric: str) -> Estimate | None:
        """A weighted sum of conditions' means, images paired; None where a condition is not measured.

        Conditions that measure the same trainings in several ways are paired by seed too, over the seeds that all of
        them have.
        """
        combination = self._combine(terms, metric)
        return None if combination is None else combination.estimate()

    def seeds_needed(self, terms: Mapping[Condition, float], metric: str, effect: float) -> int | None:
        """Seeds in all of each training that would show an effect; None where that is not known, or absurdly many."""
        combination = self._combine(terms, metric)
        return None if combination is None else combination.seeds_needed(effect)

    def agreement(self, condition: Condition, metric: str, published: float, margin: float) -> Agreement | None:
        """Whether the metric is within `margin` of a published number; None where it is not measured.

        The paper measured on the same images, so these count only where a single seed says nothing of its own error.
        Its numbers are rounded to `PRINTED_STEP` in print units: an error that is uniform over a step.
        """
        combination = self._combine({condition: 1.0}, metric)
        if combination is None:
            return None
        estimate = combination.estimate_on_these_images()
        difference = Estimate(estimate.value - published, estimate.error, estimate.freedom)
        step = PRINTED_STEP / in_print_units(metric, 1)
        return equivalence(difference.widened(step**2 / 12), margin).agreement

    def _combine(self, terms: Mapping[Condition, float], metric: str) -> Combination | None:
        conditions: dict[TrainSpec, list[Condition]] = {}
        for condition in terms:
            conditions.setdefault(condition.training.model_copy(update={"seed": 0}), []).append(condition)
        kinds = [self._kind(alike, [terms[one] for one in alike], metric) for alike in conditions.values()]
        measured = tuple(kind for kind in kinds if kind is not None)
        return Combination(measured) if measured and len(measured) == len(kinds) else None

    def _kind(self, conditions: Sequence[Condition], weights: Sequence[float], metric: str) -> Kind | None:
        """Ways of measuring the same trainings, over the seeds that were measured in all of them."""
        by_seed = [_records(condition, metric) for condition in conditions]
        seeds = [seed for seed in by_seed[0] if all(seed in records for records in by_seed)]
        if not seeds:
            return None
        measured = [[records[seed] for records in by_seed] for seed in seeds]
        values = np.array([[record.metrics[metric] for record in row] for row in measured])
        resampled, units = self._resample([record for row in measured for record in row], metric)
        if resampled is not None:
            resampled = resampled.reshape(*values.shape, -1)
        return Kind(np.asarray(weights, dtype=np.float64), values, resampled, units)

    def _resample(self, records: Sequence[Record], metric: str) -> tuple[Array | None, int]:
        """The metric of each record over resamples, (records, resamples), and the units; None unless all have them."""
        found = []
        for record in records:
            one = self._resamples.of(record.id, metric)
            if one is None:
                return None, 0
            found.append(one)
        return np.stack([values for values, _ in found]), min(units for _, units in found)


def _records(condition: Condition, metric: str) -> dict[int, Record]:
    """Records that have the metric, by seed; COCO's -1, for "nobody", is none."""
    return {
        item.seed: item.record
        for item in condition.measurements
        if item.record is not None and item.record.metrics.get(metric, -1) >= 0
    }
