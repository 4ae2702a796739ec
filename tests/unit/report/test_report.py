"""Tests of reports on made-up records: the same numbers and reasons in every format."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.analysis.formatting import backbone_name
from bench.cli import app
from bench.files import write_json
from bench.paper.published import published_rows
from bench.planning.forecast.evidence import calibration_file, gather
from bench.planning.forecast.forecast import BudgetError, Forecast, forecast
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining
from bench.report.formats import FORMATS
from bench.report.render_csv import render_csv
from bench.report.writer import write_report
from bench.store.documents import Failure, JobProgress
from tests.reports import COCO, SYNTHETIC, Bench, Page, coco_scores, csv_rows, markdown_rows
from tests.unit.planning.test_forecast import KIND, calibrated

SUITES = Path(__file__).parents[3] / "suites"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("bench.report.plots.style.DPI", 60)  # small figures are drawn faster
    return Bench(tmp_path)


def _seeded_scores(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, float] | None:
    """Seeds of the tiny backbone only: 0.50, 0.52, 0.54 for SimDR, and 0.1 less for the others."""
    if training.spec.backbone != "simba_tiny":
        return None
    return {"AP": (0.5 if training.spec.representation == "simdr" else 0.4) + 0.02 * training.spec.seed}


def test_published_values_and_differences_agree_in_all_formats(bench: Bench) -> None:
    texts = bench.render(bench.fill(COCO, coco_scores, baseline={"AP": 0.03, "AR": 0.05}))

    raw = csv_rows(texts["coco_val.csv"])
    assert [row["published_row"] for row in raw] == ["coco_val/28", "coco_val/29", "coco_val/30", ""]
    assert [float(row["AP_difference"]) for row in raw[:3]] == pytest.approx([-0.018, 0.004, 0.0071])

    printed = markdown_rows(texts["report.md"])
    assert [row["Post-process"] for row in printed] == ["quarter", "none", "none", "–"]
    assert [row["AP ours"] for row in printed] == ["44.0", "35.0", "**57.1**", "3.0"]
    assert [row["AP paper"] for row in printed] == ["45.8", "34.6", "**56.4**", "–"]
    assert [row["AP diff."] for row in printed] == ["−1.8 ?", "+0.4 ?", "+0.7 ?", "–"]
    assert [row["mean OKS"] for row in printed] == ["0.220", "0.175", "**0.286**", "–"]
    assert (printed[0]["#Params (M) ours"], printed[0]["#Params (M) paper"]) == ("28.54", "28.5")
    assert (printed[0]["GFLOPs paper's count"], printed[0]["GFLOPs paper"]) == ("0.59", "0.6")
    assert printed[2]["Representation"] == "SimDR"
    assert printed[3]["Backbone"] == "Mean pose baseline"

    rows = [row for row in Page(texts["report.html"]).rows if row]
    assert [row[0][0] for row in rows] == ["HRNet-W32"] * 3 + ["Mean pose baseline"]
    cells = [text for text, _ in rows[2]]
    assert {"57.1", "56.4", "+0.7 ?"} <= set(cells)
    assert [text for text, kind in rows[2] if "best" in kind] == ["57.1", "56.4", "67.1", "64.9", "0.286"]
    assert r"\textbf{57.1} & \textbf{56.4} & +0.7~? & -- &" in texts["coco_val.tex"]


def test_summary_names_winner_baseline_and_distance_to_the_paper(bench: Bench) -> None:
    text = bench.render(bench.fill(COCO, coco_scores, baseline={"AP": 0.03}))["report.md"]
    assert "3 of 3 evaluations of 2 trainings done." in text
    assert "HRNet-W32 at 64x64: SimDR (57.1) has the highest AP, before heatmap + quarter shift (44.0)" in text
    assert "mean pose of the training instances alone reaches AP 3.0" in text
    assert "3 of the 3 published rows that the suite answers are measured; their AP is 1.0 from the paper's" in text


def test_many_methods_are_not_all_named(bench: Bench) -> None:
    text = COCO.replace("input_size: [64x64]", "input_size: [64x64], learning_rate: [0.001, 0.002, 0.003, 0.004]")
    summary = bench.make(bench.fill(text, coco_scores)).summary[0]
    assert summary.endswith(" and 5 more.")
    assert summary.count("(learning rate") == 7, "the two that tie, and five"


@pytest.mark.parametrize(
    ("suite", "blocks"),
    [
        ("coco_val", ["simba_res50", "tokenpose_s", "simba_res101", "hrnet_w32", "hrnet_w48"]),
        ("coco_384x288", ["simba_res50", "simba_res101", "simba_res152", "hrnet_w48"]),
        ("coco_test_dev", ["simba_res50", "hrnet_w48"]),
        ("mpii", ["hrnet_w32"]),
        ("crowdpose", ["hrnet_w32"]),
    ],
)
def test_published_rows_come_in_the_papers_order(bench: Bench, suite: str, blocks: list[str]) -> None:
    """Whatever the order of the suite's axes."""
    text = (SUITES / f"{suite}.yaml").read_text(encoding="utf-8")
    shuffled = re.sub(
        r"(backbone|representation|input_size): \[([^]]*)\]",
        lambda match: f"{match[1]}: [{', '.join(reversed(match[2].split(', ')))}]",
        text,
    )
    for suite_text in (text, shuffled):
        report = bench.make(bench.plan(suite_text))
        printed = [row for table in report.tables for row in csv_rows(render_csv(table, simulated=False))]
        answered = [row["published_row"] for row in printed if row["published_row"]]
        assert answered == [row.id for row in published_rows() if row.table == answered[0].partition("/")[0]]
        for table in report.tables:
            heads = [row.cells[0].text for row in table.rows if row.opens_group or row is table.rows[0]]
            assert heads == list(map(backbone_name, blocks))


