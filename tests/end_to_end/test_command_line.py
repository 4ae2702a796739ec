"""The command line as users call it: run, run again, share, fail, look."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import SUITE, Bench


def records(results: Path) -> dict[str, dict]:
    return {file.parent.name: json.loads(file.read_text()) for file in results.glob("evaluations/*/record.json")}


def test_run_report_and_run_again(bench: Bench, suite: Path, tmp_path: Path, data_root: Path) -> None:
    first = bench("run", suite, "--data-root", data_root, "--threads", 1)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "trainings: 2 (2 done); evaluations: 3 (3 done)" in first.stdout
    made = records(tmp_path / "results")
    assert len(made) == 3

    again = bench("run", suite, "--data-root", data_root)
    assert again.returncode == 0
    assert again.stdout.startswith("nothing to do")
    assert records(tmp_path / "results") == made

    planned = json.loads(bench("plan", suite, "--json").stdout)
    assert {item["state"] for item in (*planned["trainings"], *planned["evaluations"])} == {"done"}
    assert {item["id"] for item in planned["evaluations"]} == set(made)

    report = bench("report", suite, "--out", tmp_path / "reports")
    assert report.returncode == 0, report.stderr
    assert "SimDR" in (tmp_path / "reports" / "tiny" / "report.md").read_text()
    assert "data:image" in (tmp_path / "reports" / "tiny" / "report.html").read_text()

    shared = tmp_path / "shared.yaml"
    shared.write_text(SUITE.replace("name: tiny", "name: shared").replace("boxes: gt,", "boxes: gt, flip_test: false,"))
    trained = sorted(tmp_path.glob("results/trainings/*/training.json"))
    before = [file.stat().st_mtime_ns for file in trained]
    second = bench("run", shared, "--data-root", data_root, "--threads", 1, "--only", "representation=simdr")
    assert second.returncode == 0, second.stdout + second.stderr
    assert [file.stat().st_mtime_ns for file in trained] == before, "both suites share the training"
    assert len(records(tmp_path / "results")) == 4

    check_eval_repeats_a_record(bench, made, tmp_path, data_root)


def check_eval_repeats_a_record(bench: Bench, made: dict[str, dict], tmp_path: Path, data_root: Path) -> None:
    """`eval` on the stored weights gives the record's metrics, and `score` gives them from its predictions."""
    record = next(record for record in made.values() if record["training"]["representation"] == "simdr")
    weights = tmp_path / "results" / "trainings" / record["spec"]["training"] / "weights.pt"
    folder = data_root / "synthetic"
    options = "eval --backbone simba_tiny --representation simdr --input-size 64x64 --dataset synthetic --split val16"
    out = tmp_path / "eval"
    done = bench(options, "--dataset-dir", folder, "--checkpoint", weights, "--out", out)
    assert done.returncode == 0, done.stderr
    annotations = folder / "annotations" / "person_keypoints_val16.json"
    files = ("--predictions", out / "predictions.json", "--annotations", annotations)
    scored = bench("score --protocol coco --json", *files)
    assert json.loads(scored.stdout) == json.loads((out / "metrics.json").read_text())
    # The suite's recipe shifts the flipped view exactly, `eval` as the reference does: near, not equal.
    assert json.loads(scored.stdout)["mean_oks"] == pytest.approx(record["metrics"]["mean_oks"], abs=0.05)


def test_a_failing_cell_takes_no_other_with_it(bench: Bench, suite: Path, tmp_path: Path, data_root: Path) -> None:
    broken = "    - {when: {representation: heatmap}, initialization: imagenet}\n"
    suite.write_text(SUITE.replace("evaluate:", broken + "evaluate:"))
    weights = data_root / "imagenet" / "simba_tiny.pth"
    weights.parent.mkdir(exist_ok=True)
    weights.write_text("these are no weights")
    result = bench("run", suite, "--data-root", data_root, "--threads", 1)
    weights.unlink()
    assert result.returncode == 1
    assert "simba_tiny.pth: not a readable torch file" in result.stdout
    assert len(records(tmp_path / "results")) == 1
    status = bench("status", suite)
    assert "failed" in status.stdout
    assert "CheckpointError" in status.stdout

    suite.write_text(SUITE)
    assert bench("run", suite, "--data-root", data_root, "--threads", 1).returncode == 0


