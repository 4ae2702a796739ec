"""The inference loop: from people's boxes to joints in their photographs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.people import Person
from bench.pose.data.pixels.source import DECODED, Photographs
from bench.pose.errors import DataError
from bench.pose.locating import locate
from bench.pose.metrics.predictions import Predictions
from bench.pose.models.heads import Coordinates
from bench.pose.models.layout import channels_side_by_side
from bench.pose.parallel import ALONE, Team
from bench.pose.precision import Precision, computing, single

__all__ = ["predict"]

T = TypeVar("T")

_Rows = tuple[np.ndarray, ...]


MANY = 50_000
"""People from which on compiled decoding pays: each takes 30 to 90 microseconds less. Loading it takes 0.7 s, compiling
it 6 s, once for each copy of the code and kind of CPU."""


class _How(NamedTuple):
    """How batches are predicted; see `predict`, and `locate` for `compiled`."""

    flip_test: bool
    compiled: bool
    device: torch.device
    precision: Precision


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
    precision: Precision = "float32",
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
        precision: of the network's arithmetic.

    Returns:
        Predictions in the order of `people`, and what was wrong with people left out because of a broken image; both
        complete in each process.

    Raises:
        DataError: not one image can be read.
        TeamError: another process is gone.
    """
    model.eval()
    channels_side_by_side(model)
    how = _How(flip_test, len(people) >= MANY, device, precision)
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
            mine.append((_predict_batch(model, batch, codec, crops, how), batch.broken))
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


def _predict_batch(model: nn.Module, batch: Batch, codec: Codec[Any, Any], crops: CropSettings, how: _How) -> _Rows:
    """Indices, keypoints (people, joints, 3), centres and scales of one batch."""
    images = batch.normalised(how.device)
    # Both views in one pass: small networks do not fill a GPU with one.
    views = torch.cat([images, images.flip(-1)]) if how.flip_test else images
    with computing(how.precision, how.device):
        output = single(model(views))
    centers, scales = (values.to(how.device, non_blocking=True) for values in (batch.centers, batch.scales))
    outputs = _halves(output) if how.flip_test else [output]
    keypoints = locate(codec, outputs, centers, scales, crops.size, compiled=how.compiled)
    return batch.indices.numpy(), keypoints.cpu().numpy(), batch.centers.numpy(), batch.scales.numpy()


def _halves(output: Tensor | Coordinates) -> list[Any]:
    """The outputs for the first and the second half of a batch."""
    if isinstance(output, Coordinates):
        return [Coordinates(*axes) for axes in zip(*(axis.chunk(2) for axis in output), strict=True)]
    return list(output.chunk(2))
