"""Forecasts as users get them: calibrate, plan, run within a budget, plan again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.planning.forecast.evidence import Calibration
from bench.pose.machine import bfloat16_instructions
from tests.end_to_end.conftest import Bench

SUITE = """
name: seeds
title: Seeds
dataset: {name: synthetic, train: train48, eval: val16}
train:
  recipe: corrected
  axes:
    backbone: [simba_tiny]
    representation: [simdr]
    input_size: [64x64]
    seed: [0, 1, 2]
  set:
    - {initialization: kaiming, epochs: 1, milestones: [], batch_size: 16}
evaluate:
  - {boxes: gt}
tables:
  - {id: seeds}
"""


def test_calibrate_plan_and_run_within_a_budget(bench: Bench, tmp_path: Path, data_root: Path) -> None:
    suite = tmp_path / "seeds.yaml"
    suite.write_text(SUITE)
    options = ("--threads", 1)
    run = ("run", suite, "--data-root", data_root, *options, "--budget")

    def forecasts() -> list[Any]:
        document = json.loads(bench("plan", suite, *options, "--json").stdout)
        return [*(training["forecast"] for training in document["trainings"]), document["forecast"]]

    assert forecasts() == [None, None, None, {"hours": 0, "low": 0, "high": 0, "unknown": 3}]
    planned = bench("plan", suite, *options, "--device", "cpu").stdout
    assert "`bench calibrate` measures it in a minute" in planned
    assert ("--set precision=bfloat16" in planned) == bool(bfloat16_instructions())
    assert (
        "processor has" not in bench("plan", suite, *options, "--device", "cpu", "--set", "precision=bfloat16").stdout
    )
    refused = bench(*run, 1)
    assert refused.returncode == 3
    assert "bench calibrate" in refused.stderr
    unready = bench(*run[:-1], "--budget", 1, "--calibration", tmp_path / "none.json")
    assert unready.returncode == 3
    assert "none.json: no such file" in unready.stderr

    calibrated = bench("calibrate", *options, "--seconds", 2)
    assert calibrated.returncode == 0, calibrated.stderr
    (file,) = (tmp_path / "results" / "calibrations").glob("*.json")
    assert len(Calibration.model_validate_json(file.read_text()).points) >= 6
    *each, together = forecasts()
    assert {item["source"] for item in each} == {"calibration"}
    assert all(0 < item["low"] < item["hours"] < item["high"] < 1 for item in each)
    assert together["hours"] > each[0]["hours"]
    elsewhere = json.loads(bench("plan", suite, "--threads", 7, "--calibration", file, "--json").stdout)
    assert elsewhere["forecast"] == together, "for the hardware of the calibration, wherever it is planned"

    nothing = bench(*run, 0)
    assert nothing.returncode == 0, nothing.stderr
    assert nothing.stdout.count("left out:") == 3
    one = bench(*run, 1.5 * each[0]["high"])
    assert one.returncode == 0, one.stdout + one.stderr
    assert one.stdout.count("left out:") == 2
    assert "trainings: 3 (1 done, 2 missing)" in one.stdout

    done, *others, _ = forecasts()
    assert done is None
    assert [item["source"] for item in others] == ["measured", "measured"]
    assert "trainings: 2 as measured before" in bench("plan", suite, *options).stdout