def test_killed_run_goes_on(bench: Bench, suite: Path, tmp_path: Path, data_root: Path) -> None:
    """SIGKILL of the command itself: its job saves its state and ends, and the next run takes over."""
    suite.write_text(SUITE.replace("epochs: 1, milestones: []", "epochs: 3, milestones: [2]"))
    command = [sys.executable, "-m", "bench", "run", str(suite), "--data-root", str(data_root), "--threads", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("results/trainings/*/progress.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    result = bench("run", suite, "--data-root", data_root, "--threads", 1)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(records(tmp_path / "results")) == 3


def test_trainings_side_by_side_in_processes_of_their_own(bench: Bench, suite: Path, data_root: Path) -> None:
    """Two slots of one CPU, and a training of two processes, which end with what they end with alone."""
    suite.write_text(
        SUITE.replace("batch_size: 16}", "batch_size: 16}\n    - {when: {representation: simdr}, world_size: 2}")
    )
    for options in (("--results", "one"), ("--results", "two", "--pack", 2)):
        done = bench("run", suite, "--data-root", data_root, "--threads", 1, *options)
        assert done.returncode == 0, done.stdout + done.stderr
    found = [
        {file.parent.name: file.read_bytes() for file in (suite.parent / results).glob("trainings/*/weights.pt")}
        for results in ("one", "two")
    ]
    assert len(found[0]) == 2
    assert found[0] == found[1]


def test_cancel_stops_what_runs_and_run_goes_on(bench: Bench, suite: Path, tmp_path: Path, data_root: Path) -> None:
    suite.write_text(SUITE.replace("evaluate:", "    - {when: {representation: heatmap}, epochs: 20}\nevaluate:"))
    command = [sys.executable, "-m", "bench", "run", str(suite), "--data-root", str(data_root), "--threads", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("results/trainings/*/progress.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert bench("cancel", suite).stdout == "cancelled: 1 trainings\n"
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cancelled, state saved" in said
    states = [item["state"] for item in json.loads(bench("status", suite, "--json").stdout)["trainings"]]
    assert sorted(states) == ["cancelled", "done"]

    retried = bench("retry", suite, "--state", "cancelled", "--data-root", data_root, "--threads", 1)
    assert retried.returncode == 0, retried.stdout + retried.stderr
    assert len(records(tmp_path / "results")) == 3


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run tiny.yaml --executor slurm", "--executor slurm needs --profile FILE"),
        ("run tiny.yaml --profile p.yaml", "--profile is of no use to --executor local"),
        ("run tiny.yaml --executor slurm --profile nowhere.yaml", "nowhere.yaml: No such file"),
        ("cancel tiny.yaml --state runing", "unknown state 'runing' (did you mean 'running'?)"),
        ("retry tiny.yaml --id zzz", "unknown id 'zzz'"),
        ("logs zzz", "the id 'zzz' must name one training or evaluation"),
        ("plan nowhere.yaml", "nowhere.yaml: No such file"),
        ("run tiny.yaml --only backbone=hrnet", "has no value 'hrnet'; valid: simba_tiny"),
        ("run tiny.yaml --executor cloud", "unknown executor 'cloud'; valid: local"),
        ("report tiny.yaml --format docx", "unknown report format 'docx'"),
        ("score --protocol coco --predictions none.json --annotations none.json", "none.json: no such file"),
        ("score --protocol cocoa --predictions none.json --annotations none.json", "did you mean 'coco'?"),
        ("data verify cocco val2017", "did you mean 'coco'?"),
        ("data synthesize train", "such as train3000"),
    ],
)
def test_unusable_input_ends_with_3_and_says_what_is_valid(
    bench: Bench, suite: Path, command: str, message: str
) -> None:
    result = bench(command)
    assert result.returncode == 3
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_broken_images_are_left_out_and_reported(bench: Bench, suite: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for split in ("train48", "val16"):
        assert bench("data synthesize", split, "--data-root", root).returncode == 0
    train, val = (sorted((root / "synthetic" / "images" / split).glob("*.jpg"))[0] for split in ("train48", "val16"))
    train.write_bytes(train.read_bytes()[:500])
    val.unlink()

    verified = bench("data verify synthetic train48", "--data-root", root)
    assert verified.returncode == 1
    assert "truncated" in verified.stdout
    result = bench("run", suite, "--data-root", root, "--threads", 1, "--only", "representation=simdr")
    assert result.returncode == 0, result.stdout + result.stderr
    (record,) = records(tmp_path / "results").values()
    assert any(val.name in problem and "No such file" in problem for problem in record["problems"])
    training = json.loads(next(tmp_path.glob("results/trainings/*/training.json")).read_text())
    assert any(train.name in problem and "truncated" in problem for problem in training["problems"])
