"""The inference loop: from people's boxes to joints in their photographs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.people import Person
from bench.pose.data.pixels.source import DECODED, Photographs
from bench.pose.errors import DataError
from bench.pose.geometry import crop_to_image
from bench.pose.metrics.predictions import Predictions
from bench.pose.parallel import ALONE, Team

__all__ = ["predict"]

T = TypeVar("T")

_Rows = tuple[np.ndarray, ...]


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
    team: Team = ALONE,
    photographs: Photographs = DECODED,
) -> tuple[Predictions, list[str]]:
    """Joints of all people.

    A team deals the batches out in turn. Each batch is what it is in one process, and so are the joints to the bit,
    where all processes compute alike.

    Args:
        model: put into evaluation mode here.
        codec: merges the views and decodes.
        people: with the boxes to crop.
        crops: how to crop them.
        flip_test: average with the prediction on the mirrored crop.
        device: where the model lives.
        batch_size: people per forward pass.
        workers: processes that load crops.
        watch: hears how many people are done after each batch, counted as if the team were in step.
        team: processes that share the work and have the same weights.
        photographs: where the pixels of the crops come from, which makes no difference to them.

    Returns:
        Predictions in the order of `people`, and what was wrong with people left out because of a broken image; both
        complete in each process.

    Raises:
        DataError: not one image can be read.
        TeamError: another process is gone.
    """
    model.eval()
    mine: list[tuple[_Rows | None, tuple[str, ...]]] = []
    batches = evaluation_batches(
        people,
        crops,
        batch_size=batch_size,
        workers=workers,
        which=slice(team.rank, None, team.size),
        photographs=photographs,
        pinned=device.type == "cuda",
    )
    for batch in batches:
        if isinstance(batch, Batch):
            found = _predict_batch(model, codec, batch, crops, flip_test=flip_test, device=device)
            mine.append((found, batch.broken))
        else:
            mine.append((None, batch))
        watch(min(len(mine) * team.size * batch_size, len(people)))
    done = list(_in_turn(team.gather(mine)))
    rows = [found for found, _ in done if found is not None]
    broken = [problem for _, problems in done for problem in problems]
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


def _in_turn(dealt: Sequence[Sequence[T]]) -> Iterator[T]:
    """What was dealt out in turn, in its order."""
    for round_ in itertools.zip_longest(*dealt, fillvalue=None):
        yield from (one for one in round_ if one is not None)


def _predict_batch(
    model: nn.Module,
    codec: Codec[Any, Any],
    batch: Batch,
    crops: CropSettings,
    *,
    flip_test: bool,
    device: torch.device,
) -> _Rows:
    """Indices, keypoints (people, joints, 3), centres and scales of one batch."""
    images = batch.normalised(device)
    output = model(images)
    mirrored = model(images.flip(-1)) if flip_test else None
    decoded = codec.decode(codec.merge(output, mirrored))
    centers, scales = batch.centers.numpy(), batch.scales.numpy()
    points = crop_to_image(decoded.coordinates.double().cpu().numpy(), centers, scales, crops.size)
    confidence = decoded.confidence.cpu().numpy()[..., None]
    return batch.indices.numpy(), np.concatenate([points, confidence], axis=-1, dtype=np.float32), centers, scales
