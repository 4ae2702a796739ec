"""The quantization ceiling: the metrics of a network without any error, for a representation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import build_codec
from bench.pose.data.instances import Instance, Instances, Split
from bench.pose.evaluation import EvalConfig
from bench.pose.geometry import PixelAlignment, Size, crop_matrix, transform_points
from bench.pose.locating import locate
from bench.pose.metrics.predictions import Predictions
from bench.pose.scoring import split_scoring

__all__ = ["ceiling_metrics", "ideal_predictions"]

BATCH = 64
"""Instances encoded at a time."""


def ceiling_metrics(split: Split, config: EvalConfig) -> dict[str, float | None]:
    """Metrics of ideal network outputs for the annotated instances of a split, with annotated boxes and no flip test.

    Empty where there are no annotations or the codec does not know its ideal output.

    Raises:
        DataError: the split or its truth is unusable.
    """
    if not split.annotated:
        return {}
    scoring = split_scoring(split, config.evaluator)
    codec = build_codec(config.codec, split.skeleton.flip_indices)
    predictions = ideal_predictions(codec, split.instances(), config.codec.input_size, config.pixel_alignment)
    if predictions is None:
        return {}
    return scoring.metrics(config.score(predictions, scoring))


def ideal_predictions(
    codec: Codec[Any, Any], instances: Sequence[Instance], size: Size, alignment: PixelAlignment = "corner"
) -> Predictions | None:
    """Predictions from encoding and decoding the annotated keypoints; no image is read.

    None where the codec does not know its ideal output.

    Args:
        codec: encodes and decodes.
        instances: annotated instances.
        size: crop height and width in px.
        alignment: where the crops' centers land.
    """
    found = Instances.of(instances)
    crops = [instance.crop(size) for instance in found]
    centers, scales = (np.stack(column) for column in zip(*crops, strict=True))
    matrices = [crop_matrix(*crop, 0, size, alignment) for crop in crops]
    keypoints = np.stack(
        [transform_points(points, matrix) for points, matrix in zip(found.column("keypoints"), matrices, strict=True)]
    )
    visible = found.column("visible").copy()  # torch warns of arrays that are read-only
    coordinates = []
    for begin in range(0, len(found), BATCH):
        batch = slice(begin, begin + BATCH)
        target = codec.encode(torch.from_numpy(keypoints[batch]), torch.from_numpy(visible[batch]))
        output = codec.ideal_output(target)
        if output is None:
            return None
        center, scale = (torch.from_numpy(values[batch]) for values in (centers, scales))
        coordinates.append(locate(codec, [output], center, scale, size, alignment=alignment).numpy())
    return Predictions(
        image_ids=found.column("image_id"),
        keypoints=np.concatenate(coordinates),
        centers=centers,
        scales=scales,
        box_scores=found.column("score"),
    )
