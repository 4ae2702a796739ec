"""Every cell of the smallest size of the suite of representations trains an epoch on drawn people."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bench.cli import app

SUITE = Path(__file__).parents[3] / "suites" / "representations.yaml"


@pytest.mark.conformance
@pytest.mark.parametrize("backbone", yaml.safe_load(SUITE.read_text())["train"]["axes"]["backbone"])
def test_one_epoch_of_each_cell(backbone: str, data_root: Path, tmp_path: Path) -> None:
    suite = yaml.safe_load(SUITE.read_text())
    suite["dataset"] = {"name": "synthetic", "train": "train24", "eval": "val16"}
    suite["evaluate"] = [entry | {"boxes": "gt"} for entry in suite["evaluate"]]
    suite["train"]["set"].append({"epochs": 1, "milestones": [], "batch_size": 12, "initialization": "kaiming"})
    file = tmp_path / "representations.yaml"
    file.write_text(yaml.safe_dump(suite))
    where = ["--results", str(tmp_path / "results"), "--data-root", str(data_root)]
    chosen = ["--only", "input_size=64x64", "--only", f"backbone={backbone}"]
    done = CliRunner().invoke(app, ["run", str(file), *where, *chosen, "--device", "cpu", "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert "trainings: 8 (8 done); evaluations: 10 (10 done)" in done.output
