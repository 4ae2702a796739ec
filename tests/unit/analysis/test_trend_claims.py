"""Claims about trends: which measurements they weigh, what they refuse, and verdicts with a known slope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log2
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.verdicts import judge
from bench.planning.plan import PlannedEvaluation, PlannedTraining, make_plan, parse_selection
from bench.report.claims import claims_table
from bench.store.folders import Store
from bench.suite.claims.cases import ClaimCase
from bench.suite.expansion import expand
from bench.suite.overrides import override
from bench.suite.schema import load_suite
from bench.suite.source import SuiteError
from tests.unit.made_up import MadeUp

LENGTHS = """\
name: lengths
title: Two lengths of training
dataset: {name: synthetic, train: train3000, eval: val10}
train:
  axes:
    backbone: [simba_tiny]
    representation: [heatmap, simdr]
    input_size: [64x64]
    train_subset: [750, 1500, 3000]
    epochs: [5, 10, 20, 40]
  exclude:
    - {when: {train_subset: 750, epochs: [5]}, because: too short}
    - {when: {train_subset: 1500, epochs: [5, 40]}, because: another length}
    - {when: {train_subset: 3000, epochs: [20, 40]}, because: too long}
  set:
    - {when: {epochs: 40}, milestones: [30, 36]}
evaluate:
  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: simdr}}
