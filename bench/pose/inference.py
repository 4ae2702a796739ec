"""The inference loop: from people's boxes to joints in their photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch, CropSettings, evaluation_batches
from bench.pose.data.people import Person
from bench.pose.errors import DataError
from bench.pose.geometry import crop_to_image
from bench.pose.metrics.predictions import Predictions

__all__ = ["predict"]


@torch.inference_mode()
def predict(
    model: nn.Module,
    codec: Codec[Any, Any],
    people: Sequence[Person],
    crops: CropSettings,
    *,
    flip_test: bool,
    device: torch.device,
    batch_size: int = 32,
    workers: int = 0,
    watch: Callable[[int], object] = lambda _done: None,
) -> tuple[Predictions, list[str]]:
    """Joints of all people.

    Args:
        model: put into evaluation mode here.
        codec: merges the views and decodes.
        people: with the boxes to crop.
        crops: how to crop them.
        flip_test: average with the prediction on the mirrored crop.
        device: where the model lives.
        batch_size: people per forward pass.
        workers: processes that load crops.
        watch: hears how many people are done after each batch.

    Returns:
        Predictions in the order of `people`, and what was wrong with people left out because of a broken image.

    Raises:
        DataError: not one image can be read.
    """
    model.eval()
    rows: list[tuple[np.ndarray, ...]] = []
    broken: list[str] = []
    for done, batch in enumerate(evaluation_batches(people, crops, batch_size=batch_size, workers=workers), start=1):
        if isinstance(batch, Batch):
            rows.append(_predict_batch(model, codec, batch, crops, flip_test=flip_test, device=device))
        broken += batch.broken if isinstance(batch, Batch) else batch
        watch(min(done * batch_size, len(people)))
    if not rows:
        raise DataError(f"none of {len(people)} people has a readable image; the first: {broken[0]}")
    indices, keypoints, centers, scales = (np.concatenate(column) for column in zip(*rows, strict=True))
    predictions = Predictions(
        image_ids=np.array([people[index].image_id for index in indices], dtype=np.int64),
        keypoints=keypoints,
        centers=centers,
        scales=scales,
        box_scores=np.array([people[index].score for index in indices]),
    )
    return predictions, broken


def _predict_batch(
    model: nn.Module,
    codec: Codec[Any, Any],
    batch: Batch,
    crops: CropSettings,
    *,
    flip_test: bool,
    device: torch.device,
) -> tuple[np.ndarray, ...]:
    """Indices, keypoints (people, joints, 3), centres and scales of one batch."""
    images = batch.normalised(device)
    output = model(images)
    mirrored = model(images.flip(-1)) if flip_test else None
    decoded = codec.decode(codec.merge(output, mirrored))
    centers, scales = batch.centers.numpy(), batch.scales.numpy()
    points = crop_to_image(decoded.coordinates.double().cpu().numpy(), centers, scales, crops.size)
    confidence = decoded.confidence.cpu().numpy()[..., None]
    return batch.indices.numpy(), np.concatenate([points, confidence], axis=-1, dtype=np.float32), centers, scales
