"""Weights from a file: measured as they are, or trained further; known by their contents."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.end_to_end.conftest import SUITE, Bench

ONLY = ("--only", "representation=heatmap")


def records(folder: Path) -> dict[str, dict]:
    """Records by the first weights of their training and by post-processing."""
    found = [json.loads(file.read_text()) for file in folder.glob("evaluations/*/record.json")]
    return {f"{record['training']['initialization']} {record['spec']['post_process']}": record for record in found}


def given(file: str, digest: str, epochs: int = 0) -> str:
    """The suite, its heatmap network starting from a file."""
    rule = (
        f"    - {{when: {{representation: heatmap}}, initialization: checkpoint, weights: {file}, epochs: {epochs}}}\n"
    )
    return SUITE.replace("train:\n", f"weights: {{{file}: {digest}}}\ntrain:\n").replace(
        "evaluate:", rule + "evaluate:"
    )


def test_given_weights_measure_what_they_measured(bench: Bench, suite: Path, tmp_path: Path, data_root: Path) -> None:
    arguments = ("run", suite, "--data-root", data_root, "--threads", 1, *ONLY)
    assert bench(*arguments).returncode == 0
    (trained,) = tmp_path.glob("results/trainings/*/weights.pt")
    digest = hashlib.sha256(trained.rename(tmp_path / "given.pt").read_bytes()).hexdigest()

    suite.write_text(given("given.pt", digest))
    done = bench(*arguments)
    assert done.returncode == 0, done.stdout
    found = records(tmp_path / "results")
    assert len(found) == 4
    for refined in ("quarter", "none"):
        assert found[f"checkpoint {refined}"]["metrics"] == found[f"kaiming {refined}"]["metrics"]
    assert found["checkpoint quarter"]["training"]["weights"] == digest
    (training,) = [
        training
        for file in tmp_path.glob("results/trainings/*/training.json")
        if (training := json.loads(file.read_text()))["spec"]["weights"] == digest
    ]
    assert training["history"] == []

    for command in ("plan", "status", "report"):
        assert bench(command, suite).returncode == 0, "nothing was learnt, and there is nothing to divide by"

    suite.write_text(given("given.pt", digest, epochs=1))
    further = bench(*arguments)
    assert further.returncode == 0, further.stdout
    assert "epoch 1/1" in further.stdout


def test_weights_that_are_not_the_declared_ones_are_refused(
    bench: Bench, suite: Path, tmp_path: Path, data_root: Path
) -> None:
    (tmp_path / "given.pt").write_bytes(b"others")
    suite.write_text(given("given.pt", 64 * "a"))
    done = bench("run", suite, "--data-root", data_root, *ONLY)
    assert done.returncode == 1
    assert f"given.pt: its sha256 is {hashlib.sha256(b'others').hexdigest()}, expected aaa" in done.stdout

    suite.write_text(given("absent.pt", 64 * "a"))
    missing = bench("run", suite, "--data-root", data_root, *ONLY)
    assert missing.returncode == 3
    assert f"{data_root / 'absent.pt'} is missing" in missing.stderr, "beside the suite, or else under the data root"