def test_all_published_rows_come_out(bench: Bench) -> None:
    suites = ("coco_val", "coco_384x288", "coco_test_dev", "mpii", "crowdpose")
    texts = [(SUITES / f"{suite}.yaml").read_text(encoding="utf-8") for suite in suites]
    tables = [table for text in texts for table in bench.make(bench.plan(text)).tables]
    rows = [row["published_row"] for table in tables for row in csv_rows(render_csv(table, simulated=False))]
    assert sorted(filter(None, rows)) == sorted(row.id for row in published_rows())
    assert len(list(filter(None, rows))) == 73


def test_a_misprint_of_the_paper_is_noted(bench: Bench) -> None:
    text = COCO.replace("hrnet_w32", "simba_res101").replace("64x64", "256x192")
    (row,) = [
        row for row in csv_rows(bench.render(bench.plan(text))["coco_val.csv"]) if row["representation"] == "SimDR"
    ]
    assert (row["params"], row["params_published"]) == ("55745233", "53.7")
    assert "printed 53.7M: a misprint" in row["notes"]


def test_rows_that_the_paper_lacks_come_after_its_own(bench: Bench) -> None:
    """But what varies a row of the paper further stands with it."""
    text = COCO.replace(
        "backbone: [hrnet_w32], representation: [heatmap, simdr], input_size: [64x64]",
        "backbone: [simba_tiny, hrnet_w32], representation: [simdr_star, simdr], input_size: [64x64, 128x128],"
        " label_smoothing: [0.2, 0.1]",
    ).replace("when: {representation: simdr}", "when: {representation: [simdr_star, simdr]}")
    rows = csv_rows(bench.render(bench.plan(text))["coco_val.csv"])
    found = [(row["backbone"], row["representation"], row["input_size"], row["published_row"]) for row in rows]
    assert found == [
        ("HRNet-W32", "SimDR", "64x64", ""), ("HRNet-W32", "SimDR", "64x64", "coco_val/30"),
        ("HRNet-W32", "SimDR", "128x128", "coco_val/33"), ("HRNet-W32", "SimDR", "128x128", ""),
        ("SimBa-tiny", "SimDR*", "64x64", ""), *[("SimBa-tiny", "SimDR", "64x64", "")] * 2,
        ("SimBa-tiny", "SimDR*", "128x128", ""), *[("SimBa-tiny", "SimDR", "128x128", "")] * 2,
        ("HRNet-W32", "SimDR*", "64x64", ""), ("HRNet-W32", "SimDR*", "128x128", ""),
    ]  # fmt: skip


