"""The gate on `suites/ci.yaml`: it holds for this code, and notices code that is wrong in one place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "results" / "baselines" / "ci.yaml"

PLANTED = {
    # File, what is right in it, what is planted instead, and the representation that is measured.
    "wrong flip pair": (
        "pose/skeletons.py",
        'pairs=_left_right("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")',
        'pairs=(*_left_right("eye", "ear", "shoulder", "elbow", "wrist", "hip"),'
        ' ("left_knee", "right_ankle"), ("left_ankle", "right_knee"))',
        "simdr",
    ),
    "half a pixel": (
        "pose/locating.py",
        "points[..., axis].double() - side / 2",
        "points[..., axis].double() + 0.5 - side / 2",
        "heatmap",
    ),
    "swapped channels": (
        "pose/data/pixels/image_source.py",
        'if shape.color_order == "rgb":',
        'if shape.color_order == "bgr":',
        "simdr_star",
    ),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root of the gate's own, drawn by code that is as it should be."""
    return tmp_path_factory.mktemp("gate")


def bench(folder: Path, package: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m bench` with the package in a folder, from another folder."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        check=False,
        env=os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"},
    )


def run(folder: Path, package: Path, data: Path, *only: str) -> None:
    """Measure the cells with given weights into `folder / "results"`."""
    options = [f"--only={item}" for item in ("initialization=checkpoint", *only)]
    done = bench(folder, package, "run", ROOT / "suites/ci.yaml", "--data-root", data, "--threads", 1, *options)
    assert done.returncode == 0, done.stdout + done.stderr


def check(folder: Path, package: Path, *options: object, baseline: Path = BASELINE) -> subprocess.CompletedProcess[str]:
    return bench(folder, package, "check", ROOT / "suites/ci.yaml", "--baseline", baseline, *options)


def test_the_gate_holds_for_this_code_and_says_what_is_missing_or_broken(tmp_path: Path, drawn: Path) -> None:
    only = "--only=initialization=checkpoint"
    run(tmp_path, ROOT, drawn)
    files = ("--junit", tmp_path / "ci" / "junit.xml", "--summary", tmp_path / "ci" / "summary.md")
    held = check(tmp_path, ROOT, only, *files)
    assert held.returncode == 0, held.stdout + held.stderr
    assert "ci: holds (8 holds)" in held.stdout
    suite = ElementTree.parse(tmp_path / "ci" / "junit.xml").getroot()
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["8", "0", "0", "0"]
    assert "ci: holds" in (tmp_path / "ci" / "summary.md").read_text()

    record = next((tmp_path / "results" / "evaluations").glob("*/record.json"))
    contents = record.read_bytes()
    record.unlink()
    missing = check(tmp_path, ROOT, only, "--json")
    assert missing.returncode == 2
    verdicts = json.loads(missing.stdout)["checks"]
    assert {tuple(item["ids"]) for item in verdicts if item["verdict"] == "not measured"} == {(record.parent.name,)}
    record.write_bytes(contents)

    broken = tmp_path / "broken.yaml"
    broken.write_text(BASELINE.read_text().replace("suite: ci", "suite: ci\nsuit: ci"))
    unusable = check(tmp_path, ROOT, baseline=broken)
    assert unusable.returncode == 3
    line = broken.read_text().splitlines().index("suit: ci") + 1
    assert f"broken.yaml:{line}: unknown key 'suit' (did you mean 'suite'?)" in unusable.stderr


@pytest.mark.parametrize("bug", PLANTED)
def test_the_gate_notices_a_planted_bug(tmp_path: Path, drawn: Path, bug: str) -> None:
    name, right, wrong, representation = PLANTED[bug]
    package = tmp_path / "package"
    shutil.copytree(ROOT / "bench", package / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    file = package / "bench" / name
    assert file.read_text().count(right) == 1, f"{right!r} is not once in {name}"
    file.write_text(file.read_text().replace(right, wrong))

    run(tmp_path, package, drawn, f"representation={representation}")
    only = ("--only=initialization=checkpoint", f"--only=representation={representation}", "--json")
    found = check(tmp_path, package, *only)
    assert found.returncode == 1, found.stdout + found.stderr
    checks = json.loads(found.stdout)["checks"]
    moved = {item["cell"] for item in checks if item["verdict"] == "regressed" and item["metric"] == "mean_oks"}
    assert moved == {item["cell"] for item in checks}
    assert all(representation in cell for cell in moved)
    record = json.loads(next((tmp_path / "results" / "evaluations").glob("*/record.json")).read_text())
    assert record["provenance"]["commit"] is None, "the copy was measured, and not this checkout"