tables: [{id: results, metrics: [AP]}]
"""
"""Instances seen by people and epochs: 7,500 (750 by 10), 15,000 (all three), 30,000 (all three)."""

GAP = "AP[simdr] - AP[heatmap, post_process]"


def with_claim(that: str, at: str = "{}", text: str = LENGTHS) -> str:
    return f"{text}claims:\n  - id: closes\n    says: The gap closes\n    that: {that}\n    at: {at}\n"


def found_cases(folder: Path, text: str) -> tuple[ClaimCase, ...]:
    file = folder / "suite.yaml"
    file.write_text(text)
    return expand(load_suite(file)).cases["closes"]


def refusal(folder: Path, text: str, place: str = "that:") -> str:
    with pytest.raises(SuiteError) as caught:
        found_cases(folder, text)
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if place in line)
    assert str(caught.value).startswith(f"{folder / 'suite.yaml'}:{line}: ")
    return str(caught.value)


def slope_terms(case: ClaimCase) -> dict[str, float]:
    return {str(term): weight for weight, term in case.terms}


def test_a_trend_weighs_each_value_of_its_setting(tmp_path: Path) -> None:
    (case,) = found_cases(tmp_path, with_claim(f"per_doubling({GAP}, train_subset) > 0", "{instances_seen: 30000}"))
    assert case.values == {}
    assert slope_terms(case) == pytest.approx(
        {
            "AP[simdr, train_subset=750]": -0.5,
            "AP[simdr, train_subset=1500]": 0,
            "AP[simdr, train_subset=3000]": 0.5,
            "AP[heatmap, post_process, train_subset=750]": 0.5,
            "AP[heatmap, post_process, train_subset=1500]": 0,
            "AP[heatmap, post_process, train_subset=3000]": -0.5,
        }
    )
    epochs = {term.selectors[-1].value: cell["epochs"] for term, cell in case.cells.items()}
    assert epochs == {"750": 40, "1500": 20, "3000": 10}
    assert all("instances_seen" not in cell for cell in case.cells.values()), "their ids are those of specs"


def test_a_length_is_a_case_where_it_is_open(tmp_path: Path) -> None:
    at = "{instances_seen: [30000, 15000]}"
    cases = found_cases(tmp_path, with_claim(f"per_doubling({GAP}, train_subset) > 0", at))
    assert [case.values for case in cases] == [{"instances_seen": 15000}, {"instances_seen": 30000}]
    (alone,) = found_cases(tmp_path, with_claim("AP[simdr, train_subset=750, instances_seen=15000] > 0"))
    assert [cell["epochs"] for cell in alone.cells.values()] == [20]


def test_a_trend_runs_along_the_length(tmp_path: Path) -> None:
    cases = found_cases(tmp_path, with_claim(f"per_doubling({GAP}, instances_seen) > 0"))
    assert [case.values for case in cases] == [{"train_subset": people} for people in (750, 1500, 3000)]
    assert len(cases[0].terms) == 6
    assert slope_terms(cases[1])["AP[simdr, instances_seen=30000]"] == pytest.approx(1)
    steps = {log2(seen): slope_terms(cases[0])[f"AP[simdr, instances_seen={seen}]"] for seen in (7500, 15000, 30000)}
    line = 0.3 + 0.07 * np.array(list(steps))
    assert line @ list(steps.values()) == pytest.approx(0.07)


def test_two_trends_can_be_compared(tmp_path: Path) -> None:
    slopes = "per_doubling(AP[simdr], instances_seen) > 2 * per_doubling(AP[heatmap, post_process], instances_seen)"
    case = found_cases(tmp_path, with_claim(slopes, "{train_subset: 1500}"))[0]
    assert slope_terms(case)["AP[heatmap, post_process, instances_seen=30000]"] == pytest.approx(-2)


@pytest.mark.parametrize(
    ("that", "at", "message"),
    [
        (f"per_doubling({GAP}, train_subst) > 0", "{}",
         "column 53: unknown setting 'train_subst' (did you mean 'train_subset'?)"),
        (f"per_doubling({GAP}, seed) > 0", "{}", "column 53: claims speak of means over seeds"),
        (f"per_doubling({GAP}, representation) > 0", "{}",
         "column 53: AP[simdr] has one representation: per_doubling(AP[simdr], representation) has no slope"),
        ("per_doubling(AP[simdr, train_subset=750], train_subset) > 0", "{}", "column 43: AP[simdr, train_subset=750]"),
        ("per_doubling(AP, representation) > 0", "{}",
         "column 18: a slope is taken along numbers, and representation is heatmap"),
        (f"per_doubling({GAP}, train_subset) > 0", "{epochs: 40, train_subset: [750, 3000]}",
         "column 53: a slope needs 2 values of train_subset, and it is 750 alone; trainings of one length are compared"
         " with instances_seen under `at`"),
        (f"per_doubling({GAP}, train_subset) > 0", "{}", "is 750 alone where epochs=40; trainings of one"),
        (f"per_doubling({GAP}, learning_rate) > 0", "{instances_seen: 7500}",
         "column 53: a slope needs 2 values of learning_rate, and it is 0.001 alone"),
        (f"per_doubling({GAP}, split_ratio) > 0", "{instances_seen: 7500}", "split_ratio is not set in all cells"),
        (f"per_doubling({GAP}, rotation_probability) > 0", "{instances_seen: 7500}", "needs 2 values"),
        ("AP[instances_seen=1.5] > 0", "{}", "column 4: instances_seen: Input should be a valid integer"),
        ("AP[simdr] > 0", "{instances_seen: 31000}", "no cell of the suite has instances_seen=31000"),
    ],
)  # fmt: skip
def test_what_has_no_slope_is_refused(that: str, at: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path, with_claim(that, at))


def test_a_length_is_a_whole_number(tmp_path: Path) -> None:
    said = refusal(tmp_path, with_claim("AP[simdr] > 0", "{instances_seen: many}"), "many}")
    assert "instances_seen: Input should be a valid integer" in said


def test_a_representation_must_have_every_value(tmp_path: Path) -> None:
    rule = "{when: {train_subset: 1500, epochs: 20, representation: simdr}, because: failed before}"
    text = LENGTHS.replace("  exclude:\n", f"  exclude:\n    - {rule}\n")
    said = refusal(tmp_path, with_claim(f"per_doubling({GAP}, train_subset) > 0", "{instances_seen: 30000}", text))
    assert "AP[simdr, train_subset=1500] selects no cell of the suite, although other terms do" in said


def test_a_length_needs_a_number_of_instances(tmp_path: Path) -> None:
    text = LENGTHS.replace("[750, 1500, 3000]", "[750, null]")
    said = refusal(tmp_path, with_claim(f"per_doubling({GAP}, instances_seen) > 0", text=text))
    assert "instances_seen is not known without train_subset" in said
    assert "name epochs instead" in said
    along = refusal(tmp_path, with_claim(f"per_doubling({GAP}, train_subset) > 0", "{epochs: [10]}", text))
    assert "column 53: train_subset is not set in all cells; restrict `at` to values of it" in along
    (case,) = found_cases(tmp_path, with_claim(f"per_doubling({GAP}, epochs) > 0", "{train_subset: null}", text))
    assert [cell["train_subset"] for cell in case.cells.values()] == [None] * 8
    (length,) = found_cases(
        tmp_path, with_claim(f"per_doubling({GAP}, instances_seen) > 0", "{train_subset: 750}", text)
    )
    assert len(length.terms) == 6


def test_all_instances_are_no_part_of_every_number(tmp_path: Path) -> None:
    """A cell without `train_subset` takes all instances; one without a codec's setting has each of its values."""
    text = LENGTHS.replace("[750, 1500, 3000]", "[750, null]")
    cases = found_cases(tmp_path, with_claim(f"{GAP} > 0", "{epochs: 10}", text))
    assert [case.values for case in cases] == [{"train_subset": 750}, {"train_subset": None}]