def test_excluded_rows_of_the_paper_say_why(bench: Bench) -> None:
    exclusion = "{when: {representation: heatmap, input_size: 64x64}, because: no GPU was free}"
    text = COCO.replace("input_size: [64x64]}", f"input_size: [64x64, 128x128]}}\n  exclude: [{exclusion}]")
    rows = csv_rows(bench.render(bench.fill(text, coco_scores))["coco_val.csv"])
    assert [row["published_row"] for row in rows] == [f"coco_val/{number}" for number in range(28, 34)]
    assert [row["notes"].count("excluded because no GPU was free") for row in rows] == [1, 1, 0, 0, 0, 0]
    assert (rows[0]["AP"], rows[0]["AP_published"], rows[0]["params"]) == ("", "0.458", rows[3]["params"])


def test_an_exclusion_says_nothing_of_rows_with_other_settings(bench: Bench) -> None:
    exclusion = "{when: {representation: simdr, split_ratio: 2}, because: useless}"
    text = COCO.replace("input_size: [64x64]}", f"input_size: [64x64], split_ratio: [2, 3]}}\n  exclude: [{exclusion}]")
    rows = csv_rows(bench.render(bench.plan(text))["coco_val.csv"])
    assert [row["published_row"] for row in rows] == ["coco_val/28", "coco_val/29", "coco_val/30"]
    assert not any("useless" in row["notes"] for row in rows)


def test_rows_outside_the_suite_are_counted(bench: Bench) -> None:
    text = bench.render(bench.plan(COCO))["report.md"]
    assert r"42 of the 45 rows of the paper's table (coco_val) are not among the combinations of this suite" in text


def test_intervals_and_agreement_over_seeds(bench: Bench) -> None:
    """Near the paper with little spread is equivalent, far from it different, with much spread undecided."""
    text = COCO.replace("input_size: [64x64]", "input_size: [64x64], seed: [0, 1, 2, 3]")
    published = {("heatmap", "quarter"): 0.458, ("heatmap", "none"): 0.346, ("simdr", "none"): 0.564}
    shifts = {("heatmap", "quarter"): (0.0, 2e-4), ("heatmap", "none"): (0.05, 2e-4), ("simdr", "none"): (0.0, 0.02)}

    def scores(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float]:
        method = (training.spec.representation, evaluation.spec.post_process)
        shift, spread = shifts[method]
        return {"AP": published[method] + shift + spread * (-1.5, -0.5, 0.5, 1.5)[training.spec.seed]}

    texts = bench.render(bench.fill(text, scores))
    rows = csv_rows(texts["coco_val.csv"])
    assert [row["AP_agreement"] for row in rows] == ["equivalent", "different", "undecided"]
    assert [row["AP diff."] for row in markdown_rows(texts["report.md"])] == ["0.0 ≈", "+5.0 ≠", "0.0 ?"]
    reach = 3.182446 * 0.0258199 / 2  # Student's t with 3 degrees of freedom, deviation of the four, root of four
    assert float(rows[2]["AP_low"]) == pytest.approx(0.564 - reach, abs=1e-5)
    assert float(rows[2]["AP_high"]) == pytest.approx(0.564 + reach, abs=1e-5)
    assert markdown_rows(texts["report.md"])[2]["AP 95% interval"] == r"\[52.3, 60.5\]"
    assert "1 equivalent, 1 different, 1 undecided" in texts["report.md"]


