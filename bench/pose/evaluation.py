"""Measuring a network on a split: boxes in, COCO results and metrics out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.pose.codecs.build import CodecSettings, build_codec
from bench.pose.data.crops import CropSettings
from bench.pose.data.people import Person, Split
from bench.pose.inference import predict
from bench.pose.metrics.instruments import Instruments
from bench.pose.metrics.judgements import save_judgements
from bench.pose.metrics.mean_pose import mean_pose, place_mean_pose
from bench.pose.metrics.predictions import Predictions
from bench.pose.parallel import ALONE, Team
from bench.pose.scoring import Assessment, Scoring, split_scoring

__all__ = ["Measurement", "Protocol", "mean_pose_metrics", "measure", "quick_metrics"]


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
    """What a network predicted and what that is worth.

    Attributes:
        results: predicted people in the COCO results format.
        metrics: of them; none if only a server can score them.
        files: contents, by name, of the files to keep: `predictions.json` with the results, in what else tools for the
            dataset expect them, and `judgements.npz` if they were wanted and there is truth to judge by.
        people: how many were predicted.
        problems: what had to be left out.
        instruments: finer readings, likewise.
    """

    results: list[dict[str, Any]]
    metrics: dict[str, float]
    files: dict[str, bytes]
    people: int
    problems: list[str]
    instruments: Instruments | None = None


def measure(
    model: nn.Module,
    split: Split,
    protocol: Protocol,
    *,
    device: torch.device,
    thorough: bool = False,
    workers: int = 0,
    watch: Callable[[int, int], object] = lambda _done, _total: None,
    team: Team = ALONE,
) -> Measurement | None:
    """Predict everybody in a split and score the predictions as the split's protocol does.

    Args:
        model: network on `device`.
        split: to predict.
        protocol: how.
        device: where the model lives.
        thorough: keep judgements and take instruments too.
        workers: processes that load crops.
        watch: hears how many people are done, and of how many.
        team: processes that predict together; each must have the same weights.

    Returns:
        The measurement on rank 0, which alone scores, and None in the other processes.

    Raises:
        DataError: the split, its truth or the boxes are unusable, or not one image can be read.
        TeamError: another process is gone.
    """
    scoring = split_scoring(split)
    predictions, broken = _predict(model, split, protocol, device=device, workers=workers, watch=watch, team=team)
    if team.rank > 0:
        return None
    results = _results(scoring, predictions, protocol)
    found = scoring.assess(results) if thorough else Assessment(scoring.metrics(results))
    judged = {} if found.judgements is None else {"judgements.npz": save_judgements(found.judgements)}
    return Measurement(
        results,
        metrics=found.metrics,
        files={"predictions.json": json.dumps(results).encode()} | scoring.files(results) | judged,
        people=len(predictions.image_ids),
        problems=[*split.problems, *broken],
        instruments=found.instruments,
    )


def quick_metrics(
    model: nn.Module,
    split: Split,
    scoring: Scoring,
    protocol: Protocol,
    *,
    device: torch.device,
    workers: int = 0,
    watch: Callable[[int, int], object] = lambda _done, _total: None,
    team: Team = ALONE,
) -> dict[str, float] | None:
    """The metrics that `measure` would find, to rounding, and nothing else: for scores after every epoch.

    Args:
        scoring: of the split, the same one each time, so that the truth is read once.

    The others, what comes back on which rank, and errors are as in `measure`.
    """
    predictions, _ = _predict(model, split, protocol, device=device, workers=workers, watch=watch, team=team)
    return None if team.rank > 0 else scoring.quick_metrics(_results(scoring, predictions, protocol))


def _predict(
    model: nn.Module,
    split: Split,
    protocol: Protocol,
    *,
    device: torch.device,
    workers: int,
    watch: Callable[[int, int], object],
    team: Team,
) -> tuple[Predictions, list[str]]:
    """Everybody predicted, and what was wrong with those who are left out."""
    people = split.people() if protocol.box_file is None else split.detections(protocol.box_file)
    return predict(
        model,
        build_codec(protocol.codec, split.skeleton.mirror),
        people,
        CropSettings(protocol.codec.input_size, protocol.color_order, split.skeleton),
        flip_test=protocol.flip_test,
        device=device,
        batch_size=protocol.batch_size,
        workers=workers,
        watch=lambda done: watch(done, len(people)),
        team=team,
    )


def _results(scoring: Scoring, predictions: Predictions, protocol: Protocol) -> list[dict[str, Any]]:
    return scoring.results(predictions, score_threshold=protocol.score_threshold, nms_threshold=protocol.nms_threshold)


def mean_pose_metrics(train: Sequence[Person], split: Split) -> dict[str, float]:
    """Metrics of putting the mean pose of the training people into every annotated box of a split.

    None for a split whose people are not published.
    """
    if not split.annotated:
        return {}
    return split_scoring(split).metrics(place_mean_pose(mean_pose(train), split.people()))
