"""Costs of timm's models: from the table, from the user's cache, or measured and kept there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from bench.planning import trunk_tables
from bench.planning.predicted_complexity import predict
from bench.planning.trunk_tables import SIZED_FILE, cache_file, measure_trunk, sized_json, sized_key, sized_trunk
from bench.pose.complexity import measure
from bench.pose.declared_settings import Settings
from bench.pose.errors import BenchError
from bench.pose.input_size import InputSize
from bench.pose.models.build import build_model
from bench.pose.models.network import NetworkShape
from benchmarks.trunks import measure_sized_trunks

SMALL = InputSize(64, 64)
SHAPE = NetworkShape(1, SMALL)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sized_trunk.cache_clear()
    predict.cache_clear()
    file = cache_file()
    assert file is not None
    return file


@pytest.mark.parametrize("key", ["tf_efficientnet_lite0 64x64", "vit_small_patch16_224 64x64 without upsampling"])
def test_the_table_has_what_is_measured(key: str) -> None:
    table = json.loads(SIZED_FILE.read_text(encoding="utf-8"))
    model, _, form = key.partition(" ")
    shape = NetworkShape(1, SMALL, upsample="without" not in form)
    assert sized_key(f"timm/{model}", shape) == f"timm/{key}"
    measured = measure_trunk(f"timm/{model}", shape)
    assert sized_json({"x": measured}) == sized_json({"x": trunk_tables.Trunk(*table[f"timm/{key}"])})


@pytest.mark.conformance
def test_the_whole_table_has_what_is_measured() -> None:
    assert SIZED_FILE.read_text(encoding="utf-8") == sized_json(measure_sized_trunks())


def test_a_model_is_measured_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = {
        "keypoints": 5,
        "input_size": (64, 96),
        "split_ratio": 2.0,
        "backbone_settings": Settings({"output_stride": 8}),
    }
    found = predict("timm/test_resnet", "simdr", **form)
    with torch.device("meta"):
        model = build_model("timm/test_resnet", "simdr", **form)
    assert found == measure(model.to_empty(device="cpu"), (64, 96))
    assert list(json.loads(cache.read_text())) == ["timm/test_resnet 64x96 output_stride=8"]
    monkeypatch.setattr(trunk_tables, "measure_trunk", None)
    sized_trunk.cache_clear()
    predict.cache_clear()
    assert predict("timm/test_resnet", "simdr", **form) == found


@pytest.mark.parametrize("content", ["", "[]", '{"timm/test_resnet 64x64": [1]}', '{"timm/test_resnet 64x64": null}'])
def test_a_broken_cache_is_measured_anew(cache: Path, content: str) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text(content)
    found = sized_trunk("timm/test_resnet", SHAPE)
    assert found == measure_trunk("timm/test_resnet", SHAPE)
    assert json.loads(cache.read_text())["timm/test_resnet 64x64"][0] == found.params


def test_a_cache_that_cannot_be_written_costs_nothing_else(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file in the folder's place")
    assert sized_trunk("timm/test_resnet", SHAPE).stride == 4
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/user"))
    assert cache_file() == Path("/home/user/Library/Caches/simdr-bench") / cache.name

    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache_file() is None
    sized_trunk.cache_clear()
    assert sized_trunk("timm/test_resnet", SHAPE).stride == 4


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("levit_128", "timm/levit_128: .* is a BatchNorm1d"),
        ("inception_v3", "timm/inception_v3 cannot read inputs of 64x64"),
        ("vit_small_patch14_dinov2", "cells of 14 px"),
    ],
)
def test_a_model_that_cannot_be_built_is_said(cache: Path, model: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        sized_trunk(f"timm/{model}", SHAPE)
    assert not cache.exists()
