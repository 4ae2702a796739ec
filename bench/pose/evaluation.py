"""Measuring a network on a split: boxes in, COCO results and metrics out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.pose.codecs.build import CodecSettings, build_codec
from bench.pose.data.coco import CocoKeypoints
from bench.pose.data.crops import CropSettings
from bench.pose.data.people import Person
from bench.pose.inference import predict
from bench.pose.metrics.coco import evaluate, load_ground_truth
from bench.pose.metrics.mean_pose import mean_pose, place_mean_pose
from bench.pose.metrics.nms import to_results

__all__ = ["Measurement", "Protocol", "mean_pose_metrics", "measure"]


@dataclass(frozen=True)
class Protocol:
    """One way to measure a network.

    Attributes:
        codec: representation and decoding.
        color_order: "rgb" or "bgr".
        box_file: of a detector; None for annotated boxes.
        flip_test: average with the prediction on the mirrored crop.
        score_threshold: joints above it count in a person's score.
        nms_threshold: OKS above which the weaker of two people goes.
        batch_size: people per forward pass.
    """

    codec: CodecSettings
    color_order: str
    box_file: Path | None
    flip_test: bool
    score_threshold: float
    nms_threshold: float
    batch_size: int


@dataclass(frozen=True)
class Measurement:
    """COCO results, the metrics of them, how many people were predicted, and what had to be left out."""

    results: list[dict[str, Any]]
    metrics: dict[str, float]
    people: int
    problems: list[str]


def measure(
    model: nn.Module,
    split: CocoKeypoints,
    protocol: Protocol,
    *,
    device: torch.device,
    workers: int = 0,
    watch: Callable[[int, int], object] = lambda _done, _total: None,
) -> Measurement:
    """Predict everybody in a split and score the predictions with the split's own sigmas.

    Args:
        model: network on `device`.
        split: to predict.
        protocol: how.
        device: where the model lives.
        workers: processes that load crops.
        watch: hears how many people are done, and of how many.
    """
    skeleton = split.skeleton
    people = split.people() if protocol.box_file is None else split.detections(protocol.box_file)
    predictions, broken = predict(
        model,
        build_codec(protocol.codec, skeleton.mirror),
        people,
        CropSettings(protocol.codec.input_size, protocol.color_order, skeleton),
        flip_test=protocol.flip_test,
        device=device,
        batch_size=protocol.batch_size,
        workers=workers,
        watch=lambda done: watch(done, len(people)),
    )
    results = to_results(
        predictions,
        skeleton.sigmas,
        score_threshold=protocol.score_threshold,
        nms_threshold=protocol.nms_threshold,
    )
    metrics = evaluate(load_ground_truth(split.annotations), results, skeleton.sigmas)
    return Measurement(results, metrics, len(predictions.image_ids), [*split.problems, *broken])


def mean_pose_metrics(train: Sequence[Person], split: CocoKeypoints) -> dict[str, float]:
    """Metrics of putting the mean pose of the training people into every annotated box of a split."""
    results = place_mean_pose(mean_pose(train), split.people())
    return evaluate(load_ground_truth(split.annotations), results, split.skeleton.sigmas)
