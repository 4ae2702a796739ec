"""Suites that are installed with the package go by name."""

from __future__ import annotations

import json
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.suite.shipped import BASELINES, FOLDER, find_suite, shipped_baseline, shipped_suites, suite_argument
from bench.suite.source import SuiteError
from tests.unit.suites import SUITE

ROOT = Path(__file__).parents[3]


def test_the_installed_suites_are_those_of_the_checkout_with_their_weights_and_baselines() -> None:
    assert {name: file.resolve() for name, file in shipped_suites().items()} == {
        file.stem: file for file in (ROOT / "suites").glob("*.yaml")
    }
    assert shipped_baseline(ROOT / "suites" / "ci.yaml") == BASELINES / "ci.yaml"
    assert shipped_baseline(ROOT / "suites" / "mpii.yaml") is None
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["bench"]
    packed = [*FOLDER.glob("*"), *FOLDER.glob("weights/*"), *BASELINES.glob("*")]
    files = [str(file.relative_to(FOLDER.parent)) for file in packed if file.is_file()]
    assert len(files) > 14
    assert not [file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)]


def test_a_file_comes_before_the_name_of_an_installed_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_suite(Path("ci")) == FOLDER / "ci.yaml"
    (tmp_path / "coco_val").mkdir()
    assert find_suite(Path("coco_val")) == FOLDER / "coco_val.yaml", "a folder of that name is no suite"
    (tmp_path / "ci").write_text(SUITE)
    assert find_suite(Path("ci")) == Path("ci")
    assert suite_argument(FOLDER / "ci.yaml") == "ci"
    assert suite_argument(Path("suites/ci.yaml")) == "suites/ci.yaml"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "coco_vall",
            "neither a suite file nor an installed suite (did you mean 'coco_val'?); valid: ci, coco_384x288",
        ),
        (
            "suites/ci.yaml",
            "suites/ci.yaml: No such file or directory; the installed suite of that name is called 'ci'",
        ),
        ("absent.yaml", "absent.yaml: No such file or directory"),
        (".", "is a directory"),
    ],
)
def test_other_names_are_refused(given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SuiteError) as error:
        find_suite(Path(given))
    assert said in str(error.value)


def test_commands_take_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed = {row["suite"]: row for row in json.loads(CliRunner().invoke(app, ["suites", "--json"]).stdout)}
    assert listed["low_res"] | {"title": ""} == {
        "suite": "low_res", "title": "", "trainings": 20, "evaluations": 30, "data": "coco: train2017, val2017",
    }  # fmt: skip
    checked = CliRunner().invoke(app, ["check", "ci", "--json"])
    assert checked.exit_code == 2, checked.output
    assert json.loads(checked.stdout)["baseline"].endswith("baselines/ci.yaml")
    assert "--baseline" in CliRunner().invoke(app, ["check", "ci", "--update"]).output, (
        "the installed one is not written"
    )
    assert CliRunner().invoke(app, ["logs", "ci"]).exit_code == 0
