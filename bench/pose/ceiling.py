"""The quantisation ceiling: what a network without any error would reach with a representation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.pose.codecs.base import Codec
from bench.pose.codecs.build import build_codec
from bench.pose.data.people import Person, Split
from bench.pose.evaluation import Protocol
from bench.pose.geometry import Size, affine_matrix, transform_points
from bench.pose.locating import locate
from bench.pose.metrics.predictions import Predictions
from bench.pose.scoring import split_scoring

__all__ = ["ceiling_metrics", "perfect_predictions"]

BATCH = 64
"""People encoded at a time."""


def ceiling_metrics(split: Split, protocol: Protocol) -> dict[str, float]:
    """Metrics of perfect outputs for the annotated people of a split; none where either is not known.

    Annotated boxes and no flip test, whatever the protocol says of them; its decoding, rescoring and suppression.

    Raises:
        DataError: the split or its truth is unusable.
    """
    if not split.annotated:
        return {}
    scoring = split_scoring(split)
    codec = build_codec(protocol.codec, split.skeleton.mirror)
    predictions = perfect_predictions(codec, split.people(), protocol.codec.input_size)
    if predictions is None:
        return {}
    return scoring.metrics(
        scoring.results(predictions, score_threshold=protocol.score_threshold, nms_threshold=protocol.nms_threshold)
    )


def perfect_predictions(codec: Codec[Any, Any], people: Sequence[Person], size: Size) -> Predictions | None:
    """People whose labelled joints were encoded, decoded and mapped back to the image; no image is read.

    None where the codec does not know what a perfect network puts out.

    Args:
        codec: encodes and decodes.
        people: annotated.
        size: crop height and width in px.
    """
    crops = [person.crop(size) for person in people]
    centers, scales = (np.stack(column) for column in zip(*crops, strict=True))
    matrices = [affine_matrix(*crop, 0, size) for crop in crops]
    joints = np.stack([transform_points(one.joints, matrix) for one, matrix in zip(people, matrices, strict=True)])
    visible = np.stack([person.visible for person in people])
    keypoints = []
    for begin in range(0, len(people), BATCH):
        batch = slice(begin, begin + BATCH)
        target = codec.encode(torch.from_numpy(joints[batch]), torch.from_numpy(visible[batch]))
        output = codec.perfect(target)
        if output is None:
            return None
        center, scale = (torch.from_numpy(values[batch]) for values in (centers, scales))
        keypoints.append(locate(codec, [output], center, scale, size).numpy())
    return Predictions(
        image_ids=np.array([person.image_id for person in people], dtype=np.int64),
        keypoints=np.concatenate(keypoints),
        centers=centers,
        scales=scales,
        box_scores=np.array([person.score for person in people]),
    )