# Verdicts.


def made_up(folder: Path, that: str, at: str, noise: float = 0.0) -> MadeUp:
    """Refined heatmaps have 0.5 wherever they are trained; SimDR gains 0.02 per doubling of people, 0.01 of length."""
    made = MadeUp(folder, with_claim(that, at, LENGTHS.replace("    epochs:", "    seed: [0, 1]\n    epochs:")))

    def scores(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, float]:
        spec = training.spec
        gain = 0.02 * log2((spec.train_subset or 0) / 3000) + 0.01 * log2(
            spec.epochs * (spec.train_subset or 0) / 30000
        )
        return {"AP": 0.5 + noise * (spec.seed - 1) + (gain if spec.representation == "simdr" else 0)}

    made.fill(scores)
    return made


@pytest.mark.parametrize(
    ("that", "at", "slope", "verdict"),
    [
        (f"per_doubling({GAP}, train_subset) > 0", "{instances_seen: 30000}", 0.02, "reproduced"),
        (f"per_doubling({GAP}, train_subset) < 0", "{instances_seen: 30000}", 0.02, "contradicted"),
        (f"per_doubling({GAP}, instances_seen) > 0", "{train_subset: 750}", 0.01, "reproduced"),
        (f"abs(per_doubling({GAP}, instances_seen)) < 0.02", "{train_subset: 750}", 0.01, "reproduced"),
        (f"per_doubling({GAP}, instances_seen) > 0.01", "{train_subset: 750}", 0.01, "within noise"),
        ("per_doubling(2 * AP[simdr] - 2 * AP[heatmap, post_process], epochs) > 0.019", "{train_subset: 3000}", 0.02,
         "reproduced"),
    ],
)  # fmt: skip
def test_slopes_are_judged_like_other_sums(that: str, at: str, slope: float, verdict: str, tmp_path: Path) -> None:
    made = made_up(tmp_path, that, at, noise=1e-4)
    (judged,) = judge(made.results(), made.uncertainty())
    (case,) = judged.cases
    assert case.estimate is not None
    assert case.estimate.value == pytest.approx(slope)
    assert (case.estimate.seeds, case.verdict) == (2, verdict)
    results = made.results()
    table = claims_table(results, judge(results, made.uncertainty(results)))
    assert table is not None
    printed = dict(zip([column.key for column in table.columns], table.rows[0].cells, strict=True))
    assert printed["ours"].text.startswith(f"+{100 * slope:.1f} [")
    assert str(printed["that"].value) == that


def test_what_is_not_selected_is_not_measured(tmp_path: Path) -> None:
    made = made_up(tmp_path, f"per_doubling({GAP}, train_subset) > 0", "{instances_seen: 30000}")
    plan = make_plan(
        load_suite(tmp_path / "suite.yaml"), made.store, parse_selection(["epochs=10,20"], made.results().plan.suite)
    )
    assert {training.spec.epochs for training in plan.trainings} == {10, 20}
    results = made.results({"epochs": ("10", "20")})
    (judged,) = judge(results, made.uncertainty(results))
    (case,) = judged.cases
    assert case.missing is not None
    assert {str(term) for term in case.missing} == {
        "AP[simdr, train_subset=750]",
        "AP[heatmap, post_process, train_subset=750]",
    }
    assert set(case.missing.values()) == {"not selected"}


def test_settings_of_the_command_line_leave_no_cases(tmp_path: Path) -> None:
    text = re.sub(r"  exclude:\n.*?  set:", "  set:", LENGTHS.replace("[5, 10, 20, 40]", "[5]"), flags=re.DOTALL)
    file = tmp_path / "suite.yaml"
    file.write_text(with_claim(f"per_doubling({GAP}, train_subset) > 0", "{epochs: 5}", text))
    suite = load_suite(file)
    assert len(expand(suite).cases["closes"]) == 1
    assert expand(override(suite, ["epochs=2"])).cases["closes"] == ()
    assert make_plan(override(suite, ["epochs=2"]), Store(tmp_path)).trainings
