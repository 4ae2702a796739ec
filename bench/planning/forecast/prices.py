"""Statistics of forecasts: sums of uncertain times, prices of work, rates of repeated work."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.planning.forecast.work import KINDS

CONFIDENCE = 0.9
"""Probability that the true time lies between the bounds."""

REPEAT_SPREAD = 0.1
"""Assumed standard deviation of the logarithm of the time of repeated runs, before any are measured."""

PRIOR_FREEDOM = 3
"""Weight of `REPEAT_SPREAD` in degrees of freedom."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeEstimate:
    """An uncertain time. Estimates can be added.

    Attributes:
        seconds: median time.
        errors: standard deviations in seconds by cause. Errors with the same cause are fully correlated; different
            causes are independent.
        freedom: degrees of freedom of the standard deviations.
    """

    seconds: float = 0.0
    errors: Mapping[Hashable, float] = field(default_factory=dict)
    freedom: float = math.inf

    def __add__(self, other: TimeEstimate) -> TimeEstimate:
        causes = dict.fromkeys((*self.errors, *other.errors))
        errors = {cause: self.errors.get(cause, 0.0) + other.errors.get(cause, 0.0) for cause in causes}
        return TimeEstimate(self.seconds + other.seconds, errors, min(self.freedom, other.freedom))

    def times(self, factor: float) -> TimeEstimate:
        """The estimate multiplied by a factor."""
        errors = {cause: error * factor for cause, error in self.errors.items()}
        return TimeEstimate(self.seconds * factor, errors, self.freedom)

    @property
    def bounds(self) -> tuple[float, float]:
        """Log-normal interval in seconds with probability `CONFIDENCE`."""
        if not self.seconds:
            return 0.0, 0.0
        from scipy.special import stdtrit  # slow to import, and not needed without measurements

        quantile = float(stdtrit(min(self.freedom, 1e6), (1 + CONFIDENCE) / 2))
        factor = math.exp(quantile * math.hypot(*self.errors.values()) / self.seconds)
        return self.seconds / factor, self.seconds * factor


@dataclass(frozen=True)
class Spread:
    """A standard deviation of logarithms and its degrees of freedom."""

    deviation: float
    freedom: float

    @classmethod
    def pooled(cls, squares: float, freedom: float) -> Spread:
        """Pool a measured sum of squares with the prior, but never below the measurement alone."""
        total = PRIOR_FREEDOM + freedom
        variance = (PRIOR_FREEDOM * REPEAT_SPREAD**2 + squares) / total
        return cls(math.sqrt(max(variance, squares / freedom if freedom else 0.0)), total)


class Rates:
    """Seconds per unit of repeated work, averaged in logarithms."""

    def __init__(self, measured: Iterable[tuple[Hashable, float]]) -> None:
        """Take (key, seconds per unit) of each run; runs with equal keys did the same work."""
        logarithms: dict[Hashable, list[float]] = defaultdict(list)
        for key, seconds in measured:
            logarithms[key].append(math.log(seconds))
        self._logarithms = dict(logarithms)
        squares = sum(float(np.var(values)) * len(values) for values in logarithms.values())
        self._spread = Spread.pooled(squares, sum(len(values) - 1 for values in logarithms.values()))

    def __len__(self) -> int:
        return len(self._logarithms)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._logarithms

    def estimate(self, key: Hashable, units: float, run: Hashable) -> TimeEstimate:
        """Time of one more run. Its error is that of the mean rate, shared by all runs, and that of the run itself."""
        values = self._logarithms[key]
        seconds = units * math.exp(float(np.mean(values)))
        error = seconds * self._spread.deviation
        errors: dict[Hashable, float] = {("rate", key): error / math.sqrt(len(values)), ("run", run): error}
        return TimeEstimate(seconds, errors, self._spread.freedom)


@dataclass(frozen=True, eq=False)
class Observation:
    """The measured time of some work of a network."""

    network: str
    work: Array
    seconds: float


class Prices:
    """Seconds per unit of each kind of work, with a factor for each measured network.

    Attributes:
        values: price of each of `KINDS`.
    """

    def __init__(self, observations: Sequence[Observation]) -> None:
        """Fit the prices; `sufficient(observations)` must be true."""
        from scipy.optimize import nnls

        work = np.array([item.work for item in observations])
        seconds = np.array([item.seconds for item in observations])
        relative = work / seconds[:, None]
        scales = np.linalg.norm(relative, axis=0)
        self.values: Array = nnls(relative / scales, np.ones(len(seconds)))[0] / scales
        # Prices of zero are uncertain too.
        covariance = np.linalg.inv((relative / scales).T @ (relative / scales)) / np.outer(scales, scales)
        self._root: Array = np.linalg.cholesky(covariance).astype(np.float64)
        residuals: dict[str, list[float]] = defaultdict(list)
        for item, expected in zip(observations, work @ self.values, strict=True):
            residuals[item.network].append(math.log(item.seconds / expected))
        self._residuals = dict(residuals)
        self._within, self._between = _spreads(self._residuals)

    @staticmethod
    def sufficient(observations: Sequence[Observation]) -> bool:
        """Whether the observations determine all prices, with degrees of freedom left."""
        if len(observations) <= len(KINDS):
            return False
        relative = np.array([item.work / item.seconds for item in observations])
        scales = np.linalg.norm(relative, axis=0)
        return bool(scales.all()) and int(np.linalg.matrix_rank(relative / scales)) == len(KINDS)

    def estimate(self, network: str, work: Array) -> TimeEstimate:
        """Estimated time of some work of a network."""
        known = self._residuals.get(network)
        spread = self._between if known is None else self._within
        factor = 1.0 if known is None else math.exp(float(np.mean(known)))
        seconds = factor * float(work @ self.values)
        own = spread.deviation * (1.0 if known is None else math.sqrt(1 + 1 / len(known)))
        shared = spread.deviation * factor * (work @ self._root)
        errors: dict[Hashable, float] = {("price", number): float(error) for number, error in enumerate(shared)}
        return TimeEstimate(seconds, errors | {("network", network): own * seconds}, spread.freedom)


def _spreads(residuals: Mapping[str, Sequence[float]]) -> tuple[Spread, Spread]:
    """Spread within networks, about each one's mean residual, and between networks, about the prices.

    Observations of one network are correlated. So the second spread has one degree of freedom per network, less one for
    the prices, and is corrected for that in addition to the degrees of freedom of the fit.
    """
    count, networks = sum(map(len, residuals.values())), len(residuals)
    inner = sum(float(np.var(values)) * len(values) for values in residuals.values())
    outer = sum(float(np.square(values).sum()) for values in residuals.values())
    freedom = max(networks - 1, 1)
    mean_square = outer / (count - len(KINDS)) * networks / freedom
    within = Spread.pooled(inner, max(count - networks - len(KINDS) + 1, 0))
    between = Spread.pooled(freedom * mean_square, freedom)
    return within, between
