"""From specs to the settings of the pose library, field by field."""

from __future__ import annotations

from pathlib import Path

from bench.pose.codecs.representation import CodecSettings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import DatasetInfo
from bench.pose.declared_settings import Settings
from bench.pose.evaluation import EvalConfig
from bench.pose.training import OptimizerConfig
from bench.suite.expansion import eval_spec
from bench.suite.recipe import load_recipe
from bench.suite.rules import apply_rules
from bench.suite.specs import EvalSpec, TrainSpec


def augmentation(training: TrainSpec) -> Augmentation:
    """How the training's crops vary."""
    return Augmentation(
        flip_probability=training.flip_probability,
        scale_factor=training.scale_factor,
        rotation_factor=training.rotation_factor,
        rotation_probability=training.rotation_probability,
        half_body_probability=training.half_body_probability,
        half_body_min_keypoints=training.half_body_min_keypoints,
        half_body_coin=training.half_body_coin,
    )


def optimizer_config(training: TrainSpec) -> OptimizerConfig:
    """How the training's weights are found."""
    return OptimizerConfig(
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        learning_rate_factor=training.learning_rate_factor,
        milestones=training.milestones,
        milestone_timing=training.milestone_timing,
        warmup_steps=training.warmup_steps,
        seed=training.seed,
        precision=training.precision,
    )


def codec_settings(training: TrainSpec, evaluation: EvalSpec | None = None) -> CodecSettings:
    """The representation as it is trained, or as an evaluation decodes it."""
    if evaluation is None:
        return CodecSettings(training.representation, training.input_size, training.codec)
    values = {**training.codec, **evaluation.decoding, "post_process": evaluation.post_process}
    return CodecSettings(training.representation, training.input_size, Settings(values), evaluation.flip_shift)


def crop_settings(training: TrainSpec) -> CropSettings:
    """The size and colors of the training's crops."""
    return CropSettings(training.input_size, training.color_order, training.data.skeleton, training.pixel_alignment)


def eval_config(training: TrainSpec, evaluation: EvalSpec, box_file: Path | None) -> EvalConfig:
    """The settings of an evaluation; boxes are read from `box_file`, or taken from the annotations if it is None."""
    return EvalConfig(
        codec=codec_settings(training, evaluation),
        color_order=training.color_order,
        pixel_alignment=training.pixel_alignment,
        box_file=box_file,
        flip_test=evaluation.flip_test,
        instance_score=evaluation.instance_score,
        score_threshold=evaluation.score_threshold,
        nms_threshold=evaluation.nms_threshold,
        batch_size=evaluation.batch_size,
        precision=evaluation.precision,
        evaluator=evaluation.evaluator,
    )


def selection_config(training: TrainSpec) -> EvalConfig:
    """How the reference scores a training after every epoch: as it tests, but with annotated boxes (behaviour T15)."""
    known = training.settings | {"split": training.selection_split, "boxes": "gt"}
    cell = apply_rules(load_recipe("paper").evaluate, known, fixed={"boxes"})
    return eval_config(training, eval_spec(training, cell, f"selection of training {training.id}"), None)


def box_file(data: DatasetInfo, evaluation: EvalSpec, folder: Path) -> Path | None:
    """The dataset's box file that an evaluation asks for, if any. Raises `DataError` if there is none for its split."""
    if evaluation.boxes == "gt":
        return None
    data.require_boxes(evaluation.split)
    return data.box_file(folder, evaluation.split)
