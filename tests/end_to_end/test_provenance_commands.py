"""show, diff, export, verify, simulate and TensorBoard's logs as users meet them, on a real, tiny run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.command import bench

SUITE = """
name: tiny
title: Tiny
dataset: {name: synthetic, train: train48, eval: val16}
train:
  recipe: corrected
  axes: {backbone: [simba_tiny], representation: [simdr], input_size: [64x64]}
  set: [{initialization: kaiming, epochs: 2, milestones: [1], batch_size: 16, selection: best, selection_split: val16}]
evaluate: [{boxes: gt, flip_test: [true, false]}]
tables: [{id: tiny}]
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provenance")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Runs `bench COMMAND` in the folder."""
    return lambda command, *arguments: bench(*command.split(), *arguments, cwd=folder)


@pytest.fixture(scope="module")
def records(run: Run, folder: Path, data_root: Path) -> dict[str, dict[str, Any]]:
    """The tiny suite, run and packed; its records, "flipped" and "plain"."""
    (folder / "tiny.yaml").write_text(SUITE)
    done = run("run tiny.yaml --threads 1 --logger tensorboard --log-dir curves", "--data-root", data_root)
    assert done.returncode == 0, done.stdout + done.stderr
    packed = run("export tiny.yaml --out capsule.zip")
    assert packed.returncode == 0, packed.stderr
    assert "capsule.zip: 2 evaluations, 0 missing" in packed.stdout
    assert hashlib.sha256((folder / "capsule.zip").read_bytes()).hexdigest() in packed.stdout
    found = [json.loads(file.read_text()) for file in folder.glob("results/evaluations/*/record.json")]
    return {"flipped" if record["spec"]["flip_test"] else "plain": record for record in found}


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_show_prints_everything_about_a_cell(run: Run, records: dict[str, dict[str, Any]]) -> None:
    record = records["flipped"]
    shown = run("show", record["id"][:8], "--suites", ".")
    assert shown.returncode == 0, shown.stderr
    for text in (
        f"evaluation {record['id']}", record["spec"]["training"], "done", "tiny.yaml", "mean_oks", "ideal outputs",
        "split_ratio", record["provenance"]["files"]["person_keypoints_val16.json"], "version of torch", "AP at 0.50",
        "predictions.json", "released", record["provenance"]["command"],
    ):  # fmt: skip
        assert text in shown.stdout, text
    assert "SIMULATED" not in shown.stdout

    document = json.loads(run("show", record["id"], "--json", "--suites", ".").stdout)
    metrics = {row["metric"]: row["value"] for row in document["metrics"]}
    assert metrics == record["metrics"]
    assert document["evaluation"] == record["spec"]
    assert document["suites"] == ["tiny.yaml"]
    assert document["state"] == {"training": "done", "evaluation": "done"}

    training = json.loads(run("show", record["spec"]["training"], "--json").stdout)
    assert training["kind"] == "training"
    assert {row["id"] for row in training["evaluations"]} == {found["id"] for found in records.values()}
    assert training["training_run"]["epochs"] == 2


def test_show_says_which_ids_there_are(run: Run, records: dict[str, dict[str, Any]]) -> None:
    shown = run("show zzz")
    assert shown.returncode == 3
    assert shown.stderr.startswith("error: results: the id 'zzz' must name one training or evaluation")


def test_diff_ranks_what_differs(run: Run, records: dict[str, dict[str, Any]]) -> None:
    one, other = records["plain"]["id"], records["flipped"]["id"]
    printed = run("diff", one, other)
    assert printed.returncode == 0, printed.stderr
    assert "flip_test" in printed.stdout
    assert "every published row has it" in printed.stdout
    assert "B - A" in printed.stdout
    (difference,) = json.loads(run("diff", one, other, "--json").stdout)["differences"]
    assert (difference["a"], difference["b"]) == ({"flip_test": False}, {"flip_test": True})
    assert (difference["points"], difference["matters"]) == (None, True)

    refusal = run("diff", one, records["flipped"]["spec"]["training"])
    assert refusal.returncode == 3
    assert "nothing to compare" in refusal.stderr


def test_verify_recomputes_a_capsule(run: Run, folder: Path, data_root: Path, records: dict[str, Any]) -> None:
    found = run("verify capsule.zip", "--data-root", data_root)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 evaluations: 2 agrees" in found.stdout
    assert "these are all 2 evaluations that its suite plans" in found.stdout
    with zipfile.ZipFile(folder / "capsule.zip") as archive:
        names = set(archive.namelist())
    assert {"report/report.md", "report/report.html", "suite.yaml", "manifest.json"} <= names
    document = json.loads(run("verify capsule.zip --json", "--data-root", data_root).stdout)
    assert {cell["id"]: cell["verdict"] for cell in document["evaluations"]} == {
        record["id"]: "agrees" for record in records.values()
    }


