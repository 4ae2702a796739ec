"""The `mmpose` recipe against the configurations of mmpose whose networks bench has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.execute.standalone import complete_specs
from bench.pose.input_size import InputSize
from bench.suite.recipe import load_recipe

FILE = Path(__file__).parents[2] / "fixtures" / "golden_mmpose" / "recipes.json"
CONFIGS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["configs"]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["config"])
def test_the_mmpose_recipe_is_the_configuration(config: dict[str, Any]) -> None:
    size = InputSize.parse(config["input_size"])
    cell = {name: config[name] for name in ("dataset", "backbone", "representation")}
    cell |= {"heatmap_center": "exact"} if config["unbiased"] else {}
    training, evaluation = complete_specs({**cell, "split": "any", "input_size": size}, {}, "detector", "mmpose")
    points = config["representation"] in {"regression", "rle"}
    assert training.epochs == config["epochs"]
    assert training.milestones == tuple(config["milestones"])
    assert training.learning_rate == config["learning_rate"]
    assert training.warmup_steps == config["warmup_steps"]
    assert training.batch_size == config["batch"]
    assert training.pixel_alignment == ("unbiased" if config["use_udp"] else "corner")
    assert training.color_order == "rgb"
    assert (training.half_body_probability > 0) == config["half_body"]
    assert training.codec.get("sigma") == (None if points else sigma(config))
    assert training.codec.get("split_ratio") == config["split_ratio"]
    assert evaluation.flip_test == config["flip_test"]
    assert evaluation.flip_shift == ("reference" if config["shift"] else "none")
    if config["dataset"] != "mpii":  # where no score ranks anybody
        assert evaluation.instance_score == ("rle" if config["score_mode"] == "bbox_rle" else "mean")
    if config["representation"] == "heatmap":
        assert evaluation.post_process == ("dark" if config["unbiased"] else "quarter")
        assert evaluation.decoding["blur_cells"] == config["blur_cells"]
    assert (evaluation.score_threshold, evaluation.nms_threshold) == (0.2, 0.9)


def sigma(config: dict[str, Any]) -> float:
    """Of a Gaussian, in cells or bins; the same along both axes."""
    given = config["sigma"]
    return given[0] if isinstance(given, list) else given


def test_it_is_a_recipe_of_its_own() -> None:
    assert len(CONFIGS) > 30
    assert load_recipe("mmpose").own_train
