"""Measuring a weights file without a suite: the settings not given are those of the paper's recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from bench.execute.settings import protocol
from bench.execute.training_job import network
from bench.files import write_bytes, write_json
from bench.pose.checkpoints import load_weights
from bench.pose.data.datasets import open_split
from bench.pose.evaluation import Examination, Measurement
from bench.pose.memory import keep_freed_memory
from bench.pose.precision import disable_tf32
from bench.suite.expansion import complete_cell, make_spec
from bench.suite.recipe import load_recipe
from bench.suite.rules import apply_rules
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["Request", "evaluate_weights"]


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        backbone: of the weights.
        representation: of the weights.
        input_size: "HxW".
        dataset: to measure on.
        split: of it.
        box_file: of a detector; None for annotated boxes.
        given: settings that replace the recipe's; None leaves the recipe's.
        flip_test: average with the flipped view.
        flip_shift: how the flipped view is shifted.
    """

    backbone: str
    representation: str
    input_size: str
    dataset: str
    split: str
    box_file: Path | None
    given: Mapping[str, Any]
    flip_test: bool
    flip_shift: Literal["reference", "none"]


def evaluate_weights(
    request: Request, dataset_folder: Path, checkpoint: Path, out: Path, *, device: str, workers: int
) -> Measurement:
    """Write `predictions.json`, `metrics.json` and, for MPII, `pred.mat` into `out`; returns what is in them.

    `metrics.json` is empty where only a server can score the predictions.

    Raises:
        BenchError: a name is unknown, or data, boxes or weights are unusable.
    """
    training, evaluation = _specs(request)
    model = network(training)
    load_weights(model, checkpoint)
    split = open_split(request.dataset, dataset_folder, request.split)
    how = protocol(training, evaluation, request.box_file)
    disable_tf32()
    keep_freed_memory()
    place = torch.device(device)
    found = Examination.open(split, how, "auto", place).measure(model.to(place), device=place, workers=workers)
    assert found is not None, "a process that works alone scores"
    for name, contents in found.files.items():
        write_bytes(out / name, contents)
    write_json(out / "metrics.json", found.metrics)
    return found


def _specs(request: Request) -> tuple[TrainSpec, EvalSpec]:
    recipe = load_recipe("paper")
    given = {name: value for name, value in request.given.items() if value is not None}
    cell = {
        "dataset": request.dataset,
        "split": request.split,
        "backbone": request.backbone,
        "representation": request.representation,
        "input_size": request.input_size,
    }
    training = make_spec(TrainSpec, complete_cell(recipe.train, cell | given), "options")
    known = training.model_dump() | {
        "boxes": "gt" if request.box_file is None else "detector",
        "flip_test": request.flip_test,
        "flip_shift": request.flip_shift,
    }
    asked = {name: known[name] for name in ("boxes", "flip_test", "flip_shift")} | given
    settings = apply_rules(recipe.evaluate, known) | asked | {"training": training.id}
    fields = {name: settings[name] for name in EvalSpec.model_fields}
    return training, make_spec(EvalSpec, fields, "options")
