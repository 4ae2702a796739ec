"""Measuring a network on a split: boxes in, COCO results and metrics out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from bench.pose.codecs.representation import CodecSettings, build_codec
from bench.pose.data.crops import CropSettings
from bench.pose.data.instances import Instance, Split
from bench.pose.data.pixels.choice import choose_images
from bench.pose.data.pixels.image_source import ImageStore
from bench.pose.data.pixels.names import PixelSource
from bench.pose.inference import predict
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.mean_pose import mean_pose, place_mean_pose
from bench.pose.metrics.own import own_metrics
from bench.pose.metrics.per_instance import save_per_instance
from bench.pose.metrics.predictions import Predictions
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup
from bench.pose.precision import Precision
from bench.pose.scoring import Assessment, Scoring, split_scoring

__all__ = ["Examination", "Measurement", "Protocol", "mean_pose_metrics"]


@dataclass(frozen=True)
class Protocol:
    """One way to measure a network.

    Attributes:
        codec: representation and decoding.
        color_order: "rgb" or "bgr".
        box_file: of a detector; None for annotated boxes.
        flip_test: average with the prediction on the flipped crop.
        score_threshold: keypoints above it count in an instance's score.
        nms_threshold: OKS above which the weaker of two instances goes.
        batch_size: instances per forward pass; with a flip test it takes both views of them.
        precision: of the network's arithmetic.
    """

    codec: CodecSettings
    color_order: str
    box_file: Path | None
    flip_test: bool
    score_threshold: float
    nms_threshold: float
    batch_size: int
    precision: Precision = "float32"


@dataclass(frozen=True)
class Measurement:
    """What a network predicted and what that is worth.

    Attributes:
        results: predicted instances in the COCO results format.
        metrics: of the protocol and of extensions; none if only a server can score them.
        files: contents, by name, of the files to keep: `predictions.json` with the results, in what else tools for the
            dataset expect them, and `per_instance.npz` if they were wanted and there is truth to judge by.
        instances: how many were predicted.
        problems: what had to be left out.
        diagnostics: finer readings, likewise.
    """

    results: list[dict[str, Any]]
    metrics: dict[str, float]
    files: dict[str, bytes]
    instances: int
    problems: list[str]
    diagnostics: Diagnostics | None = None


@dataclass(frozen=True)
class Examination:
    """A split made ready to measure networks on, as often as one likes; `Examination.open` makes one.

    Attributes:
        split: opened.
        protocol: how it is measured.
        instances: of the split, with the boxes of the protocol.
        scoring: of predictions on them.
        images: where the pixels of their crops come from.
    """

    split: Split
    protocol: Protocol
    instances: Sequence[Instance]
    scoring: Scoring
    images: ImageStore

    @classmethod
    def open(cls, split: Split, protocol: Protocol, source: PixelSource, device: torch.device) -> Self:
        """Read instances, truth and, if asked to, pixels; see `choose_images` for source and device.

        Raises:
            DataError: the split, its truth, the boxes or the source of pixels are unusable.
        """
        instances = split.instances() if protocol.box_file is None else split.detections(protocol.box_file)
        images = choose_images(split, instances, source, device)
        return cls(split, protocol, instances, split_scoring(split), images)

    def measure(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        thorough: bool = False,
        workers: int = 0,
        watch: Callable[[int, int], object] = lambda _done, _total: None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> Measurement | None:
        """Predict everybody and score the predictions as the split's protocol does.

        Args:
            model: network on `device`.
            device: where the model lives.
            thorough: keep per-instance results and take diagnostics too.
            workers: processes that load crops.
            watch: hears how many instances are done, and of how many.
            group: processes that predict together; each must have the same weights.

        Returns:
            The measurement on rank 0, which alone scores, and None in the other processes.

        Raises:
            DataError: not one image can be read.
            ProcessGroupError: another process is gone.
        """
        predictions, broken = self._predict(model, device=device, workers=workers, watch=watch, group=group)
        if group.rank > 0:
            return None
        results = self._results(predictions)
        found = self.scoring.assess(results) if thorough else Assessment(self.scoring.metrics(results))
        own, failed = own_metrics(self.split.protocol, results, self.scoring) if found.metrics else ({}, [])
        judged = {} if found.per_instance is None else {"per_instance.npz": save_per_instance(found.per_instance)}
        return Measurement(
            results,
            metrics={**found.metrics, **own},
            files={"predictions.json": json.dumps(results).encode()} | self.scoring.files(results) | judged,
            instances=len(predictions.image_ids),
            problems=[*self.split.problems, *broken, *failed],
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
    ) -> dict[str, float] | None:
        """The headline metric that `measure` would find, to rounding, and maybe others: for scores after every epoch.

        Arguments, what comes back on which rank, and errors are as in `measure`.
        """
        predictions, _ = self._predict(model, device=device, workers=workers, watch=watch, group=group)
        return None if group.rank > 0 else self.scoring.quick_metrics(self._results(predictions))

    def _predict(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        workers: int,
        watch: Callable[[int, int], object],
        group: ProcessGroup,
    ) -> tuple[Predictions, list[str]]:
        """Everybody predicted, and what was wrong with those who are left out."""
        protocol, skeleton = self.protocol, self.split.skeleton
        return predict(
            model,
            build_codec(protocol.codec, skeleton.flip_indices),
            self.instances,
            CropSettings(protocol.codec.input_size, protocol.color_order, skeleton),
            flip_test=protocol.flip_test,
            device=device,
            batch_size=protocol.batch_size,
            workers=workers,
            watch=lambda done: watch(done, len(self.instances)),
            group=group,
            images=self.images,
            precision=protocol.precision,
        )

    def _results(self, predictions: Predictions) -> list[dict[str, Any]]:
        return self.scoring.results(
            predictions, score_threshold=self.protocol.score_threshold, nms_threshold=self.protocol.nms_threshold
        )


def mean_pose_metrics(train: Sequence[Instance], split: Split) -> dict[str, float]:
    """Metrics of putting the mean pose of the training instances into every annotated box of a split.

    None for a split whose instances are not published.
    """
    if not split.annotated:
        return {}
    return split_scoring(split).metrics(place_mean_pose(mean_pose(train), split.instances()))
