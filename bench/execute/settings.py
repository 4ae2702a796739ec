"""From specs to the settings of the pose library."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.pose.codecs.representation import CodecSettings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import DatasetInfo
from bench.pose.errors import DataError
from bench.pose.evaluation import Protocol
from bench.pose.training import OptimizerConfig
from bench.suite.expansion import make_spec
from bench.suite.recipe import load_recipe
from bench.suite.rules import apply_rules
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = [
    "augmentation",
    "box_file",
    "codec_settings",
    "crop_settings",
    "optimizer_config",
    "protocol",
    "selection_protocol",
]


def augmentation(training: TrainSpec) -> Augmentation:
    """How the training's crops vary."""
    return Augmentation(**_shared(training, Augmentation))


def optimizer_config(training: TrainSpec) -> OptimizerConfig:
    """How the training's weights are found."""
    return OptimizerConfig(**_shared(training, OptimizerConfig))


def codec_settings(training: TrainSpec, evaluation: EvalSpec | None = None) -> CodecSettings:
    """The representation as it is trained, or as an evaluation decodes it."""
    decoding: dict[str, Any] = {}
    if evaluation:
        decoding = {"post_process": evaluation.refinement or "none", "flip_shift": evaluation.flip_shift}
    return CodecSettings(**_shared(training, CodecSettings) | {"input_size": training.size} | decoding)


def crop_settings(training: TrainSpec) -> CropSettings:
    """What the training's crops look like."""
    return CropSettings(training.size, training.color_order, training.data.skeleton)


def protocol(training: TrainSpec, evaluation: EvalSpec, box_file: Path | None) -> Protocol:
    """How an evaluation measures the training, with the boxes of a detector's file or, for None, annotated ones."""
    return Protocol(
        codec=codec_settings(training, evaluation),
        color_order=training.color_order,
        box_file=box_file,
        **_shared(evaluation, Protocol),
    )


def selection_protocol(training: TrainSpec) -> Protocol:
    """How the reference scores a training after every epoch: as it tests, but with annotated boxes (behaviour T15)."""
    known = training.model_dump() | {"training": training.id, "split": training.selection_split, "boxes": "gt"}
    cell = apply_rules(load_recipe("paper").evaluate, known, fixed={"boxes"})
    evaluation = {name: cell[name] for name in EvalSpec.model_fields}
    return protocol(training, make_spec(EvalSpec, evaluation, f"selection of training {training.id}"), None)


def box_file(data: DatasetInfo, evaluation: EvalSpec, folder: Path) -> Path | None:
    """The dataset's box file that an evaluation asks for, if any. Raises `DataError` if there is none for its split."""
    if evaluation.boxes == "gt":
        return None
    files = dict(data.detector_boxes)
    if evaluation.split not in files:
        known = ", ".join(files) or "no split"
        raise DataError(f"{data.name} has no detector boxes for split {evaluation.split!r}; they exist for {known}")
    return folder / files[evaluation.split]


def _shared(spec: TrainSpec | EvalSpec, settings: type[Any]) -> dict[str, Any]:
    """The spec's fields that the settings have under the same name."""
    names = {field.name for field in fields(settings)} & set(type(spec).model_fields)
    return {name: getattr(spec, name) for name in names}
