"""The runner of the GPU benchmark: whatever a check does costs one line. With a GPU, or without: the whole of it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.pose.metrics import oks_evaluator
from bench.pose.skeletons import COCO_17
from benchmarks.gpu.__main__ import SHARES, main
from benchmarks.gpu.checks import Setting
from benchmarks.gpu.processes import run_limited, run_part
from benchmarks.gpu.results import Result, ResultFile
from benchmarks.gpu.table import markdown

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    return Setting("cpu", True, tmp_path / "data", tmp_path / "out", tmp_path / "work")


def _lives(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


def test_each_fault_costs_one_line(setting: Setting, capfd: pytest.CaptureFixture[str]) -> None:
    run_part("tests.unit.benchmarks.faulty_part", setting, 60)
    found = {result.check: result for result in setting.results.ended()}
    assert {name: result.outcome for name, result in found.items()} == {
        "first": "ok",
        "raises": "crashed",
        "dies": "crashed",
        "wrong": "wrong",
        "hangs": "timed out",
        "impossible": "not possible",
        "too late": "not reached",
        "last": "measured",
    }
    assert (found["first"].values, found["first"].note) == ({"answer": 42}, "as expected")
    assert found["raises"].note == "ValueError: a table has no legs"
    assert found["dies"].note == "its process ended by SIGKILL: about to die"
    assert found["hangs"].note == "did not end within 1 s"
    assert not _lives(int((setting.work / "child").read_text())), "children of what hangs end with it"
    said = capfd.readouterr().out.splitlines()
    assert len(said) == len(found)
    assert said[0].startswith("[tests.unit.benchmarks.faulty_part] first: ok (0.0 s): answer 42; as expected")


def test_a_part_that_cannot_begin_is_one_line(setting: Setting) -> None:
    run_part("tests.unit.benchmarks.unusable_part", setting, 60)
    (found,) = setting.results.ended()
    assert (found.check, found.outcome) == ("start", "crashed")
    assert found.note == "its process ended by exit status 1: ImportError: a package is missing"


def test_the_time_of_a_part_ends_its_processes(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > child; wait"
    started = time.monotonic()
    assert run_limited(["sh", "-c", f"cd {tmp_path}; {script}"], 0.5, tmp_path / "log") is None
    assert time.monotonic() - started < 30
    deadline = time.monotonic() + 10
    while _lives(int((tmp_path / "child").read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(int((tmp_path / "child").read_text()))


def test_results_survive_a_line_that_was_cut_off(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "results.jsonl")
    assert results.ended() == []
    results.append(Result("part", "one", "begun"))
    results.append(Result("part", "one", "ok", {"px": 0.5}))
    with results.file.open("a") as file:
        file.write(json.dumps({"part": "part", "check": "two"})[:-5])
    results.append(Result("part", "three", "begun"))
    assert results.ended() == [Result("part", "one", "ok", {"px": 0.5})]
    assert results.unfinished("part") == Result("part", "three", "begun")
    assert results.unfinished("other") is None
    assert [len(line) > 0 for line in results.file.read_text().splitlines()] == [True] * 4


def test_the_table_has_a_row_for_each_network_and_size() -> None:
    found = markdown(
        [
            Result("ready", "machine", "ok", {"GPU": "one", "torch": "2.11"}),
            Result("correct", "codec heatmap", "wrong", {}, "loss | differs"),
            Result("fast", "hrnet_w32 | 64x64 | plain", "measured", {"instances/s": 2000.0, "GiB": 3.25}),
            Result("fast", "hrnet_w32 | 64x64 | float32", "timed out", {}, "did not end"),
            Result("fast", "simba_res50 | 64x64 | float32", "measured", {"instances/s": 12345.6}),
        ]
    )
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]
    assert "GPU one, torch 2.11" in found
    assert ["codec heatmap", "wrong", "", "loss / differs", "0.0"] in lines
    assert ["network", "size", "plain", "float32"] in lines
    assert ["hrnet_w32", "64x64", "2,000", "timed out"] in lines
    assert ["simba_res50", "64x64", "", "12,346"] in lines
    assert ["hrnet_w32 / 64x64 / plain", "measured", "instances/s 2,000, GiB 3.25", "", "0.0"] in lines


def test_what_takes_hotcoco_s_place_gives_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    annotations, results = [], []
    for number in range(1, 41):
        keypoints = np.column_stack([rng.uniform(0, 100, (17, 2)), rng.integers(0, 3, 17)])
        more = {"image_id": 1 + number % 7, "category_id": 1}
        annotations.append(
            {"id": number, "keypoints": keypoints.ravel().tolist(), "num_keypoints": int((keypoints[:, 2] > 0).sum())}
            | {"area": 5000.0, "bbox": [0.0, 0.0, 100.0, 100.0], "iscrowd": 0}
            | more
        )
        keypoints[:, :2] += rng.normal(0, 4, (17, 2))
        results.append({"keypoints": keypoints.ravel().tolist(), "score": float(rng.random())} | more)
    contents = {"images": [{"id": image} for image in range(1, 8)], "annotations": annotations}
    contents["categories"] = [{"id": 1, "name": "person"}]
    given = json.dumps(results)

    def precision() -> float | None:
        truth = oks_evaluator.read_truth(contents)
        assert truth is not None
        return oks_evaluator.quick_precision(truth, results, list(COCO_17.sigmas))

    expected = precision()
    place = CHECKOUT / "benchmarks" / "gpu" / "without" / "hotcoco.py"
    spec = importlib.util.spec_from_file_location("without_hotcoco", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(oks_evaluator, "COCO", module.COCO)
    monkeypatch.setattr(oks_evaluator, "COCOeval", module.COCOeval)
    assert precision() == pytest.approx(expected, abs=1e-12)
    assert expected is not None
    assert 0.1 < expected < 0.99
    assert json.dumps(results) == given
    results.clear()
    assert precision() == 0.0


def test_without_time_nothing_is_proven(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(json.dumps({"part": "correct", "check": "old", "outcome": "ok"}) + "\n")
    assert main(["--device", "cpu", "--minutes", "0.001", "--out", str(tmp_path)])
    found = ResultFile(tmp_path / "results.jsonl").ended()
    assert [(one.part, one.outcome) for one in found] == [(part, "not reached") for part in SHARES]
    assert "no time was left" in (tmp_path / "table.md").read_text()
    assert not main(["--device", "cpu", "--minutes", "0.001", "--out", str(tmp_path), "--parts", "real"])
    assert [one.part for one in ResultFile(tmp_path / "results.jsonl").ended()] == ["ready", "real"]


@pytest.mark.gpu
def test_the_whole_benchmark(tmp_path: Path) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    words = ["--device", device, "--quick", "--minutes", "8", "--data-root", tmp_path / "data", "--out", tmp_path]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "benchmarks.gpu", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=environment)
    assert done.returncode == 0, done.stdout[-3000:]
    outcomes = {(one.part, one.check): one.outcome for one in ResultFile(tmp_path / "results.jsonl").ended()}
    assert set(outcomes.values()) <= {"ok", "measured", "not possible"}, done.stdout[-3000:]
    without_gpu = {name for name, outcome in outcomes.items() if outcome == "not possible"}
    assert all("graphs" in check for _, check in without_gpu) or device == "cuda"
    for part, check in (("correct", "killed and resumed"), ("correct", "codec rle"), ("ready", "machine")):
        assert outcomes[part, check] == "ok"
    assert "## Real images" in (tmp_path / "table.md").read_text()
    assert {file.name for file in tmp_path.iterdir()} == {
        "capsule.zip", "gpu_suite.yaml", "log.txt", "real.tgz", "results.jsonl", "table.md",
    }  # fmt: skip
