"""The inference loop: from the instances' boxes to keypoints in their images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch, CropSettings, Unread
from bench.pose.data.instances import Instance, Instances
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.errors import DataError
from bench.pose.locating import locate
from bench.pose.metrics.predictions import Predictions, round_keypoints
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.outputs import Coordinates
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup
from bench.pose.precision import Precision, autocast, copy_to, lacks_float64, to_float32
from bench.pose.raw_outputs import RawOutputs

__all__ = ["decode_outputs", "predict"]

T = TypeVar("T")

_Rows = tuple[np.ndarray, ...]


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
    group: ProcessGroup = SINGLE_PROCESS,
    images: ImageStore = DECODED,
    precision: Precision = "float32",
    keep: Callable[[RawOutputs], object] | None = None,
) -> tuple[Predictions, dict[int, str]]:
    """Predict the keypoints of all instances.

    In a process group each process takes every size-th batch. Batches are those of a single process, and so are the
    keypoints to the bit if all processes have the same hardware.

    Args:
        model: the network; it is put into evaluation mode.
        codec: merges the views and decodes.
        instances: instances whose boxes are cropped.
        crops: how to crop them.
        flip_test: average with the prediction on the flipped crop.
        device: where the model lives.
        batch_size: instances per forward pass.
        workers: processes that load crops.
        watch: called after each batch with the number of finished instances, assuming that all processes are in step.
        group: processes that share the work and have the same weights.
        images: source of the crops' pixels, which does not change them.
        precision: arithmetic of the network.
        keep: gets the raw outputs of each batch of this process, with both views even without a flip test.

    Returns:
        Predictions in the order of `instances`, with keypoints as `round_keypoints` leaves them, and what is wrong with
        the image of each instance that was left out, by its position. Both are complete in each process.

    Raises:
        DataError: no image can be read.
        ProcessGroupError: another process is gone.
    """
    model.eval()
    channels_side_by_side(model)
    exact = torch.device("cpu") if lacks_float64(device) else device
    mine: list[tuple[_Rows | None, Unread]] = []
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
            crop = batch.normalized(device)

            def outputs_of(views: Tensor) -> Any:
                with autocast(precision, device):
                    return to_float32(model(views))

            # Both views in one pass: one view of a small network does not fill a GPU. What is only kept has its own.
            outputs = _halves(outputs_of(torch.cat([crop, crop.flip(-1)]))) if flip_test else [outputs_of(crop)]
            crop_centers, crop_scales = (copy_to(exact, one) for one in (batch.centers, batch.scales))
            located = locate(codec, outputs, crop_centers, crop_scales, crops.size, alignment=crops.pixel_alignment)
            columns = [column.numpy() for column in (batch.indices, located.cpu(), batch.centers, batch.scales)]
            if keep is not None:
                both = outputs if flip_test else [*outputs, outputs_of(crop.flip(-1))]
                indices, keypoints, centers, scales = columns
                keep(RawOutputs(indices, centers, scales, keypoints, tuple(both)))
            mine.append((tuple(columns), batch.broken))
        else:
            mine.append((None, batch))
        watch(min(len(mine) * group.size * batch_size, len(instances)))
    done = list(_interleaved(group.all_gather(mine)))
    rows = [found for found, _ in done if found is not None]
    broken = dict(one for _, unread in done for one in unread)
    if not rows:
        first = next(iter(broken.values()))
        raise DataError(f"none of {len(instances)} instances has a readable image; the first: {first}")
    return _collected(rows, instances), broken


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch with one thread: on tensors as small as these, several wait for each other wherever cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@_one_thread()
@torch.inference_mode()
def decode_outputs(
    outputs: Iterable[RawOutputs],
    ways: Sequence[tuple[Codec[Any, Any], bool]],
    instances: Sequence[Instance],
    crops: CropSettings,
) -> tuple[Predictions, list[Predictions]]:
    """What `predict` gives for raw outputs that were kept, decoded in several ways, on the CPU.

    The outputs are gone through once, as reading them takes longer than decoding.

    Args:
        outputs: batches with both views.
        ways: each with what merges the views and decodes, and whether the flipped view counts.
        instances: those that the outputs are of.
        crops: how they were cropped.

    Returns:
        The predictions as they were decoded when the network ran, and those of each way.
    """
    found: list[list[_Rows]] = [[] for _ in range(1 + len(ways))]
    for batch in outputs:
        centers, scales = torch.from_numpy(batch.centers), torch.from_numpy(batch.scales)
        located = [
            locate(codec, batch.views[: 1 + flip], centers, scales, crops.size, alignment=crops.pixel_alignment).numpy()
            for codec, flip in ways
        ]
        for rows, keypoints in zip(found, [batch.keypoints, *located], strict=True):
            rows.append((batch.indices, keypoints, batch.centers, batch.scales))
    kept, *decoded = (_collected(rows, instances) for rows in found)
    return kept, decoded


def _collected(rows: Sequence[_Rows], instances: Sequence[Instance]) -> Predictions:
    indices, keypoints, centers, scales = (np.concatenate(column) for column in zip(*rows, strict=True))
    predicted = Instances.of(instances).take(indices)
    return Predictions(
        image_ids=predicted.column("image_id"),
        keypoints=round_keypoints(keypoints),
        centers=centers,
        scales=scales,
        box_scores=predicted.column("score"),
    )


def _interleaved(parts: Sequence[Sequence[T]]) -> Iterator[T]:
    """The first item of each part, then the second of each, and so on."""
    for items in itertools.zip_longest(*parts, fillvalue=None):
        yield from (item for item in items if item is not None)


def _halves(output: Tensor | Coordinates) -> list[Any]:
    """Outputs for the first and the second half of a batch."""
    if isinstance(output, Coordinates):
        return [Coordinates(*axes) for axes in zip(*(axis.chunk(2) for axis in output), strict=True)]
    return list(output.chunk(2))
