"""Commands that run where a stranger's packages stand in the current folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.extensions import content_hash
from tests.end_to_end.conftest import SUITE
from tests.strangers import installed_copy, strange_folder


@pytest.mark.parametrize("start", ["script", "module"])
def test_jobs_run_the_code_that_started_them(start: str, tmp_path: Path, data_root: Path) -> None:
    """An installed copy, its job processes and their loader processes, among a stranger's packages."""
    script = installed_copy(tmp_path)
    folder = strange_folder(tmp_path / "strange")
    environment = None
    command = [sys.executable, str(script)]
    if start == "module":
        (folder / "bench").rename(folder / "bunch")  # Python itself would run it
        command = [sys.executable, "-m", "bench"]
        environment = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"}
    (tmp_path / "tiny.yaml").write_text(SUITE)
    options = ["--only", "representation=heatmap", "--results", "results", "--threads", "1", "--workers", "1"]
    done = subprocess.run(
        [*command, "run", str(tmp_path / "tiny.yaml"), "--data-root", str(data_root), *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (json.loads(file.read_text()) for file in folder.glob("results/trainings/*/training.json"))
    made_by = record["provenance"]
    assert (made_by["commit"], made_by["package"]) == (None, content_hash(tmp_path / "site" / "bench"))
