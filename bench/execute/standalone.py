"""Measuring a weights file without a suite: the settings not given are those of the paper's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from bench.execute.settings import eval_config
from bench.execute.training_job import network
from bench.files import write_bytes, write_json
from bench.pose.checkpoints import load_weights
from bench.pose.data.datasets import open_split
from bench.pose.evaluation import EvalResult, Evaluator
from bench.pose.input_size import InputSize
from bench.pose.memory import keep_freed_memory
from bench.pose.precision import disable_tf32
from bench.suite.expansion import complete_cell, make_spec
from bench.suite.recipe import load_recipe
from bench.suite.rules import apply_rules
from bench.suite.specs import EVALUATORS, EvalSpec, TrainSpec

__all__ = ["WeightsEvaluation", "evaluate_weights"]


@dataclass(frozen=True)
class WeightsEvaluation:
    """What to measure.

    Attributes:
        backbone: of the weights.
        representation: of the weights.
        input_size: of the crops.
        dataset: to measure on.
        split: of it.
        box_file: of a detector; None for annotated boxes.
        split_ratio: bins per px; None for the recipe's.
        sigma: standard deviation of the Gaussian; None for the recipe's.
        flip_test: average with the flipped view.
        flip_shift: how the flipped view is shifted.
        post_process: whether to refine heatmap peaks, in the recipe's way for the backbone.
    """

    backbone: str
    representation: str
    input_size: InputSize
    dataset: str
    split: str
    box_file: Path | None
    split_ratio: float | None
    sigma: float | None
    flip_test: bool
    flip_shift: Literal["reference", "none"]
    post_process: bool


def evaluate_weights(
    request: WeightsEvaluation, dataset_folder: Path, checkpoint: Path, out: Path, *, device: str, workers: int
) -> EvalResult:
    """Write `predictions.json`, `metrics.json` and, for MPII, `pred.mat` into `out`; returns what is in them.

    `metrics.json` is empty where only a server can score the predictions.

    Raises:
        BenchError: a name is unknown, or data, boxes or weights are unusable.
    """
    training, evaluation = _specs(request)
    model = network(training)
    load_weights(model, checkpoint)
    split = open_split(request.dataset, dataset_folder, request.split)
    config = eval_config(training, evaluation, request.box_file)
    disable_tf32()
    keep_freed_memory()
    place = torch.device(device)
    found = Evaluator.open(split, config, "auto", place).evaluate(model.to(place), device=place, workers=workers)
    assert found is not None, "a process that works alone scores"
    for name, contents in found.files.items():
        write_bytes(out / name, contents)
    write_json(out / "metrics.json", found.metrics)
    return found


def _specs(request: WeightsEvaluation) -> tuple[TrainSpec, EvalSpec]:
    recipe = load_recipe("paper")
    cell = {
        "dataset": request.dataset,
        "split": request.split,
        "backbone": request.backbone,
        "representation": request.representation,
        "input_size": request.input_size,
    }
    sizes = {"split_ratio": request.split_ratio, "sigma": request.sigma}
    given = {name: value for name, value in sizes.items() if value is not None}
    training = make_spec(TrainSpec, complete_cell(recipe.train, cell | given), "options")
    asked = {
        "training": training.id,
        "split": request.split,
        "boxes": "gt" if request.box_file is None else "detector",
        "flip_test": request.flip_test,
        "flip_shift": request.flip_shift,
        "evaluator": EVALUATORS[training.data.protocol],
    }
    if not request.post_process:
        asked["post_process"] = "none"
    settings = apply_rules(recipe.evaluate, dict(training) | asked, fixed=asked)
    return training, make_spec(EvalSpec, {name: settings[name] for name in EvalSpec.model_fields}, "options")
