"""Intervals, equivalence and power against SciPy's tests, and how often the intervals hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.statistics.combination import Combination, TrainingGroup
from bench.statistics.equivalence import equivalence
from bench.statistics.estimate import EffectEstimate
from bench.statistics.power import MOST_SEEDS, power_of, seeds_needed
from bench.statistics.resampling import bootstrap_variance, resample_counts
from bench.statistics.variances import Variance, add_safely, add_welch

Array = npt.NDArray[np.float64]

FIVE = [0.71, 0.7, 0.725, 0.718, 0.702]
THREE = [0.65, 0.66, 0.643]

values = st.lists(st.floats(-10, 10), min_size=2, max_size=8).filter(lambda found: np.std(found) > 1e-3)


def kind(weight: float, seeds: Sequence[float]) -> TrainingGroup:
    """Trainings measured in one way, over seeds only."""
    return TrainingGroup(np.array([weight]), np.array(seeds)[:, None])


def over_seeds(*kinds: TrainingGroup) -> EffectEstimate:
    return Combination(kinds).estimate()


def confidence(result: object, level: float = 0.95) -> tuple[float, float]:
    return tuple(result.confidence_interval(level))  # type: ignore[attr-defined, return-value]


# Over seeds.


@given(seeds=values)
def test_the_mean_over_seeds_is_students(seeds: list[float]) -> None:
    expected = confidence(stats.ttest_1samp(seeds, 0))
    assert over_seeds(kind(1, seeds)).interval() == pytest.approx(expected)


@given(one=values, other=values)
def test_two_kinds_of_training_are_compared_as_by_welch(one: list[float], other: list[float]) -> None:
    estimate = over_seeds(kind(1, one), kind(-1, other))
    test = stats.ttest_ind(one, other, equal_var=False)
    assert estimate.freedom == pytest.approx(test.df)
    assert estimate.interval() == pytest.approx(confidence(test))


@given(pairs=st.lists(st.tuples(st.floats(-10, 10), st.floats(-1, 1)), min_size=2, max_size=8))
def test_two_ways_of_measuring_the_same_trainings_are_paired(pairs: list[tuple[float, float]]) -> None:
    level, gain = np.array(pairs).T
    both = TrainingGroup(np.array([1.0, -1.0]), np.column_stack([level + gain, level]))
    low, high = over_seeds(both).interval() or (math.nan, math.nan)
    expected = over_seeds(kind(1, gain)).interval()
    assert (low, high) == pytest.approx(expected, abs=1e-9)


def test_weights_scale_and_add() -> None:
    estimate = over_seeds(kind(2, FIVE), kind(-0.5, THREE))
    assert estimate.value == pytest.approx(2 * np.mean(FIVE) - 0.5 * np.mean(THREE))
    assert estimate.error == pytest.approx(math.hypot(2 * stats.sem(FIVE), 0.5 * stats.sem(THREE)))
    assert (estimate.seeds, estimate.sources) == (3, ("seeds",))


def test_one_seed_says_nothing_of_its_error() -> None:
    assert over_seeds(kind(1, [0.7])) == EffectEstimate(0.7)
    alone = over_seeds(kind(1, [0.7]), kind(-1, [0.6]))
    assert alone.error is None
    assert alone.interval() is None
    assert alone.sources == ()


def test_one_seed_among_several_borrows_their_deviation_and_never_errs_less_than_they_do() -> None:
    """By hand: the variance of FIVE for its own mean, and whole for the single seed; as sure as FIVE's deviation is."""
    estimate = over_seeds(kind(1, FIVE), kind(-1, [0.6]))
    variance = np.var(FIVE, ddof=1)
    assert estimate.error == pytest.approx(math.sqrt(variance / 5 + variance))
    assert estimate.freedom == pytest.approx(4)
    assert estimate.seeds == 1
    mixed = over_seeds(kind(1, FIVE), kind(1, THREE), kind(-1, [0.6]))
    parts = [np.var(FIVE, ddof=1), np.var(THREE, ddof=1)]
    pooled = np.average(parts, weights=[4, 2])
    assert mixed.error == pytest.approx(math.sqrt(parts[0] / 5 + parts[1] / 3 + pooled))
    assert 2 <= mixed.freedom <= 6


