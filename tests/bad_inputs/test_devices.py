"""Devices: a word that names none is a mistake in the command; one that is not here is told before anything starts."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch

from bench.cli.devices import parse_device, require_device
from bench.pose.errors import BenchError
from tests.bad_inputs.case import Case, Meet, run
from tests.unit.suites import SUITE

EVAL = (
    "eval --backbone simba_tiny --representation heatmap --input-size 64x64 --dataset coco --split val --dataset-dir ."
    " --checkpoint weights.pt --out out"
)
COMMANDS = ("run example.yaml", "retry example.yaml", "plan example.yaml", "calibrate", EVAL)
VALID = "is not a device; valid: cpu, cuda, cuda:N, mps, auto"


def suite(folder: Path) -> None:
    (folder / "example.yaml").write_text(SUITE)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_what_is_no_device(command: str, meet: Meet) -> None:
    meet(Case("gpu", suite, f"{command} --device gpu", ("Invalid value for '--device': 'gpu' " + VALID,), 2))


@pytest.mark.parametrize(
    "name", ["gpu", "cuda0", "xpu", "", "cuda:", "cuda:-1", "cuda:x", "-1", "1.0", "cpu:0", "no\nne"]
)
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    suite(tmp_path)
    with contextlib.chdir(tmp_path):
        status, said = run(f'plan example.yaml --device="{name}"')
    assert (status, VALID in said) == (2, True)


@pytest.mark.parametrize(
    ("text", "name"),
    [("CPU", "cpu"), ("0", "cuda:0"), ("12", "cuda:12"), ("CUDA:01", "cuda:1"), (" Auto ", "auto"), ("mps", "mps")],
)
def test_other_spellings(text: str, name: str) -> None:
    assert parse_device(text) == name


@pytest.mark.parametrize(
    "command", [item for item in COMMANDS if not item.startswith("plan")], ids=lambda item: item.split()[0]
)
def test_a_device_that_is_not_here(command: str, meet: Meet, tmp_path: Path) -> None:
    meet(
        Case("absent", suite, f"{command} --device cuda:99", ("--device cuda:99: not on this machine, which has cpu",))
    )
    assert [file.name for file in tmp_path.iterdir()] == ["example.yaml"], "nothing was started"


def test_all_gpus_need_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BenchError, match="which has cpu"):
        require_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    require_device("cuda")
    require_device("cuda:1")
    with pytest.raises(BenchError, match=r"which has cpu, cuda:0, cuda:1"):
        require_device("cuda:2")
