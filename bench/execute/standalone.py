"""Measuring a weights file without a suite: the settings not given are those of the paper's recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.execute.settings import eval_config
from bench.execute.training_job import network
from bench.files import write_bytes, write_json
from bench.pose.checkpoints import load_weights
from bench.pose.evaluation import EvalResult, Evaluator
from bench.pose.machine import keep_freed_memory
from bench.pose.precision import disable_tf32
from bench.suite.expansion import complete_cell, eval_spec, train_spec
from bench.suite.recipe import load_recipe
from bench.suite.rules import apply_rules
from bench.suite.specs import EvalSpec, TrainSpec


def evaluate_weights(
    trained: Mapping[str, Any],
    asked: Mapping[str, Any],
    dataset_folder: Path,
    checkpoint: Path,
    out: Path,
    *,
    box_file: Path | None = None,
    device: str,
    workers: int,
    allow_links: bool = False,
) -> EvalResult:
    """Write `predictions.json`, `metrics.json` and, for MPII, `pred.mat` into `out`; returns what is in them.

    `metrics.json` is empty where only a server can score the predictions.

    Args:
        trained: settings of `TrainSpec` that the weights were trained with, the split to measure among them.
        asked: settings of `EvalSpec` that are not the recipe's.
        dataset_folder: folder of the dataset.
        checkpoint: file of the weights.
        out: folder for the results.
        box_file: a detector's boxes; None for annotated ones.
        device: "cpu", "cuda", "cuda:N" or "mps".
        workers: processes that load crops.
        allow_links: whether images may be links out of their folder.

    Raises:
        BenchError: a name is unknown, or data, boxes or weights are unusable.
    """
    training, evaluation = complete_specs(trained, asked, "gt" if box_file is None else "detector")
    model = network(training)
    load_weights(model, checkpoint)
    split = training.data.open(dataset_folder, training.split, allow_links=allow_links)
    config = eval_config(training, evaluation, box_file)
    disable_tf32()
    keep_freed_memory()
    place = torch.device(device)
    found = Evaluator.open(split, config, "auto", place).evaluate(model.to(place), device=place, workers=workers)
    assert found is not None, "a process that works alone scores"
    for name, contents in found.files.items():
        write_bytes(out / name, contents)
    write_json(out / "metrics.json", found.metrics)
    return found


def complete_specs(trained: Mapping[str, Any], asked: Mapping[str, Any], boxes: str) -> tuple[TrainSpec, EvalSpec]:
    """Specs with the settings of the paper's recipe where none are given."""
    recipe = load_recipe("paper")
    training = train_spec(complete_cell(recipe.train, trained), "options")
    given = {"split": training.split, "boxes": boxes, **asked}
    settings = apply_rules(recipe.evaluate, training.settings | given, fixed=given)
    return training, eval_spec(training, settings, "options")
