"""Two runs at once, helpers that die, memory that runs out, and a clock that is set back."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.faults.conftest import SUITE, Bench, Fault

CHECKPOINT = ".checkpoint.pt."


@pytest.mark.faults
def test_two_runs_at_once_and_readers_meanwhile(bench: Bench, tmp_path: Path) -> None:
    """The first holds one cell until the second has said that it waits."""
    bench.suite.write_text(SUITE.replace("[simdr]", "[simdr, heatmap]"))
    go_on = tmp_path / "go on"
    first = bench.start("run", fault=Fault(f"until [ -e '{go_on}' ]; do sleep 0.1; done", CHECKPOINT, times=2))
    while not list(bench.results.glob("trainings/*/checkpoint.pt")):
        assert first.poll() is None
        time.sleep(0.1)
    second = bench.start("run")
    assert second.stdout
    said = ""
    while "waits for process" not in said:
        assert second.poll() is None, said
        said += second.stdout.readline()
    go_on.touch()
    while first.poll() is None or second.poll() is None:
        bench("status")
        bench("report", "--out", tmp_path / "reports", "--format", "md")
    for run in (first, second):
        said = run.communicate(timeout=180)[0]
        assert run.returncode == 0, said
        assert said.endswith("trainings: 2 (2 done); evaluations: 2 (2 done)\n")
    for training in bench.results.glob("trainings/*"):
        assert len(json.loads((training / "training.json").read_text())["history"]) == 3
        logged = (training / "log.txt").read_text()
        assert "was taken over" not in logged
    assert not list(bench.results.rglob("failure.json"))


@pytest.mark.faults
def test_a_loader_process_that_is_killed(bench: Bench, undisturbed: str) -> None:
    """By the shell that stands in for the job: what else descends from it loads crops."""
    kill = Fault("exec pkill -KILL -P $PPID", CHECKPOINT, times=3)
    said = bench("run", "--workers", 2, ends=1, fault=kill)
    assert "a process that loads crops died (often: out of memory): DataLoader worker" in said
    assert bench.failure()["cause"] == "killed"
    assert (bench.training() / "checkpoint.pt").exists()
    said = bench("retry", "--workers", 2)
    assert bench.weights() == undisturbed


@pytest.mark.faults
def test_too_little_memory_for_one_cell_leaves_the_others_alone(bench: Bench, undisturbed: str) -> None:
    bench.suite.write_text(SUITE.replace("[64x64]", "[1024x1024, 64x64]"))
    space = 6 << 30
    said = bench("run", ends=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (space, space)))
    assert "trainings: 2 (1 done, 1 failed)" in said
    assert bench.failure()["cause"] == "out_of_memory", bench.failure()
    (done,) = bench.results.glob("trainings/*/training.json")
    assert json.loads(done.read_text())["weights_sha256"] == undisturbed


@pytest.mark.faults
@pytest.mark.parametrize("when", ["between", "during"])
def test_a_clock_that_is_set_back_by_an_hour(bench: Bench, undisturbed: str, tmp_path: Path, when: str) -> None:
    marker = tmp_path / "set back"
    clock = {"FAULT_CLOCK": str(marker)}
    back = f"touch '{marker}'"
    if when == "between":
        bench("run", ends=1, env=clock, fault=Fault("kill -9 $PPID", CHECKPOINT, times=4))
        marker.touch()
        assert "failed" in bench("status", env=clock)
        bench("run", env=clock)
    else:
        bench("run", env=clock, fault=Fault(back, CHECKPOINT, times=4))
        assert marker.exists()
    assert bench.weights() == undisturbed
    for name in ("training.json", "record.json"):
        (file,) = bench.results.rglob(name)
        assert 0 < json.loads(file.read_text())["seconds"] < 600
    assert bench("status", env=clock)


def with_marker(marker: str) -> Iterator[int]:
    """Processes that have a variable in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "environ").read_bytes():
                yield int(process.name)
        except OSError:
            continue


@pytest.mark.faults
def test_a_drawing_that_is_killed_leaves_nobody_behind(tmp_path: Path) -> None:
    def draw(root: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench", "data", "synthesize", "train300", "--data-root", str(root)]
        return subprocess.Popen(command, env=os.environ | {"DRAWN_BY": str(tmp_path)}, stdout=subprocess.DEVNULL)

    images = tmp_path / "killed" / "synthetic" / "images" / "train300"
    drawing = draw(tmp_path / "killed")
    while not any(images.glob("*.jpg")):
        assert drawing.poll() is None
        time.sleep(0.01)
    drawing.kill()
    drawing.wait()
    deadline = time.monotonic() + 30
    while left := list(with_marker(f"DRAWN_BY={tmp_path}")):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert not list(tmp_path.rglob("*.json"))

    contents = []
    for name in ("killed", "whole"):
        assert draw(tmp_path / name).wait(120) == 0
        root = tmp_path / name
        files = (file for file in root.rglob("*") if file.suffix in {".jpg", ".json"})
        contents.append({file.relative_to(root): file.read_bytes() for file in files})
    assert contents[0] == contents[1]


@pytest.mark.faults
def test_a_loss_that_is_no_number(bench: Bench) -> None:
    """It is told with what it was made of; the checkpoint stays, and `retry` goes on from it."""
    bench.suite.write_text(SUITE.replace("milestones: [2]", "milestones: [2], learning_rate: 1.0e+30"))
    said = bench("run", ends=1)
    assert "TrainingError: the loss is nan at epoch 0, step 1; the batch's images: 0000" in said
    assert ".jpg (instance " in said
    checkpoint = bench.training() / "checkpoint.pt"
    kept = checkpoint.read_bytes()
    said = bench("retry", ends=1)
    assert "the loss is nan at epoch 0, step 1" in said, "where it left off"
    assert checkpoint.read_bytes() == kept
    assert "the loss is nan" in bench("status")
