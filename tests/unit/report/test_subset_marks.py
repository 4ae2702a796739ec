"""Numbers of a subset are marked wherever they stand, and count for nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app

SUITE = """\
name: part
title: A part
dataset: {name: coco, train: train2017, eval: val2017}
train:
  axes: {backbone: [simba_res50], representation: [heatmap, simdr], input_size: [64x64]}
evaluate:
  - {boxes: detector, post_process: [quarter], when: {representation: heatmap}}
  - {boxes: detector, when: {representation: simdr}}
tables: [{id: results, title: COCO, compare: published/coco_val, metrics: [AP]}]
claims: [{id: gain, says: It gains, that: "AP[simdr] - AP[heatmap, post_process] > 0"}]
"""
WORDS = "first 500 images of each split"
REPORTS = ("part/part_subset=500", "whole/part")


def call(*words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of simulated records: of all images in `whole`, of a subset in `part`."""
    folder = tmp_path_factory.mktemp("subset")
    (folder / "suite.yaml").write_text(SUITE)
    for name, options in {"whole": [], "part": ["--subset", "500"]}.items():
        common = [str(folder / "suite.yaml"), "--results", str(folder / "results"), *options]
        call("simulate", *common)
        call("report", *common, "--out", str(folder / name), "--format", "md,html,csv,tex")
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.open(encoding="utf-8")))


@pytest.mark.parametrize("file", ["report.md", "report.html", "tables/results.tex", "claims.tex"])
def test_every_format_says_so(folder: Path, file: str) -> None:
    assert WORDS in (folder / "part" / "part_subset=500" / file).read_text(encoding="utf-8")
    assert "SUBSET" in (folder / "part" / "part_subset=500" / file).read_text(encoding="utf-8")
    assert "first 500" not in (folder / "whole" / "part" / file).read_text(encoding="utf-8")


def test_the_paper_is_not_compared(folder: Path) -> None:
    part, whole = (rows(folder / name / "tables" / "results.csv")[:2] for name in REPORTS)
    assert [row["subset"] for row in part] == ["500", "500"]
    assert "subset" not in whole[0]
    assert all(row["AP"] and row["AP_difference"] and row["published_row"] for row in whole)
    assert all(row["AP"] and not row["AP_difference"] and not row["published_row"] for row in part)
    assert "published on all images, so no difference is taken" in part[0]["notes"]


def test_no_claim_is_judged(folder: Path) -> None:
    (part,), (whole,) = (rows(folder / name / "claims.csv") for name in REPORTS)
    assert whole["verdict"] != "not measured"
    assert part["verdict"] == "not measured"
    assert "a subset of the images says nothing of it" in part["explanation"]


def test_plan_status_show_and_the_gate_say_so(folder: Path) -> None:
    options = [str(folder / "suite.yaml"), "--results", str(folder / "results"), "--subset", "500"]
    planned = json.loads(call("plan", *options, "--json"))
    assert {item["subset"] for item in planned["evaluations"]} == {500}
    assert not any(item["published"] for item in planned["evaluations"])
    for command in ("plan", "status"):
        assert f"SUBSET: {WORDS}; numbers are comparable with no others" in call(command, *options)
    evaluation = planned["evaluations"][0]["id"]
    shown = call("show", evaluation, "--results", str(folder / "results"))
    assert f"SUBSET: {WORDS}" in shown
    shown_json = json.loads(call("show", evaluation, "--results", str(folder / "results"), "--json"))
    assert (shown_json["evaluation"]["subset"], shown_json["training"]["subset"]) == (500, 500)
    checked = CliRunner().invoke(app, ["check", *options, "--baseline", str(folder / "new.yaml"), "--update"])
    assert checked.exit_code == 3, "simulated"
    assert WORDS in checked.output
