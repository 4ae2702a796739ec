"""Evaluation of a network on a split: boxes in, COCO results and metrics out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import CodecSettings, build_codec
from bench.pose.data.crops import CropSettings
from bench.pose.data.instances import Instance, Split
from bench.pose.data.left_out import count_images, summarize
from bench.pose.data.pixels.choice import choose_images
from bench.pose.data.pixels.image_source import ImageStore
from bench.pose.data.pixels.names import PixelSource
from bench.pose.evaluator_names import EvaluatorName
from bench.pose.geometry import PixelAlignment
from bench.pose.inference import predict
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.mean_pose import mean_pose, place_mean_pose
from bench.pose.metrics.nms import InstanceScore
from bench.pose.metrics.own import own_metrics
from bench.pose.metrics.per_instance import save_per_instance
from bench.pose.metrics.predictions import Predictions
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup
from bench.pose.precision import Precision
from bench.pose.raw_outputs import RawOutputs
from bench.pose.scoring import Assessment, Metrics, Scoring, split_scoring

__all__ = ["EvalConfig", "EvalResult", "Evaluator", "mean_pose_metrics"]


@dataclass(frozen=True)
class EvalConfig:
    """Settings of an evaluation.

    Attributes:
        codec: representation and decoding.
        color_order: "rgb" or "bgr".
        pixel_alignment: where the crops' centers land.
        box_file: detected boxes; None for annotated boxes.
        flip_test: average with the prediction on the flipped crop.
        score_threshold: keypoints above it count in an instance's score.
        nms_threshold: OKS above which the weaker of two instances is suppressed.
        batch_size: instances per forward pass; a flip test adds the flipped view of each.
        evaluator: one of those of the split's protocol; None for the one of record.
        precision: number format of the network's arithmetic.
        instance_score: see `rescore`.
    """

    codec: CodecSettings
    color_order: str
    box_file: Path | None
    flip_test: bool
    score_threshold: float
    nms_threshold: float
    batch_size: int
    precision: Precision = "float32"
    pixel_alignment: PixelAlignment = "corner"
    instance_score: InstanceScore = "mean"
    evaluator: EvaluatorName | None = None

    def score(self, predictions: Predictions, scoring: Scoring) -> list[dict[str, Any]]:
        """Predicted instances in the COCO results format, scored and suppressed as the protocol does."""
        return scoring.results(
            predictions,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            instance_score=self.instance_score,
        )


@dataclass(frozen=True)
class EvalResult:
    """Predictions of a network and their metrics.

    Attributes:
        results: predicted instances in the COCO results format.
        metrics: values by name, including those of extensions, None where there is nobody to judge; empty if only a
            server can score the results.
        files: contents of the files to keep, by name: `predictions.json`, further formats of the dataset's tools, and
            `per_instance.npz` after a thorough evaluation.
        instances: number of predicted instances.
        problems: messages about data that had to be left out, problems of one kind together.
        diagnostics: finer readings after a thorough evaluation.
        images: number of images with instances to predict.
        images_left_out: number of those that cannot be read.
    """

    results: list[dict[str, Any]]
    metrics: Metrics
    files: dict[str, bytes]
    instances: int
    problems: list[str]
    diagnostics: Diagnostics | None = None
    images: int = 0
    images_left_out: int = 0


@dataclass(frozen=True)
class Evaluator:
    """A split prepared for any number of evaluations; `Evaluator.open` makes one.

    Attributes:
        split: opened split.
        config: settings of the evaluations.
        instances: the split's instances, with the boxes that `config` asks for.
        scoring: the split's protocol.
        images: source of the pixels.
    """

    split: Split
    config: EvalConfig
    instances: Sequence[Instance]
    scoring: Scoring
    images: ImageStore

    @classmethod
    def open(cls, split: Split, config: EvalConfig, source: PixelSource, device: torch.device) -> Self:
        """Read instances, truth and, if asked to, pixels; see `choose_images` for source and device.

        Raises:
            DataError: the split, its truth, the boxes or the source of pixels are unusable.
        """
        instances = split.instances() if config.box_file is None else split.detections(config.box_file)
        images = choose_images(split, instances, source, device)
        return cls(split, config, instances, split_scoring(split, config.evaluator), images)

    @property
    def codec(self) -> Codec[Any, Any]:
        """Merges the network's views and decodes."""
        return build_codec(self.config.codec, self.split.skeleton.flip_indices)

    @property
    def crops(self) -> CropSettings:
        """How instances are cropped."""
        config = self.config
        return CropSettings(config.codec.input_size, config.color_order, self.split.skeleton, config.pixel_alignment)

    def evaluate(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        thorough: bool = False,
        workers: int = 0,
        watch: Callable[[int, int], object] = lambda _done, _total: None,
        group: ProcessGroup = SINGLE_PROCESS,
        keep: Callable[[RawOutputs], object] | None = None,
    ) -> EvalResult | None:
        """Predict all instances and score the predictions with the split's protocol.

        Args:
            model: network on `device`.
            device: where the model lives.
            thorough: keep per-instance results and compute diagnostics.
            workers: processes that load crops.
            watch: called with the number of instances done and their total.
            group: processes that predict together; each must have the same weights.
            keep: gets the network's raw outputs, see `predict`.

        Returns:
            The result on rank 0, which alone scores, and None in the other processes.

        Raises:
            DataError: not one image can be read.
            ProcessGroupError: another process is gone.
        """
        predictions, unread = self._predict(model, device=device, workers=workers, watch=watch, group=group, keep=keep)
        return None if group.rank > 0 else self.judge(predictions, unread, thorough=thorough)

    def judge(self, predictions: Predictions, unread: dict[int, str], *, thorough: bool = False) -> EvalResult:
        """Score predictions of the split with its protocol.

        Args:
            predictions: of all instances but the unread ones.
            unread: why instances are left out, by position.
            thorough: keep per-instance results and compute diagnostics.
        """
        results = self._results(predictions)
        found = self.scoring.assess(results) if thorough else Assessment(self.scoring.metrics(results))
        own, failed = own_metrics(self.split.protocol, results, self.scoring) if found.metrics else ({}, [])
        counted = count_images(self.instances, unread, self.split.split)
        judged = {} if found.per_instance is None else {"per_instance.npz": save_per_instance(found.per_instance)}
        return EvalResult(
            results,
            metrics={**found.metrics, **own},
            files={"predictions.json": json.dumps(self.scoring.to_file(results)).encode()}
            | self.scoring.files(results)
            | judged,
            instances=len(predictions.image_ids),
            images=counted.images,
            images_left_out=counted.left_out,
            problems=[*counted.problems, *summarize(self.split.problems), *failed],
            diagnostics=found.diagnostics,
        )

    def quick_metrics(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        workers: int = 0,
        watch: Callable[[int, int], object] = lambda _done, _total: None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> Metrics | None:
        """The headline metric of `evaluate`, to rounding, and maybe others: for scores after every epoch.

        Arguments, results by rank and errors are as in `evaluate`. Images that cannot be read are added to the problems
        of the split.
        """
        predictions, unread = self._predict(model, device=device, workers=workers, watch=watch, group=group)
        problems = count_images(self.instances, unread, self.split.split).problems
        self.split.problems += [problem for problem in problems if problem not in self.split.problems]
        return None if group.rank > 0 else self.scoring.quick_metrics(self._results(predictions))

    def _predict(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        workers: int,
        watch: Callable[[int, int], object],
        group: ProcessGroup,
        keep: Callable[[RawOutputs], object] | None = None,
    ) -> tuple[Predictions, dict[int, str]]:
        """Predictions of all instances, and why some are left out, by position."""
        return predict(
            model,
            self.codec,
            self.instances,
            self.crops,
            flip_test=self.config.flip_test,
            device=device,
            batch_size=self.config.batch_size,
            workers=workers,
            watch=lambda done: watch(done, len(self.instances)),
            group=group,
            images=self.images,
            precision=self.config.precision,
            keep=keep,
        )

    def _results(self, predictions: Predictions) -> list[dict[str, Any]]:
        return self.config.score(predictions, self.scoring)


def mean_pose_metrics(train: Sequence[Instance], split: Split, evaluator: EvaluatorName | None = None) -> Metrics:
    """Metrics of putting the mean pose of the training instances into every annotated box of a split.

    Empty for a split without published annotations; evaluators as in `split_scoring`.
    """
    if not split.annotated:
        return {}
    return split_scoring(split, evaluator).metrics(place_mean_pose(mean_pose(train), split.instances()))
