"""Weighted sums of what several kinds of training reach: their error over seeds, over images, and over both.

The formulas and the reasons for them are in docs/statistics.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.statistics.estimate import EffectEstimate, Source
from bench.statistics.power import seeds_needed
from bench.statistics.resampling import bootstrap_variance
from bench.statistics.variances import Variance, add_safely, add_welch

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TrainingGroup:
    """Trainings that differ in their seed alone, each measured in the same ways.

    Attributes:
        weights: (ways,) of the sum.
        values: (seeds, ways) of a metric.
        resampled: (seeds, ways, resamples) of the metric, NaN where it is undefined; None where it is not known.
        units: that were resampled.
    """

    weights: Array
    values: Array
    resampled: Array | None = None
    units: int = 0

    @property
    def seeds(self) -> int:
        """Trainings."""
        return len(self.values)

    @property
    def share(self) -> Array:
        """What each seed adds to the sum, (seeds,)."""
        return self.values @ self.weights

    @property
    def resampled_share(self) -> Array | None:
        """What each seed adds to the sum, (seeds, resamples)."""
        return None if self.resampled is None else np.einsum("swr,w->sr", self.resampled, self.weights)


@dataclass(frozen=True, eq=False)
class Combination:
    """A weighted sum of means over seeds.

    Attributes:
        kinds: trainings that differ in more than their seed, and are therefore independent of one another.
    """

    kinds: tuple[TrainingGroup, ...]

    @cached_property
    def value(self) -> float:
        """The sum."""
        return float(sum(kind.share.mean() for kind in self.kinds))

    def estimate(self) -> EffectEstimate:
        """The sum with its error over seeds and images, as far as they are known."""
        over_seeds, over_images = self._over_seeds, self._over_images
        if over_seeds is None:
            return self._estimate(over_images, "images")
        if over_images is None:
            return self._estimate(over_seeds, "seeds")
        added = max(0.0, over_images.value - self._counted_twice)
        # Never below what images alone make of it: the two parts are estimates, and so is what they share.
        added = max(added, over_images.value - over_seeds.value)
        combined = add_safely([over_seeds, replace(over_images, value=added)])
        return self._estimate(combined, "seeds", "images")

    def estimate_on_these_images(self) -> EffectEstimate:
        """The sum with its error over seeds; over images only in place of seeds, where nothing is known of these.

        For comparisons with a number that was measured on the same images, whose choice is no chance between the two.
        """
        if self._over_seeds is not None:
            return self._estimate(self._over_seeds, "seeds")
        return self._estimate(self._over_images, "images")

    def seeds_needed(self, effect: float) -> int | None:
        """Seeds of every kind that would show an effect with the usual power; None where that is not known, or absurd.

        Their deviations are taken to stay as they are; what the images add stays too.
        """
        if self._over_seeds is None:
            return None
        fixed = max(0.0, (self.estimate().error or 0.0) ** 2 - self._over_seeds.value)
        return seeds_needed(effect, [math.sqrt(variance) for variance in self._share_variances], fixed=fixed)

    def _estimate(self, variance: Variance | None, *sources: Source) -> EffectEstimate:
        seeds = min(kind.seeds for kind in self.kinds)
        if variance is None:
            return EffectEstimate(self.value, seeds=seeds)
        return EffectEstimate(self.value, math.sqrt(variance.value), variance.freedom, seeds, sources)

    @cached_property
    def _repeated(self) -> tuple[TrainingGroup, ...]:
        return tuple(kind for kind in self.kinds if kind.seeds > 1)

    @cached_property
    def _pooled(self) -> Variance:
        """Variance between seeds of one measurement, pooled over the kinds with several seeds."""
        freedoms = [kind.seeds - 1 for kind in self._repeated]
        variances = [float(np.var(kind.values, axis=0, ddof=1).mean()) for kind in self._repeated]
        return Variance(float(np.average(variances, weights=freedoms)), sum(freedoms))

    @cached_property
    def _share_variances(self) -> list[float]:
        """Variance between seeds of what each kind adds to the sum.

        A kind with one seed is taken to vary like the others' measurements, and its ways of measuring to err in the
        worst way together.
        """
        return [
            float(np.var(kind.share, ddof=1))
            if kind.seeds > 1
            else float(np.abs(kind.weights).sum()) ** 2 * self._pooled.value
            for kind in self.kinds
        ]

    @cached_property
    def _over_seeds(self) -> Variance | None:
        """Variance over seeds by Welch and Satterthwaite; None where no kind has several."""
        if not self._repeated:
            return None
        shares = list(zip(self.kinds, self._share_variances, strict=True))
        known = [Variance(variance / kind.seeds, kind.seeds - 1) for kind, variance in shares if kind.seeds > 1]
        total, borrowed = add_welch(known), sum(variance for kind, variance in shares if kind.seeds == 1)
        if not borrowed:
            return total
        # What is borrowed was estimated from the same seeds: the two err together, so their errors add up unsquared.
        error = total.value / math.sqrt(total.freedom) + borrowed / math.sqrt(self._pooled.freedom)
        return Variance(total.value + borrowed, ((total.value + borrowed) / error) ** 2)

    @cached_property
    def _over_images(self) -> Variance | None:
        """Variance over images of the sum; None unless every measurement can be resampled."""
        shares = [kind.resampled_share for kind in self.kinds]
        known = [share.mean(axis=0) for share in shares if share is not None]
        if len(known) < len(shares):
            return None
        units = min(kind.units for kind in self.kinds)
        variance = bootstrap_variance(np.sum(known, axis=0), units)
        return None if variance is None else Variance(variance, units - 1)

    @cached_property
    def _counted_twice(self) -> float:
        """What differs between seeds from image to image: in the variance over seeds and in that over images."""
        twice = 0.0
        for kind in self._repeated:
            share = kind.resampled_share
            if share is None:
                return 0.0
            single = [bootstrap_variance(seed, kind.units) or 0.0 for seed in share]
            together = bootstrap_variance(share.mean(axis=0), kind.units) or 0.0
            twice += max(0.0, float(np.mean(single)) - together) / (kind.seeds - 1)
        return twice
