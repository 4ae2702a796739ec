"""The uncertainty of a report's numbers: what is paired, what is read, and what is said of unusable files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.analysis.results import Results
from bench.analysis.uncertainty import Uncertainty
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.statistics.estimate import EffectEstimate
from bench.store.bootstrap import Resamples
from bench.store.folders import Store
from tests.unit.made_up import MadeUp, MeanPerInstance, records_of, row_of

CELL = {"backbone": "simba_tiny", "input_size": "64x64"}
SEEDS = (0.50, 0.52, 0.51)
GAIN = (0.10, 0.101, 0.099)


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


def scores(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float]:
    """SimDR well above heatmaps, whose refinement gains almost the same with every seed."""
    seed = training.spec.seed
    level = SEEDS[seed] + 0.2 * (training.spec.representation == "simdr")
    return {"AP": level + GAIN[seed] * (evaluation.spec.post_process != "none"), "AR": level + 0.1, "mean_oks": 0.9}


def one_seed(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float] | None:
    return scores(training, evaluation) if training.spec.seed == 0 else None


def rows(results: Results) -> tuple[str, str, str]:
    """Refined heatmaps, heatmaps as they are, and SimDR, in one cell."""
    return (
        row_of(results, **CELL, post_process="quarter"),
        row_of(results, **CELL, representation="heatmap", post_process="none"),
        row_of(results, **CELL, representation="simdr"),
    )


def certain(estimate: EffectEstimate | None) -> tuple[EffectEstimate, float]:
    """The estimate and its error, both of which must be there."""
    assert estimate is not None
    assert estimate.error is not None
    return estimate, estimate.error


def judged(metrics: Mapping[str, float]) -> MeanPerInstance:
    """50 images around a metric; the same ones are difficult whatever is measured on them."""
    difficulty = np.random.default_rng(0).normal(0, 0.2, 50)
    return MeanPerInstance({name: value + difficulty - difficulty.mean() for name, value in metrics.items()})


def test_over_seeds(made_up: MadeUp) -> None:
    made_up.fill(scores)
    results = made_up.results()
    uncertainty, (refined, plain, simdr) = made_up.uncertainty(results), rows(results)
    estimate, _ = certain(uncertainty.of(simdr, "AP"))
    expected = stats.ttest_1samp([value + 0.2 for value in SEEDS], 0).confidence_interval(0.95)
    assert estimate.interval() == pytest.approx(tuple(expected))
    assert (estimate.seeds, estimate.sources) == (3, ("seeds",))
    gain, error = certain(uncertainty.combination({refined: 1.0, plain: -1.0}, "AP"))
    assert gain.value == pytest.approx(np.mean(GAIN))
    assert error == pytest.approx(stats.sem(GAIN)), "two ways to measure the same weights are paired"
    lead, error = certain(uncertainty.combination({simdr: 1.0, plain: -1.0}, "AP"))
    assert lead.value == pytest.approx(0.2)
    assert error == pytest.approx(math.sqrt(2) * stats.sem(SEEDS)), "other weights are independent"
    assert made_up.loaded == []


def test_only_seeds_that_were_measured_in_all_ways_are_paired(made_up: MadeUp) -> None:
    def partly(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float] | None:
        refined = evaluation.spec.post_process != "none"
        return None if training.spec.seed == (2 if refined else 0) else scores(training, evaluation)

    made_up.fill(partly)
    results = made_up.results()
    uncertainty, (refined, plain, _) = made_up.uncertainty(results), rows(results)
    gain = uncertainty.combination({refined: 1.0, plain: -1.0}, "AP")
    assert gain == EffectEstimate(pytest.approx(GAIN[1]), seeds=1)
    only_two = uncertainty.of(plain, "AP")
    assert only_two is not None
    assert (only_two.value, only_two.seeds) == (pytest.approx(np.mean(SEEDS[1:])), 2)


def test_what_is_not_measured_has_no_estimate(made_up: MadeUp) -> None:
    made_up.fill(lambda *cell: {**scores(*cell), "APL": -1.0} if cell[0].spec.representation == "simdr" else None)
    results = made_up.results()
    uncertainty, (refined, _, simdr) = made_up.uncertainty(results), rows(results)
    assert uncertainty.of(refined, "AP") is None
    assert uncertainty.of(simdr, "APL") is None, "COCO's -1 stands for nobody"
    assert uncertainty.of(simdr, "AP_E") is None
    assert uncertainty.combination({simdr: 1.0, refined: -1.0}, "AP") is None
    assert uncertainty.agreement(refined, "AP", 0.5, 0.01) is None
    assert uncertainty.seeds_needed({refined: 1.0}, "AP", 0.1) is None


def test_images_are_paired_and_read_when_asked_for(made_up: MadeUp) -> None:
    made_up.fill(one_seed, judged)
    results = made_up.results()
    uncertainty, (refined, plain, simdr) = made_up.uncertainty(results), rows(results)
    assert made_up.loaded == []
    alone, error = certain(uncertainty.of(simdr, "AP"))
    images = made_up.judged[records_of(results, simdr)[0].id].images["AP"]
    assert (alone.sources, alone.freedom) == (("images",), 49)
    assert error == pytest.approx(stats.sem(images), rel=0.1)
    _, error = certain(uncertainty.combination({simdr: 1.0, plain: -1.0}, "AP"))
    assert error < 1e-9, "these images differ by the same amount"
    # What was resampled once is not resampled again, and another metric needs no second reading.
    before = len(made_up.loaded)
    assert before == 2
    uncertainty.of(simdr, "AP")
    uncertainty.of(simdr, "AR")
    assert len(made_up.loaded) == before
    assert records_of(results, refined)[0].id not in made_up.loaded


def test_seeds_and_images_are_added(made_up: MadeUp) -> None:
    made_up.fill(scores, judged)
    results = made_up.results()
    uncertainty, (*_, simdr) = made_up.uncertainty(results), rows(results)
    estimate, error = certain(uncertainty.of(simdr, "AP"))
    images = made_up.judged[records_of(results, simdr)[0].id].images["AP"]
    assert estimate.sources == ("seeds", "images")
    assert error == pytest.approx(math.hypot(stats.sem(SEEDS), stats.sem(images)), rel=0.1)


def test_records_without_per_instance_or_with_broken_ones_have_seeds_only(made_up: MadeUp) -> None:
    made_up.fill(scores, judged)
    results = made_up.results()
    uncertainty, (refined, plain, simdr) = made_up.uncertainty(results), rows(results)
    made_up.store.evaluation(records_of(results, plain)[0].id).per_instance.unlink()
    del made_up.judged[records_of(results, simdr)[1].id]
    for row in (plain, simdr):
        estimate, _ = certain(uncertainty.of(row, "AP"))
        assert estimate.sources == ("seeds",)
        uncertainty.of(row, "AR")
    broken = made_up.store.evaluation(records_of(results, simdr)[1].id).per_instance
    assert uncertainty.problems == (f"{broken}: broken",), "named once"
    estimate, _ = certain(uncertainty.of(refined, "AP"))
    assert "images" in estimate.sources


def test_metrics_that_per_instance_do_not_know_have_seeds_only(made_up: MadeUp) -> None:
    made_up.fill(lambda *cell: {**scores(*cell), "AR50": 0.4}, lambda metrics: judged({"AP": metrics["AP"]}))
    results = made_up.results()
    uncertainty = made_up.uncertainty(results)
    estimate, _ = certain(uncertainty.of(rows(results)[0], "AR50"))
    assert estimate.sources == ("seeds",)
    assert "unknown metric 'AR50'" in uncertainty.problems[0]


@pytest.mark.parametrize(
    ("published", "margin", "agreement"),
    [(0.71, 0.05, "equivalent"), (0.71, 0.01, "undecided"), (0.80, 0.02, "different"), (0.75, 0.05, "undecided")],
)
def test_agreement_over_seeds(made_up: MadeUp, published: float, margin: float, agreement: str) -> None:
    """SimDR has 0.71 ± 0.01 over three seeds."""
    made_up.fill(scores, judged)
    results = made_up.results()
    *_, simdr = rows(results)
    assert made_up.uncertainty(results).agreement(simdr, "AP", published, margin) == agreement


def test_images_stand_in_for_one_seed_and_the_papers_rounding_counts(made_up: MadeUp) -> None:
    made_up.fill(one_seed)
    results = made_up.results()
    *_, simdr = rows(results)
    assert made_up.uncertainty(results).agreement(simdr, "AP", 0.7, 0.5) == "undecided", "one number, no error"
    flat = {name: np.full(50, value) for name, value in records_of(results, simdr)[0].metrics.items()}
    made_up.judge(records_of(results, simdr)[0].id, MeanPerInstance(flat))
    # Images without any spread leave the rounding of 0.700, which has a standard error of 0.1 / sqrt(12) points.
    uncertainty = made_up.uncertainty(results)
    step = 0.001 / math.sqrt(12)
    assert uncertainty.agreement(simdr, "AP", 0.7, 1.7 * step) == "equivalent"
    assert uncertainty.agreement(simdr, "AP", 0.7, 1.6 * step) == "undecided"
    assert uncertainty.agreement(simdr, "AP", 0.7 - 2.1 * step, 0.1 * step) == "different"
    assert uncertainty.agreement(simdr, "AP", 0.7 - 2.0 * step, 0.1 * step) == "undecided"


def test_seeds_needed(made_up: MadeUp) -> None:
    made_up.fill(scores)
    results = made_up.results()
    _, plain, simdr = rows(results)
    needed = made_up.uncertainty(results).seeds_needed({simdr: 1.0, plain: -1.0}, "AP", 0.01)
    assert needed == 17, "the effect is as large as the deviation of either: the two-sample t test's textbook case"


def test_nothing_is_read_or_drawn_before_it_is_asked_for(tmp_path: Path) -> None:
    made_up = MadeUp(tmp_path)
    made_up.fill(scores)

    def refuse(path: Path) -> MeanPerInstance:
        raise AssertionError(f"{path} was read")

    store = Store(tmp_path / "results")
    results = made_up.results()
    uncertainty = Uncertainty(results.frame, store, Resamples(store, load=refuse))
    for row in results.rows.index:
        assert uncertainty.of(row, "AP") is not None
    assert uncertainty.problems == ()


def test_resamples_are_computed_once_and_again_when_per_instance_change(made_up: MadeUp) -> None:
    made_up.fill(one_seed, judged)
    results = made_up.results()
    *_, simdr = rows(results)
    record = records_of(results, simdr)[0].id
    first = made_up.uncertainty(results).of(simdr, "AP")
    assert made_up.loaded == [record]
    # Another report reads what this one computed, and adds to it.
    again = made_up.uncertainty(results)
    assert again.of(simdr, "AP") == first
    assert made_up.loaded == [record]
    ar = again.of(simdr, "AR")
    assert made_up.loaded == [record] * 2
    third = made_up.uncertainty(results)
    assert (third.of(simdr, "AP"), third.of(simdr, "AR")) == (first, ar)
    assert made_up.loaded == [record] * 2
    # Other per-instance results, and a broken file, are not taken for it.
    made_up.judge(record, MeanPerInstance({"AP": np.linspace(0, 1, 50)}))
    changed, error = certain(made_up.uncertainty(results).of(simdr, "AP"))
    assert error > 1.5 * certain(first)[1]
    file = made_up.store.evaluation(record).resamples
    file.write_bytes(b"broken")
    assert made_up.uncertainty(results).of(simdr, "AP") == changed


def test_a_folder_that_cannot_be_written_costs_only_time(made_up: MadeUp) -> None:
    made_up.fill(one_seed, judged)
    results = made_up.results()
    *_, simdr = rows(results)
    made_up.store.evaluation(records_of(results, simdr)[0].id).resamples.mkdir()
    for _ in range(2):
        estimate, _error = certain(made_up.uncertainty(results).of(simdr, "AP"))
        assert estimate.sources == ("images",)
    assert len(made_up.loaded) == 2
