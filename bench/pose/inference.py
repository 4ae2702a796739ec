"""The inference loop: from instances's boxes to keypoints in their images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.instances import Instance
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.errors import DataError
from bench.pose.locating import locate
from bench.pose.metrics.predictions import Predictions
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.outputs import Coordinates
from bench.pose.parallel import ALONE, ProcessGroup
from bench.pose.precision import Precision, computing, single

__all__ = ["predict"]

T = TypeVar("T")

_Rows = tuple[np.ndarray, ...]


class _How(NamedTuple):
    """How batches are predicted; see `predict`."""

    flip_test: bool
    device: torch.device
    precision: Precision


@torch.inference_mode()
def predict(
    model: nn.Module,
    codec: Codec[Any, Any],
    instances: Sequence[Instance],
    crops: CropSettings,
    *,
    flip_test: bool,
    device: torch.device,
    batch_size: int = 32,
    workers: int = 0,
    watch: Callable[[int], object] = lambda _done: None,
    group: ProcessGroup = ALONE,
    images: ImageStore = DECODED,
    precision: Precision = "float32",
) -> tuple[Predictions, list[str]]:
    """Keypoints of all instances.

    A group deals the batches out in turn. Each batch is what it is in one process, and so are the keypoints to the bit,
    where all processes compute alike.

    Args:
        model: put into evaluation mode here.
        codec: merges the views and decodes.
        instances: with the boxes to crop.
        crops: how to crop them.
        flip_test: average with the prediction on the flipped crop.
        device: where the model lives.
        batch_size: instances per forward pass.
        workers: processes that load crops.
        watch: hears how many instances are done after each batch, counted as if the group were in step.
        group: processes that share the work and have the same weights.
        images: where the pixels of the crops come from, which makes no difference to them.
        precision: of the network's arithmetic.

    Returns:
        Predictions in the order of `instances`, and what was wrong with instances left out because of a broken image;
        both complete in each process.

    Raises:
        DataError: not one image can be read.
        ProcessGroupError: another process is gone.
    """
    model.eval()
    channels_side_by_side(model)
    how = _How(flip_test, device, precision)
    mine: list[tuple[_Rows | None, tuple[str, ...]]] = []
    batches = evaluation_batches(
        instances,
        crops,
        batch_size=batch_size,
        workers=workers,
        which=slice(group.rank, None, group.size),
        images=images,
        pinned=device.type == "cuda",
    )
    for batch in batches:
        if isinstance(batch, Batch):
            mine.append((_predict_batch(model, batch, codec, crops, how), batch.broken))
        else:
            mine.append((None, batch))
        watch(min(len(mine) * group.size * batch_size, len(instances)))
    done = list(_in_turn(group.gather(mine)))
    rows = [found for found, _ in done if found is not None]
    broken = [problem for _, problems in done for problem in problems]
    if not rows:
        raise DataError(f"none of {len(instances)} instances has a readable image; the first: {broken[0]}")
    indices, keypoints, centers, scales = (np.concatenate(column) for column in zip(*rows, strict=True))
    predictions = Predictions(
        image_ids=np.array([instances[index].image_id for index in indices], dtype=np.int64),
        keypoints=keypoints,
        centers=centers,
        scales=scales,
        box_scores=np.array([instances[index].score for index in indices]),
    )
    return predictions, broken


def _in_turn(dealt: Sequence[Sequence[T]]) -> Iterator[T]:
    """What was dealt out in turn, in its order."""
    for round_ in itertools.zip_longest(*dealt, fillvalue=None):
        yield from (one for one in round_ if one is not None)


def _predict_batch(model: nn.Module, batch: Batch, codec: Codec[Any, Any], crops: CropSettings, how: _How) -> _Rows:
    """Indices, keypoints (instances, keypoints, 3), centers and scales of one batch."""
    images = batch.normalized(how.device)
    # Both views in one pass: small networks do not fill a GPU with one.
    views = torch.cat([images, images.flip(-1)]) if how.flip_test else images
    with computing(how.precision, how.device):
        output = single(model(views))
    centers, scales = (values.to(how.device, non_blocking=True) for values in (batch.centers, batch.scales))
    outputs = _halves(output) if how.flip_test else [output]
    keypoints = locate(codec, outputs, centers, scales, crops.size)
    return batch.indices.numpy(), keypoints.cpu().numpy(), batch.centers.numpy(), batch.scales.numpy()


def _halves(output: Tensor | Coordinates) -> list[Any]:
    """The outputs for the first and the second half of a batch."""
    if isinstance(output, Coordinates):
        return [Coordinates(*axes) for axes in zip(*(axis.chunk(2) for axis in output), strict=True)]
    return list(output.chunk(2))
