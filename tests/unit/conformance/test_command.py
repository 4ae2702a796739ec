"""`bench conform`: finding the entry, what is printed, and exit statuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.conformance.kinds import KINDS, Surroundings, find_kind
from bench.extend import metric, report_format
from bench.pose.errors import BenchError
from bench.pose.metrics.own import Results
from bench.pose.scoring import Scoring
from tests.command import bench as command_line
from tests.unit import tiny_datasets

AROUND = Surroundings(Path("data"))

MODULE = """\
from bench.extend import metric


@metric("typo", protocols=["coco"])
def typo(results, scoring):
    return results[0]["scroe"]


@metric("highest", protocols=["coco"])
def highest(results, scoring):
    return max((max(result["keypoints"]) for result in results), default=0.0)
"""

SUITE = """\
name: own
title: A dataset of one's own
dataset:
  name: crowd
  train: trainval
  eval: test
  define:
    annotations: annotations/crowdpose_SPLIT.json
    images: [images]
    skeleton:
      keypoints: [left_shoulder, right_shoulder, left_elbow, right_elbow, left_wrist, right_wrist, left_hip, right_hip,
        left_knee, right_knee, left_ankle, right_ankle, head, neck]
      sigmas: [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
      pairs:
        - [left_shoulder, right_shoulder]
        - [left_elbow, right_elbow]
        - [left_wrist, right_wrist]
        - [left_hip, right_hip]
        - [left_knee, right_knee]
        - [left_ankle, PARTNER]
train:
  recipe: corrected
  axes: {backbone: [simba_tiny], representation: [heatmap], input_size: [64x64]}
  set: [{initialization: kaiming, epochs: 1, milestones: [], batch_size: 4}]
evaluate: [{boxes: gt}]
tables: [{id: own}]
"""


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command_line("conform", *arguments, cwd=folder)


def test_a_broken_entry_ends_1_with_its_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "my_metrics.py").write_text(MODULE)
    done = bench(tmp_path, "typo", "--extension", "my_metrics")
    assert done.returncode == 1
    assert f"KeyError: 'scroe' ({tmp_path}/my_metrics.py:6)" in done.stdout
    assert "4 checks: 1 ok, 0 warning, 3 failed, 0 skipped" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unknown_name_ends_3_and_lists_what_there_is(tmp_path: Path) -> None:
    done = bench(tmp_path, "simdrr")
    assert done.returncode == 3
    assert done.stderr.startswith("error: no entry is named 'simdrr' (did you mean 'simdr'?); there are")
    for expected in ("  backbone: hrnet_w32,", "  dataset: coco,", "  metric: none", "  format: md, html"):
        assert expected in done.stderr


@pytest.mark.usefixtures("sandbox")
def test_a_name_of_several_kinds_needs_the_kind() -> None:
    metric("twice")(lambda _results, _scoring: 0.0)
    report_format("twice")(lambda _report: ())
    with pytest.raises(BenchError, match="'twice' names entries of several kinds, metric, format: choose one"):
        find_kind("twice", None, AROUND)
    assert find_kind("twice", "format", AROUND) is KINDS["format"]
    with pytest.raises(BenchError, match=r"no entry is named 'twice'; there are\n  backbone: "):
        find_kind("twice", "backbone", AROUND)
    with pytest.raises(BenchError, match=r"unknown kind 'metrics' \(did you mean 'metric'\?\); valid: backbone, "):
        find_kind("twice", "metrics", AROUND)


def test_a_dataset_without_splits_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no split of 'mpii' is in .*: name one by --split"):
        KINDS["dataset"].checks("mpii", Surroundings(tmp_path))


def test_a_profile_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--profile is of no use to --executor local"):
        KINDS["executor"].checks("local", Surroundings(tmp_path, profile=tmp_path / "x.yaml"))


@pytest.mark.parametrize(("partner", "status"), [("right_ankle", 0), ("head", 1)])
def test_the_dataset_that_a_suite_defines_with_its_splits(tmp_path: Path, partner: str, status: int) -> None:
    (tmp_path / "own.yaml").write_text(SUITE.replace("PARTNER", partner))
    tiny_datasets.crowdpose(tmp_path / "data" / "crowd")
    arguments = ["--suite", str(tmp_path / "own.yaml"), "--data-root", str(tmp_path / "data"), "--json"]
    done = CliRunner().invoke(app, ["conform", "crowd", *arguments])
    assert done.exit_code == status, done.output
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert len(checks) == 1 + 2 * 6
    assert {check["verdict"] for name, check in checks.items() if name != "skeleton"} == {"ok"}
    assert checks["skeleton"]["verdict"] == ("failed" if status else "ok")
    assert checks["trainval truth"]["found"] == "AP 1 for 6 instances"


@pytest.mark.usefixtures("sandbox")
def test_json_stays_json_whatever_the_entry_prints() -> None:
    @metric("talkative", protocols=["coco"])
    def talkative(results: Results, scoring: Scoring) -> float:
        print("computing ...")
        return float(sum(sum(result["keypoints"]) for result in results))

    done = CliRunner().invoke(app, ["conform", "talkative", "--json"])
    assert done.exit_code == 0
    assert [check["verdict"] for check in json.loads(done.stdout)["checks"]] == ["ok"] * 4
    assert "computing ..." in done.stderr
