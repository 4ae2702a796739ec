"""Tests of reports on made-up records: the same numbers, reasons and escapes in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.files import write_json
from bench.plan import Plan, PlannedEvaluation, PlannedTraining, make_plan
from bench.pose.errors import BenchError, UnknownNameError
from bench.provenance import Provenance
from bench.report.build import FORMATS, write_report
from bench.report.document import make_report
from bench.report.render_csv import render_csv
from bench.report.render_html import render_html
from bench.report.render_markdown import escape, render_markdown
from bench.store import EpochEntry, Failure, Heartbeat, Record, Store, TrainingRecord
from bench.suite.schema import load_suite

COCO = """\
name: coco
title: COCO rows
description: The paper's rows.
dataset: {name: coco, train: train2017, eval: val2017}
train:
  axes: {backbone: [hrnet_w32], representation: [heatmap, simdr], input_size: [64x64]}
evaluate:
  - {boxes: detector, flip_test: true, post_process: [true, false], when: {representation: heatmap}}
  - {boxes: detector, flip_test: true, when: {representation: simdr}}
tables: [{id: coco_val, title: COCO val2017, compare: published/coco_val, metrics: [AP, AR, mean_oks]}]
"""

SYNTHETIC = """\
name: small
title: Small
dataset: {name: synthetic, train: train30, eval: val10}
train:
  axes:
    backbone: [simba_tiny, simba_res50]
    representation: [heatmap, simdr, simdr_star]
    input_size: [64x64]
    seed: [0, 1, 2]
  exclude:
    - {when: {backbone: simba_res50, representation: simdr_star}, because: too slow}
evaluate:
  - {boxes: gt, post_process: [true, false], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: [simdr, simdr_star]}}
tables: [{id: results, compare: published/coco_val, metrics: [AP]}]
"""

PROVENANCE = Provenance(
    commit="0123456789abcdef",
    dirty=False,
    versions={"python": "3.11.9"},
    hardware={"processor": "a processor", "cores": 2},
    files={"annotations/val.json": "feedbeef"},
    seed=0,
    command="python -m bench run suites/small.yaml",
    started=1.7e9,
)

Scores = Callable[[PlannedTraining, PlannedEvaluation], Mapping[str, float] | None]


@dataclass(frozen=True)
class Bench:
    """A results folder with the means to fill and report it."""

    folder: Path

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def plan(self, text: str) -> Plan:
        file = self.folder / "suite.yaml"
        file.write_text(text, encoding="utf-8")
        return make_plan(load_suite(file), self.store)

    def fill(self, text: str, scores: Scores, *, baseline: Mapping[str, float] | None = None) -> Plan:
        """Store a record wherever `scores` gives metrics."""
        for training in self.plan(text).trainings:
            for evaluation in training.evaluations:
                metrics = scores(training, evaluation)
                if metrics is not None:
                    self.finish(training)
                    record = Record(
                        id=evaluation.spec.id, spec=evaluation.spec, training=training.spec, metrics=dict(metrics),
                        baseline=dict(baseline or {}), people=10, seconds=1.5,
                        problems=["im<1>.jpg: truncated"], provenance=PROVENANCE,
                    )  # fmt: skip
                    file = self.store.evaluation(evaluation.spec.id).record_file
                    write_json(file, record.model_dump(mode="json"), durable=False)
        return self.plan(text)

    def finish(self, training: PlannedTraining) -> None:
        history = [EpochEntry(epoch=epoch, loss=1 / epoch, learning_rate=1e-3, people=30) for epoch in (1, 2, 3)]
        record = TrainingRecord(
            id=training.spec.id, spec=training.spec, params=1, history=history, seconds=60.0,
            weights_sha256="abad1dea", problems=[], provenance=PROVENANCE,
        )  # fmt: skip
        write_json(self.store.training(training.spec.id).record_file, record.model_dump(mode="json"), durable=False)

    def render(self, plan: Plan) -> dict[str, str]:
        """Contents of the text files by name, without pictures, which take most of the time."""
        report = make_report(plan, self.store, pictures=False)
        tables = {f"{table.id}.csv": render_csv(table) for table in report.tables}
        return {"report.md": render_markdown(report), "report.html": render_html(report), **tables}

    def report(self, *plans: Plan, formats: tuple[str, ...] = ("md", "csv")) -> dict[str, str]:
        """Contents of the text files written, by name."""
        files = write_report(plans, self.store, self.folder / "out", formats=formats)
        assert all(file.is_file() for file in files)
        return {file.name: file.read_text(encoding="utf-8") for file in files if file.suffix != ".png"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("bench.report.plots.DPI", 60)  # small figures are drawn faster
    return Bench(tmp_path)


def _coco_scores(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float]:
    ap = {"heatmap": 0.44 if evaluation.spec.post_process else 0.35, "simdr": 0.5711}[training.spec.representation]
    return {"AP": ap, "AR": ap + 0.1, "mean_oks": ap / 2}


def _seeded_scores(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, float] | None:
    """Seeds of the tiny backbone only: 0.50, 0.52, 0.54 for SimDR, and 0.1 less for the others."""
    if training.spec.backbone != "simba_tiny":
        return None
    return {"AP": (0.5 if training.spec.representation == "simdr" else 0.4) + 0.02 * training.spec.seed}


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _markdown_rows(text: str) -> list[dict[str, str]]:
    """The first table of a Markdown file."""
    lines = next(line for line in text.split("\n\n") if line.startswith("|")).splitlines()
    head, *body = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in body[1:]]


class _Page(HTMLParser):
    """What tests ask of an HTML file: its tags and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[tuple[str, str]]] = []
        self._cell: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self._cell = []
            self._class = dict(attrs).get("class") or ""

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._cell is not None:
            self.rows[-1].append(("".join(self._cell).strip(), self._class))
            self._cell = None

    def attributes(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]