def test_where_nothing_is_known_of_the_error_it_says_so(bench: Bench) -> None:
    text = bench.render(bench.fill(COCO, coco_scores))["report.md"]
    assert [row["AP 95% interval"] for row in markdown_rows(text)] == ["–"] * 3
    assert "so nothing is known of its error" in text


def test_seeds_are_one_row_with_their_deviation(bench: Bench) -> None:
    texts = bench.render(bench.fill(SYNTHETIC, _seeded_scores, baseline={"AP": 0.02}))
    row = next(row for row in csv_rows(texts["results.csv"]) if row["representation"] == "SimDR")
    assert (row["seeds"], row["seeds_planned"]) == ("3", "3")
    assert float(row["AP"]) == pytest.approx(0.52)
    assert float(row["AP_std"]) == pytest.approx(0.02)
    assert len(row["records"].split()) == 3
    printed = markdown_rows(texts["report.md"])
    assert [item["AP ours"] for item in printed[:4]] == ["42.0 ± 2.0", "42.0 ± 2.0", "**52.0 ± 2.0**", "42.0 ± 2.0"]
    assert "single seed" not in texts["report.md"]


def test_rows_of_other_data_show_the_paper_without_a_difference(bench: Bench) -> None:
    texts = bench.render(bench.fill(SYNTHETIC, lambda *_: {"AP": 0.5}))
    rows = csv_rows(texts["results.csv"])
    res50 = next(row for row in rows if row["backbone"] == "SimBa-Res50" and row["representation"] == "SimDR")
    assert (res50["AP_published"], res50["AP_difference"], res50["published_row"]) == ("0.408", "", "")
    assert "published on COCO val2017; other data, so no difference is taken" in res50["notes"]
    tiny = next(row for row in rows if row["backbone"] == "SimBa-tiny")
    assert "not in the paper" in tiny["notes"]
    assert "*40.8*<sup>" in texts["report.md"]


def test_rows_measured_otherwise_say_how(bench: Bench) -> None:
    text = COCO.replace("boxes: detector, flip_test: true, when", "boxes: gt, flip_test: false, when")
    row = csv_rows(bench.render(bench.fill(text, coco_scores))["coco_val.csv"])[2]
    assert (row["AP_published"], row["AP_difference"]) == ("0.564", "")
    assert "published with detector boxes and flip test" in row["notes"]


def test_ablated_settings_get_a_column_and_their_own_rows(bench: Bench) -> None:
    text = COCO.replace("input_size: [64x64]", "input_size: [64x64], split_ratio: [2, 3], label_smoothing: [0.1, 0.2]")
    rows = csv_rows(bench.render(bench.fill(text, coco_scores))["coco_val.csv"])
    simdr = [row for row in rows if row["representation"] == "SimDR"]
    settings = {(row["split_ratio"], row["label_smoothing"]) for row in simdr}
    assert settings == {("2", "0.1"), ("2", "0.2"), ("3", "0.1"), ("3", "0.2")}
    assert [row["published_row"] for row in simdr].count("coco_val/30") == 1
    assert "other training settings" in simdr[0]["notes"]


def test_cells_without_a_record_say_why(bench: Bench) -> None:
    first, second, third, *_ = bench.plan(SYNTHETIC).trainings
    bench.store.training(first.spec.id).fail(Failure(kind="Memory", message="needs <b>more</b> | memory"))
    beat = JobProgress(phase="training", pid=1, host="host", at=4e9, epoch=2, epochs=9)
    running = bench.store.training(second.spec.id)
    write_json(running.progress_file, beat.model_dump())
    bench.store.training(third.spec.id).checkpoint.parent.mkdir(parents=True)
    bench.store.training(third.spec.id).checkpoint.touch()
    with running.lease():
        texts = bench.render(bench.plan(SYNTHETIC))

    rows = csv_rows(texts["results.csv"])
    reasons = "seed 0: failed: Memory: needs <b>more</b> | memory; seed 1: running: training, epoch 2 of 9; seed 2: "
    assert reasons + "interrupted" in rows[0]["notes"]
    assert rows[-1]["AP"] == ""
    assert "missing" in rows[-1]["notes"]
    assert "*failed, running, interrupted*<sup>" in texts["report.md"]
    assert r"needs &lt;b&gt;more&lt;/b&gt; \| memory" in texts["report.md"]
    assert "<b>" not in texts["report.html"]