def test_ways_of_measuring_a_single_training_are_taken_to_err_in_the_worst_way() -> None:
    single = TrainingGroup(np.array([1.0, -1.0]), np.array([[0.7, 0.6]]))
    estimate = over_seeds(kind(1, FIVE), single)
    variance = np.var(FIVE, ddof=1)
    assert estimate.error == pytest.approx(math.sqrt(variance / 5 + 4 * variance))


def test_equal_seeds_have_an_error_of_zero() -> None:
    assert over_seeds(kind(1, [0.5, 0.5]), kind(-1, [0.4, 0.4])).interval() == pytest.approx((0.1, 0.1))


# Sums of variances.


@given(parts=st.lists(st.tuples(st.floats(1e-6, 1e3), st.integers(1, 50)), min_size=1, max_size=4))
def test_added_variances_have_freedom_between_the_least_and_the_sum(parts: list[tuple[float, int]]) -> None:
    variances = [Variance(value, freedom) for value, freedom in parts]
    least, most = min(freedom for _, freedom in parts), sum(freedom for _, freedom in parts)
    for add in (add_welch, add_safely):
        total = add(variances)
        assert total.value == pytest.approx(sum(value for value, _ in parts))
        assert total.freedom >= least * (1 - 1e-6)
    assert add_welch(variances).freedom <= most * (1 + 1e-9)
    # Banerjee's interval: what each part reaches alone, squared and added.
    reach = sum(value * stats.t.ppf(0.975, freedom) ** 2 for value, freedom in parts)
    _, high = EffectEstimate(0, math.sqrt(total.value), total.freedom).interval() or (0, 0)
    assert high == pytest.approx(math.sqrt(reach), rel=1e-6)


def test_known_variances_stay_known() -> None:
    assert add_safely([Variance(1), Variance(2)]) == Variance(3)
    assert add_safely([Variance(0, 3), Variance(0)]) == Variance(0, 3)
    assert add_welch([Variance(1), Variance(2)]) == Variance(3)
    assert EffectEstimate(1, 0.3, 4).widened(0.16).error == pytest.approx(0.5)
    assert EffectEstimate(1).widened(0.16) == EffectEstimate(1)


# Over images.


def test_resamples_are_draws_with_replacement_that_depend_on_the_units_alone() -> None:
    counts = resample_counts(50, "images", 400)
    assert counts.shape == (400, 50)
    assert (counts.sum(axis=1) == 50).all()
    # Each count is binomial with 50 tries of 1 in 50.
    assert counts.mean() == 1
    assert counts.var() == pytest.approx(0.98, abs=0.05)
    assert (counts == resample_counts(50, "images", 400)).all()
    other = resample_counts(50, "other images", 400)
    assert abs(np.corrcoef(counts.ravel(), other.ravel())[0, 1]) < 0.05


def test_the_bootstrap_gives_scipys_standard_error() -> None:
    units = np.random.default_rng(0).exponential(size=60)
    counts = resample_counts(60, "units", 4000)
    variance = bootstrap_variance(counts @ units / 60, 60)
    expected = stats.bootstrap((units,), np.mean, n_resamples=4000, rng=np.random.default_rng(1)).standard_error
    assert variance is not None
    assert math.sqrt(variance) == pytest.approx(expected * math.sqrt(60 / 59), rel=0.05)
    assert math.sqrt(variance) == pytest.approx(stats.sem(units), rel=0.05)


def test_resamples_in_which_a_metric_is_undefined_are_left_out() -> None:
    assert bootstrap_variance(np.array([1.0, 2.0, 3.0, np.nan]), 10) == pytest.approx(10 / 9)
    assert bootstrap_variance(np.array([1.0, np.nan, np.nan, np.nan]), 10) is None
    assert bootstrap_variance(np.array([1.0, 2.0]), 1) is None