def test_published_values_and_differences_agree_in_all_formats(bench: Bench) -> None:
    texts = bench.render(bench.fill(COCO, _coco_scores, baseline={"AP": 0.03, "AR": 0.05}))

    raw = _rows(texts["coco_val.csv"])
    assert [row["published_row"] for row in raw] == ["coco_val/28", "coco_val/29", "coco_val/30", ""]
    assert [float(row["AP_difference"]) for row in raw[:3]] == pytest.approx([-0.018, 0.004, 0.0071])

    printed = _markdown_rows(texts["report.md"])
    assert [row["Extra post."] for row in printed] == ["Y", "N", "N", "–"]
    assert [row["AP ours"] for row in printed] == ["44.0", "35.0", "**57.1**", "3.0"]
    assert [row["AP paper"] for row in printed] == ["45.8", "34.6", "56.4", "–"]
    assert [row["AP diff."] for row in printed] == ["−1.8", "+0.4", "+0.7", "–"]
    assert [row["mean OKS"] for row in printed] == ["0.220", "0.175", "**0.286**", "–"]
    assert printed[0]["#Params (M)"] == "28.54"
    assert printed[0]["GFLOPs paper"] == "0.59"
    assert printed[2]["Representation"] == "SimDR"
    assert printed[3]["Backbone"] == "Mean pose baseline"

    rows = [row for row in _Page(texts["report.html"]).rows if row]
    assert [row[0][0] for row in rows] == ["HRNet-W32"] * 3 + ["Mean pose baseline"]
    cells = [text for text, _ in rows[2]]
    assert {"57.1", "56.4", "+0.7"} <= set(cells)
    assert [text for text, kind in rows[2] if "best" in kind] == ["57.1", "67.1", "0.286"]


def test_summary_names_winner_baseline_and_distance_to_the_paper(bench: Bench) -> None:
    text = bench.render(bench.fill(COCO, _coco_scores, baseline={"AP": 0.03}))["report.md"]
    assert "3 of 3 evaluations of 2 trainings are done." in text
    assert "HRNet-W32 at 64x64: SimDR (57.1) has the highest AP, before heatmap + extra post. (44.0)" in text
    assert "mean pose of the training people alone reaches AP 3.0" in text
    assert "3 of the 3 published rows that the suite answers are measured; their AP is 1.0 from the paper's" in text


