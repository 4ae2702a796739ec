"""The way of the quickstart on a machine that has nothing that only Linux has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.conftest import SUITE

SHIM = Path(__file__).parent / "other_platform"
ROOT = Path(__file__).parents[2]


def bench(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SHIM), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_quickstart_without_linux(tmp_path: Path, data_root: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        SUITE.replace("epochs: 3, milestones: [2]", "epochs: 1, milestones: []").replace("[heatmap, simdr]", "[simdr]")
    )
    options = ("--data-root", data_root, "--threads", 1, "--workers", 1)
    for command in (("plan", "tiny.yaml"), ("run", "tiny.yaml", *options), ("report", "tiny.yaml", "--format", "md")):
        done = bench(tmp_path, *command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
    status = json.loads(bench(tmp_path, "status", "tiny.yaml", "--json").stdout)
    assert [item["state"] for item in status["trainings"]] == ["done"]
    (record,) = (json.loads(file.read_text()) for file in tmp_path.glob("results/trainings/*/training.json"))
    assert record["provenance"]["hardware"]["processor"]
    (lease,) = (json.loads(file.read_text()) for file in tmp_path.glob("results/trainings/*/leases/*.json"))
    assert lease["boot"] == lease["host"]

    checks = json.loads(bench(tmp_path, "doctor", "--data-root", data_root, "--json").stdout)["checks"]
    failed = {check["name"]: check["found"] for check in checks if check["verdict"] == "failed"}
    assert not failed.keys() & {"python", "code", "torch", "opencv", "cores", "memory", "gpus"}, failed
