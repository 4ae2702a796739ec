"""How sure the numbers of a report are: over seeds where there are several, and over images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.analysis.formatting import in_print_units
from bench.analysis.rows import split_rows
from bench.statistics.combination import Combination, TrainingGroup
from bench.statistics.equivalence import Agreement, equivalence
from bench.statistics.estimate import EffectEstimate
from bench.store.bootstrap import Resamples
from bench.store.folders import Store

Array = npt.NDArray[Any]

PRINTED_STEP = 0.1
"""The paper prints one decimal."""


class Uncertainty:
    """Estimates from the rows of a results frame and, where they were kept, the per-instance results of its records."""

    def __init__(self, frame: pd.DataFrame, store: Store, resamples: Resamples | None = None) -> None:
        """Read nothing yet.

        Args:
            frame: whose rows are asked for, see `bench.load_results`.
            store: that it comes from.
            resamples: of its records, if they are not to be taken as usual.
        """
        self._seeds = {row: part.set_index("seed") for row, part in split_rows(frame).items()}
        self._resamples = Resamples(store) if resamples is None else resamples

    @property
    def problems(self) -> Sequence[str]:
        """Per-instance results that cannot be used; their records are judged as if they had none."""
        return tuple(self._resamples.problems)

    def of(self, row: str, metric: str) -> EffectEstimate | None:
        """The mean of a row's metric over seeds; None where no seed has it."""
        return self.combination({row: 1.0}, metric)

    def intervals(self, metric: str) -> dict[str, tuple[float, float] | None]:
        """The interval of every row's mean, for `summarize_rows`; None where nothing is known of its error."""
        estimates = {row: self.of(row, metric) for row in self._seeds}
        return {row: None if estimate is None else estimate.interval() for row, estimate in estimates.items()}

    def combination(self, terms: Mapping[str, float], metric: str) -> EffectEstimate | None:
        """A weighted sum of rows' means, images paired; None where a row is not measured.

        Rows that measure the same trainings in several ways are paired by seed too, over the seeds that all of them
        have.
        """
        combination = self._combine(terms, metric)
        return None if combination is None else combination.estimate()

    def estimator(self, rows: Sequence[str], metric: str) -> Callable[[Mapping[str, float]], EffectEstimate] | None:
        """What `combination` gives for any weights of the same rows; None where a row is not measured."""
        combination = self._combine(dict.fromkeys(rows, 1.0), metric)
        ways = list(self._by_kind(dict.fromkeys(rows, 1.0)).values())

        def estimate(terms: Mapping[str, float]) -> EffectEstimate:
            assert combination is not None, "else nobody has this function"
            weights = [np.array([terms[row] for row in way]) for way in ways]
            kinds = zip(combination.kinds, weights, strict=True)
            return Combination(tuple(replace(kind, weights=own) for kind, own in kinds)).estimate()

        return None if combination is None else estimate

    def seeds_needed(self, terms: Mapping[str, float], metric: str, effect: float) -> int | None:
        """Seeds in all of each training that would show an effect; None where that is not known, or absurdly many."""
        combination = self._combine(terms, metric)
        return None if combination is None else combination.seeds_needed(effect)

    def agreement(self, row: str, metric: str, published: float, margin: float) -> Agreement | None:
        """Whether the metric is within `margin` of a published number; None where it is not measured.

        The paper measured on the same images, so these count only where a single seed says nothing of its own error.
        Its numbers are rounded to `PRINTED_STEP` in print units: an error that is uniform over a step.
        """
        combination = self._combine({row: 1.0}, metric)
        if combination is None:
            return None
        estimate = combination.estimate_on_these_images()
        difference = EffectEstimate(estimate.value - published, estimate.error, estimate.freedom)
        step = PRINTED_STEP / in_print_units(metric, 1)
        return equivalence(difference.widened(step**2 / 12), margin).agreement

    def _by_kind(self, terms: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """Weights by row, those that measure the same trainings together."""
        kinds: dict[str, dict[str, float]] = {}
        for row, weight in terms.items():
            kinds.setdefault(self._seeds[row]["training_kind"].iloc[0], {})[row] = weight
        return kinds

    def _combine(self, terms: Mapping[str, float], metric: str) -> Combination | None:
        groups = [self._group(weights, metric) for weights in self._by_kind(terms).values()]
        measured = tuple(group for group in groups if group is not None)
        return Combination(measured) if measured and len(measured) == len(groups) else None

    def _group(self, weights: Mapping[str, float], metric: str) -> TrainingGroup | None:
        """Ways of measuring the same trainings, over the seeds that were measured in all of them."""
        ways = [self._seeds[row] for row in weights]
        if metric not in ways[0]:
            return None
        values = pd.concat([way[metric] for way in ways], axis="columns", join="inner").dropna()
        if values.empty:
            return None
        evaluations = np.stack([way["evaluation"].loc[values.index] for way in ways], axis=1)
        resampled, units = self._resample(evaluations.ravel().tolist(), metric)
        if resampled is not None:
            resampled = resampled.reshape(*values.shape, -1)
        return TrainingGroup(np.array(list(weights.values()), dtype=np.float64), values.to_numpy(), resampled, units)

    def _resample(self, evaluations: Sequence[str], metric: str) -> tuple[Array | None, int]:
        """The metric of each record over resamples, (records, resamples), and the units; None unless all have them."""
        found = []
        for evaluation in evaluations:
            one = self._resamples.of(evaluation, metric)
            if one is None:
                return None, 0
            found.append(one)
        return np.stack([values for values, _ in found]), min(units for _, units in found)