def test_seeds_are_one_row_with_their_deviation(bench: Bench) -> None:
    texts = bench.render(bench.fill(SYNTHETIC, _seeded_scores, baseline={"AP": 0.02}))
    row = next(row for row in _rows(texts["results.csv"]) if row["representation"] == "SimDR")
    assert (row["seeds"], row["seeds_planned"]) == ("3", "3")
    assert float(row["AP"]) == pytest.approx(0.52)
    assert float(row["AP_std"]) == pytest.approx(0.02)
    assert len(row["records"].split()) == 3
    printed = _markdown_rows(texts["report.md"])
    assert [item["AP ours"] for item in printed[:4]] == ["42.0 ± 2.0", "42.0 ± 2.0", "**52.0 ± 2.0**", "42.0 ± 2.0"]
    assert "single seed" not in texts["report.md"]


def test_rows_of_other_data_show_the_paper_without_a_difference(bench: Bench) -> None:
    texts = bench.render(bench.fill(SYNTHETIC, lambda *_: {"AP": 0.5}))
    rows = _rows(texts["results.csv"])
    res50 = next(row for row in rows if row["backbone"] == "SimBa-Res50" and row["representation"] == "SimDR")
    assert (res50["AP_published"], res50["AP_difference"], res50["published_row"]) == ("0.408", "", "")
    assert "published on COCO val2017; other data, so no difference is taken" in res50["notes"]
    tiny = next(row for row in rows if row["backbone"] == "SimBa-tiny")
    assert "not in the paper" in tiny["notes"]
    assert "*40.8*<sup>" in texts["report.md"]


def test_rows_measured_otherwise_say_how(bench: Bench) -> None:
    text = COCO.replace("boxes: detector, flip_test: true, when", "boxes: gt, flip_test: false, when")
    row = _rows(bench.render(bench.fill(text, _coco_scores))["coco_val.csv"])[2]
    assert (row["AP_published"], row["AP_difference"]) == ("0.564", "")
    assert "published with detector boxes and flip test" in row["notes"]


def test_ablated_settings_get_a_column_and_their_own_rows(bench: Bench) -> None:
    text = COCO.replace("input_size: [64x64]", "input_size: [64x64], split_ratio: [2, 3], label_smoothing: [0.1, 0.2]")
    rows = _rows(bench.render(bench.fill(text, _coco_scores))["coco_val.csv"])
    simdr = [row for row in rows if row["representation"] == "SimDR"]
    settings = {(row["split_ratio"], row["label_smoothing"]) for row in simdr}
    assert settings == {("2", "0.1"), ("2", "0.2"), ("3", "0.1"), ("3", "0.2")}
    assert [row["published_row"] for row in simdr].count("coco_val/30") == 1
    assert "other training settings" in simdr[0]["notes"]


def test_cells_without_a_record_say_why(bench: Bench) -> None:
    first, second, third, *_ = bench.plan(SYNTHETIC).trainings
    bench.store.training(first.spec.id).fail(Failure(kind="Memory", message="needs <b>more</b> | memory"))
    beat = Heartbeat(phase="training", pid=1, host="host", at=4e9, epoch=2, epochs=9)
    running = bench.store.training(second.spec.id)
    write_json(running.heartbeat_file, beat.model_dump())
    bench.store.training(third.spec.id).checkpoint.parent.mkdir(parents=True)
    bench.store.training(third.spec.id).checkpoint.touch()
    with running.lease():
        texts = bench.render(bench.plan(SYNTHETIC))

    rows = _rows(texts["results.csv"])
    reasons = "seed 0: failed: Memory: needs <b>more</b> | memory; seed 1: running: training, epoch 2 of 9; seed 2: "
    assert reasons + "interrupted" in rows[0]["notes"]
    assert rows[-1]["AP"] == ""
    assert "missing" in rows[-1]["notes"]
    assert "*failed, running, interrupted*<sup>" in texts["report.md"]
    assert r"needs &lt;b&gt;more&lt;/b&gt; \| memory" in texts["report.md"]
    assert "<b>" not in texts["report.html"]


