"""Measuring a weights file without a suite: the settings not given are those of the file and of a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.execute.settings import eval_config
from bench.execute.training_job import network
from bench.files import sha256, write_bytes, write_json
from bench.pose.checkpoints import FoundWeights, identify_weights, load_weights, read_metadata
from bench.pose.codecs.representation import REPRESENTATIONS, codec_kinds
from bench.pose.data.datasets import DATASETS
from bench.pose.declared_settings import check_value
from bench.pose.evaluation import EvalResult, Evaluator
from bench.pose.machine import keep_freed_memory
from bench.pose.precision import disable_tf32
from bench.suite.expansion import complete_cell, eval_spec, train_spec
from bench.suite.recipe import load_recipe
from bench.suite.rules import apply_rules, evaluation_settings, read_values
from bench.suite.source import Problem, SuiteError, read_value
from bench.suite.specs import EvalSpec, TrainSpec

PAPER, MMPOSE = "paper", "mmpose"
"""The recipes of the paper's weights and of mmpose's."""

OF_TRAININGS = ("color_order", "pixel_alignment", "upsample", "maps_per_keypoint", "backbone_settings")
"""Settings of trainings, beside those of representations, that a measurement depends on."""

DESCRIBED = ("backbone", "representation", "input_size", "dataset")
"""What a file of safetensors may say of its training."""

WITH_OPTIONS = ("split", "subset", "boxes", "evaluator")
"""Settings of evaluations that `--set` doesn't set: they have options, or follow from others."""


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
    recipe: str | None = None,
    say: Callable[[str], object] = lambda _message: None,
) -> EvalResult:
    """Write `predictions.json`, `metrics.json`, `provenance.json` and, for MPII, `pred.mat` into `out`.

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
        recipe: gives the settings that neither the arguments nor the weights decide; None for that of the weights.
        say: gets a message about where the weights come from and by which recipe they are measured.

    Returns:
        The metrics and what else is in the files.

    Raises:
        BenchError: a name is unknown, or data, boxes or weights are unusable.
    """
    weights = identify_weights(checkpoint) if trained["dataset"] in DATASETS else None
    recipe = recipe or (MMPOSE if weights is not None and weights.source else PAPER)
    recorded = _recorded(checkpoint, trained)
    given = {**_decided(weights, trained), **recorded, **trained}
    training, evaluation = complete_specs(given, asked, "gt" if box_file is None else "detector", recipe)
    model = network(training)
    loaded = load_weights(model, checkpoint)
    for message in _origin(checkpoint, loaded, training, recipe):
        say(message)
    if recorded:
        say(f"{checkpoint}: settings of its training that are not given are those that the file names")
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
    write_json(
        out / "provenance.json",
        {
            "weights": checkpoint.name,
            "weights_sha256": sha256(checkpoint),
            "weights_origin": loaded.described,
            "recipe": recipe,
            "training": training.model_dump(mode="json"),
            "evaluation": evaluation.model_dump(mode="json"),
        },
    )
    return found


def complete_specs(
    trained: Mapping[str, Any], asked: Mapping[str, Any], boxes: str, recipe: str = PAPER
) -> tuple[TrainSpec, EvalSpec]:
    """Specs with the settings of a recipe where none are given."""
    rules = load_recipe(recipe)
    training = train_spec(complete_cell(rules.train, trained), "options")
    given = {"split": training.split, "boxes": boxes, **asked}
    settings = apply_rules(rules.evaluate, training.settings | given, fixed=given)
    return training, eval_spec(training, settings, "options")


def read_settings(items: Sequence[str], representation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of a training and of an evaluation that are written as `KEY=VALUE` on a command line.

    Only those that change how given weights of a representation are measured are valid.

    Raises:
        UnknownNameError: there is no such representation.
        SuiteError: a name or a value is not valid, or a name is given twice.
    """
    known = REPRESENTATIONS.named(representation)
    trained = (*known.settings, *OF_TRAININGS)
    others = (codec_kinds(decoding=True).keys() - known.decoding.keys()).union(WITH_OPTIONS)
    evaluated = [name for name in evaluation_settings() if name not in others]
    given: dict[str, Any] = {}
    for item in items:
        name, separator, text = item.partition("=")
        if not separator:
            raise SuiteError(f"--set {item!r:.80}: expected KEY=VALUE")
        if name in given:
            raise SuiteError(f"--set {item!r:.80}: {name} is given twice")
        problems: list[Problem] = []
        values = read_values(name, read_value(text), (), problems, valid=[*trained, *evaluated])
        if problems or len(values) != 1:
            why = problems[0].message if problems else f"expected one value, found {len(values)}"
            raise SuiteError(f"--set {item!r:.80}: {why}")
        try:
            kind = {**known.settings, **known.decoding}.get(name)
            given[name] = values[0] if kind is None else check_value(name, values[0], kind)
        except ValueError as error:
            raise SuiteError(f"--set {item!r:.80}: {error}") from None
    return (
        {name: value for name, value in given.items() if name in trained},
        {name: value for name, value in given.items() if name not in trained},
    )


def _recorded(file: Path, trained: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a file of `bench export` names, if it is of the network that is asked for."""
    try:
        spec = json.loads(read_metadata(file).get("spec", "{}"))
        asked = {name: str(trained[name]) for name in ("backbone", "representation", "input_size")}
        if not isinstance(spec, dict) or {name: str(spec.get(name)) for name in asked} != asked:
            return {}
        return {**spec["codec"], **{name: spec[name] for name in OF_TRAININGS}}
    except (ValueError, KeyError, TypeError):
        return {}


def _decided(weights: FoundWeights | None, trained: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the training that the weights decide by their shapes."""
    if weights is None or weights.facts is None:
        return {}
    return weights.facts.settings(DATASETS[trained["dataset"]].skeleton.size, trained["input_size"])


def _origin(file: Path, weights: FoundWeights, training: TrainSpec, recipe: str) -> list[str]:
    """Where weights come from and how they are measured, where that is not as usual."""
    said = [f"{file}: {weights.described}"] if weights.described else []
    if weights.source or recipe != PAPER:
        said.append(f"settings that are not given are those of recipe {recipe}")
    if weights.source and training.representation in {"simdr", "simdr_star"}:
        said.append("mmpose averages the logits of SimCC and takes them for scores; --representation simcc does so too")
    for name, value in read_metadata(file).items():
        if name in DESCRIBED and value != str(getattr(training, name)):
            said.append(f"{file}: is of {name} {value} by its own words, and measured as {getattr(training, name)}")
    if weights.translated.soft_argmax and training.representation != "integral":
        said.append("they were trained for soft-argmax, which --representation integral takes")
    return said