def imaged(weight: float, seeds: Array, counts: Array) -> TrainingGroup:
    """Trainings whose metric is the mean of what each image gives, (seeds, images)."""
    resampled = (seeds @ counts.T / seeds.shape[1])[:, None, :]
    return TrainingGroup(np.array([weight]), seeds.mean(axis=1, keepdims=True), resampled, seeds.shape[1])


def test_images_are_paired_between_kinds() -> None:
    generator = np.random.default_rng(0)
    difficulty, gain = generator.normal(size=(1, 80)), generator.normal(0.1, 0.1, size=(1, 80))
    counts = resample_counts(80, "images")
    estimate = Combination((imaged(1, difficulty + gain, counts), imaged(-1, difficulty, counts))).estimate()
    assert estimate.error == pytest.approx(stats.sem(gain[0]), rel=0.1)
    assert (estimate.freedom, estimate.seeds, estimate.sources) == (79, 1, ("images",))
    unpaired = Combination((imaged(1, difficulty + gain, counts), imaged(-1, difficulty, resample_counts(80, "b"))))
    assert (unpaired.estimate().error or 0) > 5 * (estimate.error or 1)


def test_images_count_only_where_everything_can_be_resampled() -> None:
    counts = resample_counts(30, "images")
    kinds = (imaged(1, np.random.default_rng(0).normal(size=(1, 30)), counts), kind(-1, [0.5]))
    assert Combination(kinds).estimate().error is None


def test_seeds_and_images_together_are_wider_than_each_alone() -> None:
    generator = np.random.default_rng(3)
    seeds = generator.normal(size=(4, 1)) * 0.1 + generator.normal(size=(4, 60)) + generator.normal(size=60)
    both = Combination((imaged(1, seeds, resample_counts(60, "images")),))
    together, on_these = both.estimate(), both.estimate_on_these_images()
    assert together.sources == ("seeds", "images")
    assert on_these.sources == ("seeds",)
    assert on_these.error == pytest.approx(stats.sem(seeds.mean(axis=1)))
    images_alone = Combination((imaged(1, seeds.mean(axis=0, keepdims=True), resample_counts(60, "images")),))
    assert (together.error or 0) >= max(on_these.error or 1, images_alone.estimate().error or 1)
    assert images_alone.estimate_on_these_images().sources == ("images",)


# How often intervals hold the truth, in made-up experiments of which it is known.

EXPERIMENTS = 2000
BOTH_SIDES = pytest.approx(0.95, abs=0.02)


def coverage(
    weights: Sequence[float],
    *,
    seeds: int,
    between: float,
    images: float,
    single: float,
    resampled: bool,
    experiments: int = EXPERIMENTS,
) -> float:
    """Part of the intervals that hold the truth, which is 0.

    Args:
        weights: of kinds of training.
        seeds: of each kind.
        between: deviation between trainings.
        images: deviation of the images' difficulty, the same for all trainings.
        single: deviation of what one training makes of one image.
        resampled: whether images are resampled.
        experiments: made up.
    """
    generator = np.random.default_rng(7)
    counts = resample_counts(100, "images", 300)
    held = 0
    for _ in range(experiments):
        difficulty = generator.normal(0, images, 100)
        kinds = []
        for weight in weights:
            level = generator.normal(0, between, (seeds, 1))
            trained = level + difficulty + generator.normal(0, single, (seeds, 100))
            kinds.append(imaged(weight, trained, counts) if resampled else kind(weight, trained.mean(axis=1).tolist()))
        low, high = Combination(tuple(kinds)).estimate().interval() or (0, 0)
        held += low <= 0 <= high
    return held / experiments


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_intervals_over_seeds_hold_as_often_as_they_say(weights: list[float]) -> None:
    assert coverage(weights, seeds=4, between=1, images=0, single=0.1, resampled=False) == BOTH_SIDES


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_intervals_over_images_hold_as_often_as_they_say(weights: list[float]) -> None:
    assert coverage(weights, seeds=1, between=0, images=1, single=1, resampled=True) == BOTH_SIDES


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_intervals_over_both_hold_as_often_as_they_say(weights: list[float]) -> None:
    assert coverage(weights, seeds=5, between=0.1, images=1, single=1, resampled=True) == BOTH_SIDES