def test_evaluation_that_is_not_done_after_its_training_says_so(bench: Bench) -> None:
    failing, pending, *_ = bench.plan(COCO).trainings
    bench.finish(failing)
    bench.finish(pending)
    bench.store.evaluation(failing.evaluations[0].spec.id).fail(Failure(kind="Data", message="no boxes"))
    rows = _rows(bench.render(bench.plan(COCO))["coco_val.csv"])
    assert [row["notes"] for row in rows] == [
        "failed: Data: no boxes", "missing: trained, not evaluated yet", "missing: trained, not evaluated yet",
    ]  # fmt: skip


def test_unreadable_record_costs_its_own_cell_only(bench: Bench) -> None:
    plan = bench.fill(COCO, _coco_scores)
    file = bench.store.evaluation(plan.trainings[0].evaluations[0].spec.id).record_file
    file.write_text("{")
    texts = bench.render(plan)
    assert [row["AP"] for row in _rows(texts["coco_val.csv"])] == ["", "0.35", "0.5711"]
    assert "is not valid JSON" in texts["report.md"].split("## Results")[0]


def test_nothing_measured_still_makes_a_report(bench: Bench) -> None:
    texts = bench.report(bench.plan(SYNTHETIC), formats=FORMATS)
    assert set(texts) == {"report.md", "report.html", "results.csv"}
    for sentence in ("Nothing is measured yet.", "No training is finished yet.", "No photographs stored."):
        assert sentence in texts["report.md"]
        assert sentence in texts["report.html"]
    assert "0 of 21 evaluations of 15 trainings are done (21 missing)" in texts["report.md"]


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
    row = _markdown_rows(bench.render(plan)["report.md"])[0]
    assert row["AR ours"].startswith("n/a<sup>")
    assert row["mean OKS"].startswith("n/a<sup>")


def test_excluded_combinations_are_listed_once_for_all_seeds(bench: Bench) -> None:
    text = bench.render(bench.plan(SYNTHETIC))["report.md"]
    assert text.count(r"- too slow: SimBa-Res50, SimDR\*, 64x64") == 1


def test_hostile_titles_come_out_as_text(bench: Bench) -> None:
    hostile = "<script>alert(1)</script> | {{ 7*7 }} [a](javascript:b) `c` *d*"
    suite = COCO.replace("COCO rows", json.dumps(hostile)).replace(
        "title: COCO val2017", f"title: {json.dumps(hostile)}"
    )
    suite = suite.replace("The paper's rows.", json.dumps(f"# {hostile}"))
    texts = bench.render(bench.fill(suite, _coco_scores))
    page = _Page(texts["report.html"])
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert "49" not in texts["report.html"].split("<title>")[1].split("</title>")[0]
    markdown = texts["report.md"]
    assert "<script>" not in markdown
    assert r"# &lt;script&gt;alert(1)&lt;/script&gt; \| {{ 7\*7 }} \[a\](javascript:b) \`c\` \*d\*" in markdown
    assert "\n\\# &lt;script&gt;" in markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("input_size", "input_size"), ("_a_", r"\_a\_"), ("a|b", r"a\|b"), ("1. x", r"1\. x"), ("- x", r"\- x"),
        ("1.5", "1.5"), ("+0.5", "+0.5"), ("---", r"\---"), ("#Params", "#Params"), ("# x #", r"\# x \#"),
        ("a\n\n# b", "a # b"), ("a & b < c", "a &amp; b &lt; c"), ("$x$", r"\$x\$"), (r"\|", r"\\\|"),
    ],
)  # fmt: skip
def test_markdown_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_spreadsheets_find_no_formula(bench: Bench) -> None:
    plan = bench.plan(COCO)
    bench.store.training(plan.trainings[0].spec.id).fail(Failure(kind="x", message="=cmd()"))
    assert all(not cell.startswith("=") for row in _rows(bench.render(plan)["coco_val.csv"]) for cell in row.values())


def test_html_is_one_file_that_asks_for_nothing(bench: Bench) -> None:
    page_text = bench.report(bench.fill(COCO, _coco_scores, baseline={"AP": 0.03}), formats=("html",))["report.html"]
    page = _Page(page_text)
    sources = page.attributes("src") + page.attributes("srcset") + page.attributes("poster")
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert not {"link", "script", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"url\(|@import|https?:", page_text)
    assert [path.name for path in (bench.folder / "out" / "coco").rglob("*")] == ["report.html"]