def test_cells_over_budget_say_so(bench: Bench) -> None:
    plan = bench.plan(COCO)
    bench.store.training(plan.trainings[1].spec.id).fail(Failure(kind="Memory", message="full"))
    left_out = {training.spec.id: "over budget: 12 GPU hours" for training in plan.trainings}
    files = write_report([bench.plan(COCO)], bench.store, bench.folder, formats=["csv"], left_out=left_out)
    rows = csv_rows(files[0].read_text(encoding="utf-8"))
    assert [row["notes"] for row in rows] == ["over budget: 12 GPU hours"] * 2 + ["failed: Memory: full"]


def test_the_command_forecasts_what_is_over_budget(bench: Bench) -> None:
    """By a calibration: the first training fits, the second does not; without one the budget is refused."""
    plan = bench.plan(COCO)
    calibrated(bench.store)
    calibration = calibration_file(bench.store.root, KIND)
    evidence = gather(bench.store, KIND)
    first, second = (forecast(training, evidence) for training in plan.trainings)
    assert isinstance(first, Forecast)
    assert isinstance(second, Forecast)
    budget = first.bounds[1] + 0.5 * second.bounds[1]
    options = ["--results", str(bench.store.root), "--out", str(bench.folder), "--format", "csv, md", "--budget"]
    command = ["report", str(plan.suite.file), *options, f"{budget:.3f}"]
    done = CliRunner().invoke(app, [*command, "--calibration", str(calibration)])
    assert done.exit_code == 0, done.output
    rows = csv_rows((bench.folder / "coco/tables/coco_val.csv").read_text(encoding="utf-8"))
    assert [row["notes"] for row in rows[:2]] == ["missing", "missing"]
    assert re.fullmatch(
        r"over budget: [\d.,]+ \([\d.,]+ to [\d.,]+\) .*, more than is left of [\d.]+", rows[2]["notes"]
    )

    calibration.unlink()
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, BudgetError)


def test_evaluation_that_is_not_done_after_its_training_says_so(bench: Bench) -> None:
    failing, pending, *_ = bench.plan(COCO).trainings
    bench.finish(failing)
    bench.finish(pending)
    bench.store.evaluation(failing.evaluations[0].spec.id).fail(Failure(kind="Data", message="no boxes"))
    rows = csv_rows(bench.render(bench.plan(COCO))["coco_val.csv"])
    assert [row["notes"] for row in rows] == [
        "failed: Data: no boxes", "missing: trained, not evaluated yet", "missing: trained, not evaluated yet",
    ]  # fmt: skip


