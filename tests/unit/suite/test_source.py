"""Plain values of YAML files: as YAML 1.2 reads them, in every file that bench reads, and written so that they stay."""

from pathlib import Path
from typing import Any

import pytest

from bench.compare.gate.baseline import load_baseline
from bench.execute.slurm.profile import load_profile
from bench.suite.expansion import expand
from bench.suite.source import dump_yaml, read_scalar, read_yaml
from tests.unit.suites import load

NUMBERS = {
    "1e-3": 0.001,
    "1E5": 100000.0,
    "+1e-3": 0.001,
    "-1e+3": -1000.0,
    ".5e-2": 0.005,
    "1.e-3": 0.001,
    "1.": 1.0,
    "1e3": 1000.0,
    "-.inf": float("-inf"),
    "010": 10,
    "08": 8,
    "0o10": 8,
    "0x1F": 31,
    "-7": -7,
}
TEXTS = (
    *("yes", "no", "on", "off", "y", "12:30", "12:30:00", "64x64", "2001-01-01", "2001-99-99", "1_000", "1e", "."),
    *("-", "inf", "nan", "<<", "=", "0b11", "0o9", "[", "10 000"),
)


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers(text: str) -> None:
    value = read_scalar(text)
    assert (value, type(value)) == (NUMBERS[text], type(NUMBERS[text]))


@pytest.mark.parametrize("text", TEXTS)
def test_texts(text: str) -> None:
    assert read_scalar(text) == text


def test_truth_and_nothing() -> None:
    assert [read_scalar(text) for text in ("true", "False", "null", "~", "")] == [True, False, None, None, None]


def test_a_document_has_the_same_values_and_keys(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("a: &a {lr: 1e-3}\nb:\n  <<: *a\n  on: 010\nc: '1e-3'\nd:\n")
    expected = {"a": {"lr": 0.001}, "b": {"lr": 0.001, "on": 10}, "c": "1e-3", "d": None}
    assert read_yaml(file).data == expected


@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, "", "true", "123e45678901", 1e-3, 1e-10, 5, True, None])
def test_what_is_written_is_read_again(value: Any, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(dump_yaml({"value": value}), encoding="utf-8")
    assert read_yaml(file).data == {"value": value}


def test_suites_profiles_and_baselines_take_numbers_with_an_exponent_alone(tmp_path: Path) -> None:
    suite = load(tmp_path, ("epochs: 5", "learning_rate: 1e-3"))
    assert {cell.training.learning_rate for cell in expand(suite).cells} == {0.001}
    profile, baseline = tmp_path / "profile.yaml", tmp_path / "baseline.yaml"
    profile.write_text("time: 12:30:00\nsave_every: 1e2\n")
    assert load_profile(profile).save_every == 100
    baseline.write_text("version: 1\nsuite: s\ndefault: {tolerance: {AP: 2e-3}}\nevaluations: []\n")
    assert load_baseline(baseline, "s").default.tolerance == {"AP": 0.002}