def test_rows_link_to_their_provenance(bench: Bench) -> None:
    plan = bench.fill(COCO, _coco_scores)
    texts = bench.render(plan)
    page = _Page(texts["report.html"])
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
    text = bench.report(bench.fill(COCO, _coco_scores))["report.md"]
    figures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert figures == ["figures/bars.png", "figures/curves.png"]
    assert all(cv2.imread(str(bench.folder / "out" / "coco" / figure)) is not None for figure in figures)


def test_equal_records_make_equal_figures(bench: Bench) -> None:
    plan = bench.fill(COCO, _coco_scores)
    for number in (1, 2):
        write_report([plan], bench.store, bench.folder / f"out{number}", formats=["md"])
    first, second = ((bench.folder / f"out{number}/coco/figures/bars.png").read_bytes() for number in (1, 2))
    assert first == second


def _store_people(bench: Bench, plan: Plan, **changes: Any) -> None:
    """Two people for each evaluation, on grey photographs."""
    for training in plan.trainings:
        for evaluation in training.evaluations:
            folder = bench.store.evaluation(evaluation.spec.id)
            truth = [[5.0 * joint, 50.0, 2.0 if joint else 0.0] for joint in range(17)]
            people = [
                {"image_id": 1, "annotation_id": number, "file": f"people/{number}.jpg", "truth": truth,
                 "prediction": truth if number == 1 else None, "oks": 0.75 if number == 1 else None} | changes
                for number in (1, 2)
            ]  # fmt: skip
            write_json(folder.people_file, {"skeleton": "coco_17", "people": people}, durable=False)
            (folder.path / "people").mkdir(exist_ok=True)
            for number in (1, 2):
                cv2.imwrite(str(folder.path / f"people/{number}.jpg"), np.full((100, 80, 3), 128, np.uint8))


def test_photographs_show_the_same_people_across_methods(bench: Bench) -> None:
    plan = bench.fill(COCO, _coco_scores)
    _store_people(bench, plan)
    text = bench.report(plan)["report.md"]
    assert "The first 2 stored people of the validation split, HRNet-W32 at 64x64, seed 0." in text
    image = cv2.imread(str(bench.folder / "out/coco/figures/photographs.png"))
    assert image is not None
    left_blue = (image == (0xE9, 0xB4, 0x56)).all(axis=-1)
    assert left_blue.any()


def test_photographs_from_outside_the_folder_are_refused(bench: Bench) -> None:
    plan = bench.fill(COCO, _coco_scores)
    cv2.imwrite(str(bench.folder / "secret.jpg"), np.zeros((9, 9, 3), np.uint8))
    _store_people(bench, plan, file="../../../secret.jpg")
    assert "lies outside the folder" in bench.report(plan)["report.md"]


@pytest.mark.parametrize(
    "changes", [{"truth": [[1, 2, 2]]}, {"prediction": "none"}, {"file": "people/missing.jpg"}], ids=str
)
def test_broken_photographs_are_named_and_stop_nothing(bench: Bench, changes: dict[str, Any]) -> None:
    plan = bench.fill(COCO, _coco_scores)
    _store_people(bench, plan, **changes)
    text = bench.report(plan)["report.md"]
    assert "Files that could not be read" in text
    assert _markdown_rows(text)[0]["AP ours"] == "44.0"


def test_unknown_format_is_refused_before_anything_is_written(bench: Bench) -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown report format 'htm' \(did you mean 'html'\?\); valid: csv, html, md"
    ):
        bench.report(bench.plan(COCO), formats=("md", "htm"))
    assert not (bench.folder / "out").exists()


def test_suites_of_one_name_are_refused(bench: Bench) -> None:
    plan = bench.plan(COCO)
    with pytest.raises(BenchError, match="is named 'coco' like that of"):
        bench.report(plan, plan)


def test_report_imports_no_torch() -> None:
    code = "import sys, bench.report.build; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
