"""The example package on a cluster: nothing of it is known to bench but what its suite says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.extensions import content_hash
from tests.slurm.cluster import wait_until
from tests.slurm.desk import Desk

pytestmark = pytest.mark.slurm

EXAMPLES = Path(__file__).parents[2] / "examples"
FEWER = {"train192": "train24", "val64": "val12", "epochs: 16, milestones: [10, 14]": "epochs: 1, milestones: []"}


def test_jobs_take_their_extensions_with_them(desk: Desk) -> None:
    """What is edited, or broken, after the submission is not what runs."""
    package = desk.folder / "pose_extras"
    shutil.copytree(EXAMPLES / "pose_extras", package, ignore=shutil.ignore_patterns("__pycache__"))
    text = (EXAMPLES / "suite.yaml").read_text(encoding="utf-8")
    for old, new in FEWER.items():
        assert old in text
        text = text.replace(old, new)
    desk.suite.write_text(text, encoding="utf-8")
    desk.write_profile()
    submitted = content_hash(package)
    desk.submit()
    (package / "backbone.py").write_text("raise RuntimeError('edited after the submission')\n", encoding="utf-8")
    wait_until(lambda: len(list(desk.results.glob("evaluations/*/record.json"))) == 4, "four records", seconds=240)
    for file in desk.results.glob("evaluations/*/record.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record["provenance"]["extensions"] == {"pose_extras": submitted}
        assert {"AP", "mean_error"} <= record["metrics"].keys()
    shutil.copyfile(EXAMPLES / "pose_extras/backbone.py", package / "backbone.py")
    reported = desk.call(desk.command("report", desk.suite, "--out", desk.folder / "reports", "--format", "md"))
    assert reported.returncode == 0, reported.stderr
    written = (desk.folder / "reports/extras/report.md").read_text(encoding="utf-8")
    assert "MobileNetV3-tiny" in written
    assert "error (% of size)" in written