def test_verify_draws_missing_synthetic_data(run: Run, folder: Path, records: dict[str, Any]) -> None:
    found = run("verify capsule.zip --data-root drawn")
    assert found.returncode == 0, found.stdout + found.stderr
    assert (folder / "drawn" / "synthetic" / "annotations" / "person_keypoints_val16.json").exists()


def test_verify_tells_a_difference_from_what_cannot_be_recomputed(
    run: Run, folder: Path, data_root: Path, records: dict[str, Any]
) -> None:
    with zipfile.ZipFile(folder / "capsule.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    name = f"evaluations/{records['flipped']['id']}/predictions.json"
    instances = json.loads(contents[name])
    for instance in instances:
        instance["keypoints"] = [value + 500 for value in instance["keypoints"]]
    contents[name] = json.dumps(instances).encode()
    manifest = json.loads(contents["manifest.json"])
    manifest["members"][name] = {"size": len(contents[name]), "sha256": hashlib.sha256(contents[name]).hexdigest()}
    contents["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(folder / "changed.zip", "w") as archive:
        for member, data in contents.items():
            archive.writestr(member, data)
    found = run("verify changed.zip", "--data-root", data_root)
    assert found.returncode == 1
    assert "1 agrees" in found.stdout
    assert "mean_oks: recorded" in found.stdout

    bare = run("export tiny.yaml --no-predictions --no-report --out bare.zip --only backbone=simba_tiny")
    assert bare.returncode == 0, bare.stderr
    found = run("verify bare.zip", "--data-root", data_root)
    assert found.returncode == 2
    assert "its predictions were left out" in found.stdout
    assert "only backbone=simba_tiny" in found.stdout

    (folder / "short.zip").write_bytes((folder / "capsule.zip").read_bytes()[:-200])
    found = run("verify short.zip", "--data-root", data_root)
    assert found.returncode == 3
    assert found.stderr.startswith("error: short.zip: not a readable capsule")


def test_simulated_results_never_pass_for_measured_ones(run: Run, folder: Path, records: dict[str, Any]) -> None:
    assert run("simulate tiny.yaml").returncode == 2, "--results is required"
    refused = run("simulate tiny.yaml --results results")
    assert refused.returncode == 3
    assert "holds measured results" in refused.stderr

    made = run("simulate tiny.yaml --results made --spread 0.5")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("SIMULATED, nothing was measured: 1 trainings and 2 evaluations")
    refused = run("run tiny.yaml --results made --data-root nowhere")
    assert refused.returncode == 3
    assert "made holds simulated results" in refused.stderr
    assert "SIMULATED: 3 of these results" in run("status tiny.yaml --results made").stdout
    assert "SIMULATED: 3 of these results" in run("plan tiny.yaml --results made").stdout
    assert len(json.loads(run("status tiny.yaml --results made --json").stdout)["simulated"]) == 3
    assert json.loads(run("plan tiny.yaml --json").stdout)["simulated"] == []
    id_ = records["flipped"]["id"]
    refused = run("server enter", id_, "AP=0.5", "--source", "here", "--results", "made")
    assert refused.returncode == 3
    assert "is simulated" in refused.stderr
    assert "SIMULATED: made up" in run("show", id_, "--results", "made").stdout
    assert "SIMULATED" in run("diff", id_, records["plain"]["id"], "--results", "made").stdout
    assert "SIMULATED" in run("export tiny.yaml --no-report --results made --out made.zip").stdout
    found = run("verify made.zip --data-root nowhere")
    assert found.returncode == 2
    assert "SIMULATED" in found.stdout
    assert "simulated: nothing was predicted" in found.stdout


def test_training_curves_reach_tensorboard(folder: Path, records: dict[str, Any]) -> None:
    id_ = records["plain"]["spec"]["training"]
    history = json.loads((folder / "results" / "trainings" / id_ / "training.json").read_text())["history"]
    curves = folder / "curves" / "tensorboard" / id_
    for field in ("loss", "learning_rate", "validation"):
        found = scalars(curves, field)
        assert [step for step, _ in found] == [0, 1]
        assert [value for _, value in found] == pytest.approx([entry[field] for entry in history], rel=1e-6)
    for record in records.values():
        name = f"val16-gt-flip-{record['id'][:8]}" if record["spec"]["flip_test"] else f"val16-gt-{record['id'][:8]}"
        for metric in ("AP", "mean_oks"):
            assert scalars(curves, f"{name}/{metric}") == [(1, pytest.approx(record["metrics"][metric]))]


def test_without_tensorboard_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SUITE)
    code = "import sys; sys.modules['tensorboard'] = None; from bench.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "tiny.yaml", "--logger", "tensorboard"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "pip install 'simdr-bench[tensorboard]'" in done.stderr
    assert not (tmp_path / "results").exists()
