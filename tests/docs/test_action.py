"""The GitHub action: its schema is GitHub's (checked by hand with check-jsonschema), and its commands work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


def run_step(name: str, folder: Path, given: dict[str, str]) -> None:
    """Run a step's commands as GitHub does, with inputs in place of the defaults."""
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("name") == name]
    inputs = {key: entry["default"] for key, entry in ACTION["inputs"].items()} | given
    settings = {key: INPUT.sub(lambda match: inputs[match[1]], text) for key, text in step["env"].items()}
    files = {name: str(folder / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=os.environ | settings | files | {"PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.docs
def test_the_action_measures_compares_and_tells(tmp_path: Path) -> None:
    run_step("Measure", tmp_path, {"arguments": "--only initialization=checkpoint --threads 1"})
    own = {"suite": str(ROOT / "suites" / "ci.yaml"), "baseline": str(ROOT / "results" / "baselines" / "ci.yaml")}
    with pytest.raises(AssertionError, match="not measured"):  # the cell that was left out
        run_step("Compare", tmp_path, own)
    run_step("Measure", tmp_path, {})
    run_step("Compare", tmp_path, {})
    assert "holds" in (tmp_path / "github_step_summary").read_text()
    junit = (tmp_path / "github_output").read_text().splitlines()[-1].partition("=")[2]
    assert "<testsuite" in (tmp_path / junit).read_text()