@pytest.mark.parametrize(("seeds", "between", "images"), [(2, 0.3, 0.3), (3, 0.3, 0.3), (2, 0.1, 0.0), (3, 0.0, 1.0)])
def test_intervals_over_both_never_promise_too_much(seeds: int, between: float, images: float) -> None:
    """Few seeds, where Satterthwaite's rule alone would hold in 88 of 100 cases only."""
    held = coverage([1.0], seeds=seeds, between=between, images=images, single=0.3, resampled=True, experiments=1000)
    assert held >= 0.94


# Equivalence.


@given(seeds=values, margin=st.floats(0.01, 10))
def test_equivalence_is_two_one_sided_t_tests(seeds: list[float], margin: float) -> None:
    found = equivalence(over_seeds(kind(1, seeds)), margin)
    above = stats.ttest_1samp(seeds, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(seeds, margin, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below), abs=1e-9)
    low, high = confidence(stats.ttest_1samp(seeds, 0), 0.9)
    if abs(max(above, below) - 0.05) > 1e-6:
        assert (found.agreement == "equivalent") == (-margin < low and high < margin)


@pytest.mark.parametrize(
    ("estimate", "agreement"),
    [
        (EffectEstimate(0.1, 0.1, 10), "equivalent"),
        (EffectEstimate(0.4, 0.1, 10), "undecided"),
        (EffectEstimate(0.6, 0.2, 10), "undecided"),
        (EffectEstimate(0.9, 0.1, 10), "different"),
        (EffectEstimate(-0.9, 0.1, 10), "different"),
        (EffectEstimate(0.1), "undecided"),
        (EffectEstimate(0.1, 0.0), "equivalent"),
        (EffectEstimate(0.7, 0.0), "different"),
        (EffectEstimate(0.0, 5.0, 2), "undecided"),
    ],
)
def test_closeness_and_distance_must_be_shown(estimate: EffectEstimate, agreement: str) -> None:
    assert equivalence(estimate, 0.5).agreement == agreement


# Power.


@pytest.mark.parametrize(("effect", "seeds"), [(1.0, 17), (0.5, 64), (2.0, 6)])
def test_seeds_of_the_two_sample_t_test(effect: float, seeds: int) -> None:
    """The group sizes that tables of the t test give for 80% power at a level of 5%."""
    assert seeds_needed(effect, [1.0, 1.0]) == seeds


def test_power_is_what_simulated_tests_find() -> None:
    generator = np.random.default_rng(0)
    one = generator.normal(1.5, 1.0, (4, 20_000))
    other = generator.normal(0.0, 0.6, (4, 20_000))
    test = stats.ttest_ind(one, other, equal_var=False)
    found = np.mean((test.pvalue < 0.05) & (test.statistic > 0))
    assert power_of(1.5, [1.0, 0.6], 4) == pytest.approx(found, abs=0.03)  # Welch is an approximation


def test_what_seeds_do_not_reduce_can_make_them_useless() -> None:
    assert seeds_needed(1.0, [0.1], fixed=1.0) is None
    few, more = seeds_needed(1.0, [0.3]), seeds_needed(1.0, [0.3], fixed=0.05)
    assert few is not None
    assert more is not None
    assert few < more < MOST_SEEDS


@given(effect=st.floats(-1e3, 1e3), deviations=st.lists(st.floats(0, 1e3), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_seeds_needed_are_the_fewest(effect: float, deviations: list[float]) -> None:
    found = seeds_needed(effect, deviations)
    if found is None:
        assert power_of(effect, deviations, MOST_SEEDS) < 0.8
        return
    assert power_of(effect, deviations, found) >= 0.8
    assert found == 2 or power_of(effect, deviations, found - 1) < 0.8


def test_a_combination_counts_its_own_seeds() -> None:
    deviation = float(np.std(THREE, ddof=1))
    both = Combination((kind(1, THREE), kind(-1, [value + 0.01 for value in THREE])))
    assert both.seeds_needed(0.01) == seeds_needed(0.01, [deviation, deviation])
    assert Combination((kind(1, [0.7]),)).seeds_needed(0.01) is None
