"""The quantisation ceiling: what a network without any error would reach with a representation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.codecs.build import build_codec
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.data.people import Person, Split
from bench.pose.evaluation import Protocol
from bench.pose.geometry import Size, affine_matrix, transform_points
from bench.pose.inference import locate
from bench.pose.metrics.predictions import Predictions
from bench.pose.models.heads import Coordinates
from bench.pose.scoring import split_scoring

__all__ = ["ceiling_metrics", "perfect_output", "perfect_predictions"]

BATCH = 64
"""People encoded at a time."""

CERTAIN = 50.0
"""Logit of the right bin, 0 being that of all others."""


def ceiling_metrics(split: Split, protocol: Protocol) -> dict[str, float]:
    """Metrics of perfect outputs for the annotated people of a split; none where they are not published.

    Annotated boxes and no flip test, whatever the protocol says of them; its decoding, rescoring and suppression.

    Raises:
        DataError: the split or its truth is unusable.
    """
    if not split.annotated:
        return {}
    scoring = split_scoring(split)
    codec = build_codec(protocol.codec, split.skeleton.mirror)
    predictions = perfect_predictions(codec, split.people(), protocol.codec.input_size)
    return scoring.metrics(
        scoring.results(predictions, score_threshold=protocol.score_threshold, nms_threshold=protocol.nms_threshold)
    )


def perfect_predictions(codec: Codec[Any, Any], people: Sequence[Person], size: Size) -> Predictions:
    """People whose labelled joints were encoded, decoded and mapped back to the image; no image is read.

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
        output = perfect_output(codec, torch.from_numpy(joints[batch]), torch.from_numpy(visible[batch]))
        center, scale = (torch.from_numpy(values[batch]) for values in (centers, scales))
        keypoints.append(locate(codec, codec.merge(output), center, scale, size).numpy())
    return Predictions(
        image_ids=np.array([person.image_id for person in people], dtype=np.int64),
        keypoints=np.concatenate(keypoints),
        centers=centers,
        scales=scales,
        box_scores=np.array([person.score for person in people]),
    )


def perfect_output(codec: Codec[Any, Any], joints: Tensor, visible: Tensor) -> Tensor | Coordinates:
    """What a network puts out that has learnt its targets exactly.

    Args:
        codec: of the representation.
        joints: (people, joints, 2) crop px.
        visible: (people, joints) bool. What comes out for other joints means nothing.

    Raises:
        TypeError: nothing is known of the representation.
    """
    target = codec.encode(joints, visible)
    match codec:
        case HeatmapCodec():
            return target.maps
        case SimDRCodec():
            # Certain of the class: how a smoothed one would be spread does not move its peak.
            x, y = (torch.nn.functional.one_hot(target.bins[..., axis], codec.bins[axis]) for axis in (0, 1))
            return Coordinates(x * CERTAIN, y * CERTAIN)
        case SimDRStarCodec():
            tiny = torch.finfo(target.x.dtype).tiny
            return Coordinates(target.x.clamp(min=tiny).log(), target.y.clamp(min=tiny).log())
        case _:
            raise TypeError(f"no perfect output is known for {type(codec).__name__}")