def test_unreadable_record_costs_its_own_cell_only(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    file = bench.store.evaluation(plan.trainings[0].evaluations[0].spec.id).record_file
    file.write_text("{")
    texts = bench.render(plan)
    assert [row["AP"] for row in csv_rows(texts["coco_val.csv"])] == ["", "0.35", "0.5711"]
    assert "is not valid JSON" in texts["report.md"].split("## Results")[0]


def test_nothing_measured_still_makes_a_report(bench: Bench) -> None:
    texts = bench.report(bench.plan(SYNTHETIC), formats=FORMATS)
    assert set(texts) == {"report.md", "report.html", "glance.csv", "glance.tex", "results.csv", "results.tex"}
    for sentence in ("Nothing is measured yet.", "No training is finished yet.", "No images stored"):
        assert sentence in texts["report.md"]
        assert sentence in texts["report.html"]
    assert (bench.folder / "out/small/report.pdf").read_bytes().startswith(b"%PDF")
    assert "0 of 21 evaluations of 15 trainings done (21 missing)" in texts["report.md"]


def test_baselines_that_disagree_are_not_shown(bench: Bench) -> None:
    bench.fill(COCO, lambda training, _: {"AP": 0.5} if training.spec.representation == "simdr" else None,
               baseline={"AP": 0.1})  # fmt: skip
    plan = bench.fill(COCO, lambda training, _: {"AP": 0.5} if training.spec.representation == "heatmap" else None,
                      baseline={"AP": 0.2})  # fmt: skip
    texts = bench.render(plan)
    assert "mean pose baseline" not in texts["coco_val.csv"]
    assert "disagree about the mean pose baseline" in texts["report.md"]


def test_metric_that_records_lack_is_no_silent_blank(bench: Bench) -> None:
    plan = bench.fill(COCO, lambda *_: {"AP": 0.5, "AR": -1.0})
    row = markdown_rows(bench.render(plan)["report.md"])[0]
    assert row["AR ours"].startswith("n/a<sup>")
    assert row["mean OKS"].startswith("n/a<sup>")


def test_where_nobody_is_to_be_judged_every_format_says_so(bench: Bench) -> None:
    plan = bench.fill(COCO, lambda *_: {"AP": 0.5, "AR": None}, baseline={"AP": 0.1, "AR": None})
    texts = bench.render(plan)
    said = "nobody to judge: no instance of val2017 counts for AR"
    for name in ("report.md", "report.html", "coco_val.csv", "coco_val.tex"):
        assert said in texts[name]
    rows = markdown_rows(texts["report.md"])
    assert {row["AR ours"][:12] for row in rows} == {"n/a<sup>a</s"}, "the mean pose's too"
    assert not re.search(r"-1\.0|-100|nan", " ".join(value for row in rows for value in row.values()))
    assert {row["AR"] for row in csv_rows(texts["coco_val.csv"])} == {""}
    assert "Where the records disagree about the mean pose baseline" not in texts["report.md"]


def test_a_headline_of_nobody_is_said_in_the_summary_and_in_place_of_plots(bench: Bench) -> None:
    plan = bench.fill(COCO, lambda *_: {"AP": -1.0})
    texts = bench.report(plan)
    said = "Nobody to judge: no instance of val2017 counts for AP."
    assert texts["report.md"].count(said) > 3
    assert "Nothing is measured yet" not in texts["report.md"]


def test_images_that_were_left_out_are_marked_in_every_format(bench: Bench) -> None:
    plan = bench.fill(COCO, lambda *_: {"AP": 0.5, "AR": 0.5})
    training = plan.trainings[0]
    for folder, counts in (
        (bench.store.training(training.spec.id), {"images": 9000, "images_left_out": 3}),
        (bench.store.evaluation(training.evaluations[0].spec.id), {"images": 5000, "images_left_out": 12}),
    ):
        document = json.loads(folder.record_file.read_text())
        write_json(folder.record_file, document | counts)
    texts = bench.render(plan)
    without = "trained without 3 of 9,000 images"
    both = f"measured without 12 of 5,000 images, whose instances count as not found; {without}"
    for name in ("report.md", "report.html", "coco_val.csv", "coco_val.tex"):
        assert both in texts[name]
    marked = [row["AP ours"].count("<sup>") for row in markdown_rows(texts["report.md"])]
    assert marked == [1, 1, 0], "two rows measure that training"
    assert [row["images_left_out"] for row in csv_rows(texts["coco_val.csv"])] == ["12", "0", "0"]
    assert "2 of 3 evaluations or their trainings do without images that could not be read" in texts["report.md"]


def test_excluded_combinations_are_listed_once_for_all_seeds(bench: Bench) -> None:
    text = bench.render(bench.plan(SYNTHETIC))["report.md"]
    assert text.count(r"- too slow: SimBa-Res50, SimDR\*, 64x64") == 1


def test_rows_link_to_their_provenance(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    texts = bench.render(plan)
    page = Page(texts["report.html"])
    ids = [evaluation.spec.id for training in plan.trainings for evaluation in training.evaluations]
    for record in ids:
        assert f"#record-{record}" in page.attributes("href")
        assert f"record-{record}" in page.attributes("id")
        assert f"### Record {record}" in texts["report.md"]
    for fact in ("0123456789abcdef", "feedbeef", "abad1dea", "a processor", "python -m bench run suites/small.yaml"):
        assert fact in texts["report.html"]
        assert fact in texts["report.md"]
    assert "im&lt;1&gt;.jpg: truncated" in texts["report.html"]


def test_markdown_refers_to_the_figures_beside_it(bench: Bench) -> None:
    text = bench.report(bench.fill(COCO, coco_scores))["report.md"]
    figures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert {"figures/bars.png", "figures/curves.png"} <= set(figures)
    assert all(cv2.imread(str(bench.folder / "out" / "coco" / figure)) is not None for figure in figures)


def test_equal_records_make_equal_figures(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    for number in (1, 2):
        write_report([plan], bench.store, bench.folder / f"out{number}", formats=["md"])
    first, second = ((bench.folder / f"out{number}/coco/figures/bars.png").read_bytes() for number in (1, 2))
    assert first == second


def _store_instances(bench: Bench, plan: Plan, **changes: Any) -> None:
    """Two instances for each evaluation, on grey images."""
    for training in plan.trainings:
        for evaluation in training.evaluations:
            folder = bench.store.evaluation(evaluation.spec.id)
            truth = [[5.0 * keypoint, 50.0, 2.0 if keypoint else 0.0] for keypoint in range(17)]
            instances = [
                {"image_id": 1, "annotation_id": number, "file": f"instances/{number}.jpg", "truth": truth,
                 "prediction": truth if number == 1 else None, "oks": 0.75 if number == 1 else None} | changes
                for number in (1, 2)
            ]  # fmt: skip
            write_json(folder.instances_file, {"skeleton": "coco_17", "instances": instances}, durable=False)
            (folder.path / "instances").mkdir(exist_ok=True)
            for number in (1, 2):
                cv2.imwrite(str(folder.path / f"instances/{number}.jpg"), np.full((100, 80, 3), 128, np.uint8))


def test_images_show_the_same_instances_across_methods(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    _store_instances(bench, plan)
    text = bench.report(plan)["report.md"]
    assert "The first 2 stored instances of the validation split, HRNet-W32 at 64x64, seed 0." in text
    image = cv2.imread(str(bench.folder / "out/coco/figures/images.png"))
    assert image is not None
    left_blue = (image == (0xE9, 0xB4, 0x56)).all(axis=-1)
    assert left_blue.any()


def test_a_page_has_images_of_a_dataset_as_jpeg_and_plots_as_png(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    _store_instances(bench, plan)
    text = bench.report(plan, formats=("html",))["report.html"]
    pictures = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', text)
    for kind, contents in pictures:
        with Image.open(io.BytesIO(base64.b64decode(contents))) as image:
            assert image.format == kind.upper()
    assert {kind for kind, _ in pictures} == {"png", "jpeg"}


def test_images_from_outside_the_folder_are_refused(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    cv2.imwrite(str(bench.folder / "secret.jpg"), np.zeros((9, 9, 3), np.uint8))
    _store_instances(bench, plan, file="../../../secret.jpg")
    assert "lies outside the folder" in bench.report(plan)["report.md"]


@pytest.mark.parametrize(
    "changes", [{"truth": [[1, 2, 2]]}, {"prediction": "none"}, {"file": "instances/missing.jpg"}], ids=str
)
def test_broken_images_are_named_and_stop_nothing(bench: Bench, changes: dict[str, Any]) -> None:
    plan = bench.fill(COCO, coco_scores)
    _store_instances(bench, plan, **changes)
    text = bench.report(plan)["report.md"]
    assert "Files that could not be read" in text
    assert markdown_rows(text)[0]["AP ours"] == "44.0"


def test_report_imports_no_torch() -> None:
    code = "import sys, bench.report.writer; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
