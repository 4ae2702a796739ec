"""Settings of an evaluation without a suite that the weights themselves name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.execute.standalone import _recorded
from bench.pose.input_size import InputSize
from tests.unit.suites import example_training

ASKED = {"backbone": "simba_res50", "representation": "simdr", "input_size": InputSize(64, 64)}


def test_a_file_of_bench_is_measured_with_the_settings_that_it_was_trained_with(tmp_path: Path) -> None:
    spec = example_training(tmp_path).model_dump(mode="json")
    file = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, file, {"spec": json.dumps(spec)})
    found = _recorded(file, ASKED)
    assert found["split_ratio"] == 3.0
    assert found["color_order"] == "bgr"
    assert found["upsample"] is True
    assert _recorded(file, ASKED | {"representation": "simcc"}) == {}, "of another network"


@pytest.mark.parametrize("spec", ["", "{", "[]", "{}", '{"backbone": "simba_res50"}'])
def test_what_it_says_may_be_anything(tmp_path: Path, spec: str) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, file, {"spec": spec})
    assert _recorded(file, ASKED) == {}
    assert _recorded(tmp_path / "plain.pth", ASKED) == {}
