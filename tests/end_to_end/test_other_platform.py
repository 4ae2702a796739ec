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


COMMANDS = """
import contextlib, io, json, sys
from bench.cli import main

done = []
for words in json.loads(sys.argv[1]):
    sys.argv, said, status = ["bench", *words], io.StringIO(), 0
    with contextlib.redirect_stdout(said):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    done.append((status, said.getvalue()))
print(json.dumps(done))
"""


def bench(folder: Path, *commands: tuple[str, ...]) -> list[str]:
    """What commands say, one after another in a process of their own; all but the last end with 0."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SHIM), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    ended = json.loads(done.stdout)
    for command, (status, said) in zip(commands[:-1], ended, strict=False):
        assert status == 0, f"{command}: {said}{done.stderr}"
    return [said for _, said in ended]


def test_the_quickstart_without_linux(tmp_path: Path, data_root: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SUITE.replace("[heatmap, simdr]", "[simdr]"))
    root = ("--data-root", str(data_root))
    *_, status, checked = bench(
        tmp_path,
        ("plan", "tiny.yaml"),
        ("run", "tiny.yaml", *root, "--threads", "1", "--workers", "1"),
        ("report", "tiny.yaml", "--format", "md"),
        ("status", "tiny.yaml", "--json"),
        ("doctor", *root, "--json"),
    )
    assert [item["state"] for item in json.loads(status)["trainings"]] == ["done"]
    (record,) = (json.loads(file.read_text()) for file in tmp_path.glob("results/trainings/*/training.json"))
    assert record["provenance"]["hardware"]["processor"]
    (lease,) = (json.loads(file.read_text()) for file in tmp_path.glob("results/trainings/*/leases/*.json"))
    assert lease["boot"] == lease["host"]

    checks = json.loads(checked)["checks"]
    failed = {check["name"]: check["found"] for check in checks if check["verdict"] == "failed"}
    assert not failed.keys() & {"python", "code", "torch", "opencv", "cores", "memory", "gpus"}, failed
