"""Variants beside their rows: how far each choice moves a metric, and which claims hang on one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.analysis.sensitivity import Sensitivity
from bench.analysis.verdicts import judge
from bench.files import write_json
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.report.claims import claims_table
from bench.report.plots import draw_sensitivity
from bench.report.sensitivity_table import budget_table, choices_table
from bench.store.documents import ErrorBudget, Variant, Variants
from bench.suite.variants import variants_of
from tests.unit.made_up import SUITE, MadeUp, records_of, row_of

CLAIM = """claims:
  - {id: gain, says: Gains, that: "AP[simdr] - AP[heatmap, post_process] > 0", at: {input_size: 64x64}, matters: 0.01}
"""
MOVES: Mapping[tuple[str, str], float] = {
    ("flip_test", "off"): -0.03,
    ("evaluator", "box_areas"): 0.05,
    ("nms_threshold", "0.5"): 0.0,
    ("post_process", "none"): -0.1,
}
"""By how much choices move each made-up record."""

SIMDR_MORE = 0.05
"""What a flip test gives SimDR more than heatmaps."""


def scores(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, float]:
    spec = training.spec
    return {"AP": 0.5 + 0.02 * (spec.representation == "simdr") + 0.003 * spec.seed, "AR": 0.6}


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    """Records of a suite with some of their variants."""
    made_up = MadeUp(tmp_path, SUITE + CLAIM)
    made_up.fill(scores)
    for record in made_up.results().records.values():
        listed = []
        for variant in variants_of(record.training, record.spec):
            move = MOVES.get((variant.setting, variant.words))
            if move is None:
                continue
            more = SIMDR_MORE if record.training.representation == "simdr" and variant.setting == "flip_test" else 0
            metrics = {"AP": record.metrics["AP"] + move - more + 0.001 * record.training.seed}
            changed = record.model_copy(
                update={"id": variant.spec.id, "spec": variant.spec, "metrics": metrics, "outputs_of": record.id}
            )
            folder = made_up.store.evaluation(variant.spec.id)
            if not folder.record_file.exists():
                write_json(folder.record_file, changed.model_dump(mode="json"))
            listed.append(Variant(setting=variant.setting, value=variant.words, evaluation=variant.spec.id))
        write_json(made_up.store.evaluation(record.id).variants_file, Variants(variants=listed).model_dump(mode="json"))
    return made_up


def collected(made_up: MadeUp) -> Sensitivity:
    return Sensitivity.collect(made_up.results(), made_up.store, "AP")


def test_moves_are_paired_over_seeds_and_sorted(made_up: MadeUp) -> None:
    results = made_up.results()
    row = row_of(results, representation="simdr", backbone="simba_tiny", input_size="64x64")
    found = [one for one in collected(made_up).effects if one.row == row]
    assert [(one.setting, one.value) for one in found] == [
        ("flip_test", "off"), ("evaluator", "box_areas"), ("nms_threshold", "0.5"),
    ]  # fmt: skip
    assert found[0].effect.value == pytest.approx(-0.03 - SIMDR_MORE + 0.001)
    interval = found[0].effect.interval()
    assert interval is not None
    assert interval[1] - interval[0] < 0.01  # the seeds' own levels, 0.003 apart, are not in it
    assert len(found[0].evaluations) == 3


def test_a_claim_hangs_on_the_choice_that_puts_it_on_the_other_side(made_up: MadeUp) -> None:
    results = made_up.results()
    (judged,) = judge(results, made_up.uncertainty(results))
    found = collected(made_up).with_flips(judged)
    case = found.cases[0]
    assert case.estimate is not None
    assert case.estimate.value == pytest.approx(0.02)
    (flip,) = case.flips  # not post_process, which the claim names, nor what moves both alike
    assert (flip.setting, flip.value) == ("flip_test", "off")
    assert flip.estimate.value == pytest.approx(0.02 - SIMDR_MORE)
    table = claims_table(results, [found])
    assert table is not None
    said = [cell.text for row in table.rows for cell in row.cells if "fragile" in cell.text]
    assert said
    assert all("fragile: with flip test off it is −3.0" in text for text in said)


def test_the_table_says_what_makes_no_difference_in_one_line(made_up: MadeUp) -> None:
    results, sensitivity = made_up.results(), collected(made_up)
    table = choices_table(sensitivity, results)
    assert table is not None
    keys = [column.key for column in table.columns]
    first = [dict(zip(keys, (cell.text for cell in row.cells), strict=True)) for row in table.rows]
    assert first[0]["moves"].startswith(("+", "−"))
    assert sum(bool(line["row"]) for line in first) == len({one.row for one in sensitivity.effects})
    drawing = draw_sensitivity(sensitivity, results.rows)
    assert drawing is not None
    assert drawing.figure is not None


def test_without_variants_there_is_nothing(tmp_path: Path) -> None:
    made_up = MadeUp(tmp_path)
    made_up.fill(scores)
    sensitivity = collected(made_up)
    assert sensitivity.effects == ()
    assert choices_table(sensitivity, made_up.results()) is None
    assert draw_sensitivity(sensitivity, made_up.results().rows) is None


def test_a_broken_list_of_variants_costs_its_own_row(made_up: MadeUp) -> None:
    results = made_up.results()
    row = row_of(results, representation="simdr", backbone="simba_tiny", input_size="64x64")
    for record in records_of(results, row):
        made_up.store.evaluation(record.id).variants_file.write_text("{")
    sensitivity = collected(made_up)
    assert row not in {one.row for one in sensitivity.effects}
    assert sensitivity.effects
    assert all("variants.json is not valid JSON" in problem for problem in sensitivity.problems)


def test_error_budgets_are_means_over_seeds(made_up: MadeUp) -> None:
    results = made_up.results()
    row = row_of(results, representation="simdr", backbone="simba_tiny", input_size="64x64")
    for record in records_of(results, row):
        steps = {"measured": 0.5, "no misses": 0.6 + 0.1 * record.training.seed}
        budget = ErrorBudget(metric="AP", steps=steps)
        write_json(made_up.store.evaluation(record.id).budget_file, budget.model_dump(mode="json"))
    problems: list[str] = []
    table = budget_table(results, made_up.store, problems)
    assert table is not None
    (line,) = table.rows
    assert [cell.text for cell in line.cells[1:]] == ["50.0", "70.0"]
    assert not problems
