"""Batches in an order that depends on nothing but the seed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, Crops, CropSettings, Key, Unread
from bench.pose.data.instances import Instance
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.machine import forks_safely, safe_children
from bench.pose.shares import WHOLE, Share

__all__ = ["Loaded", "Position", "evaluation_batches", "training_batches"]

ORDER_STREAM = 1
"""Keeps the random stream of the epochs' orders apart from that of samples."""

Loaded = Batch | Unread
"""A batch, or what is wrong with its images if none could be read."""


class Position(NamedTuple):
    """Where a training stands: the epoch, from 0, and the number of its batches already used."""

    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class _TrainingOrder:
    """A share of the keys of batches from a position to the end, each epoch in a new order."""

    instances: int
    batch_size: int
    epochs: int
    seed: int
    start: Position
    share: Share

    def __iter__(self) -> Iterator[list[Key]]:
        for epoch in range(self.start.epoch, self.epochs):
            order = np.random.default_rng((self.seed, ORDER_STREAM, epoch)).permutation(self.instances)
            skip = self.start.step * self.batch_size if epoch == self.start.epoch else 0
            for begin in range(skip, self.instances, self.batch_size):
                batch = order[begin : begin + self.batch_size]
                yield [(epoch, int(index)) for index in batch[self.share.of(len(batch))]]


def training_batches(
    instances: Sequence[Instance],
    settings: CropSettings,
    augmentation: Augmentation,
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    start: Position,
    workers: int = 0,
    share: Share = WHOLE,
    images: ImageStore = DECODED,
    pinned: bool = False,
) -> Iterator[Loaded]:
    """A share of all batches from `start` to the end of the last epoch; the last batch of an epoch may be smaller.

    A batch without a readable image, or an empty share, comes as what is wrong with its images. Neither the number
    of workers nor the share nor the source of the pixels changes a sample. `pinned` batches lie in memory from which a
    GPU copies by itself.
    """
    order = _TrainingOrder(len(instances), batch_size, epochs, seed, start, share)
    return _load(Crops(instances, settings, augmentation, seed, images), order, workers, pinned)


def evaluation_batches(
    instances: Sequence[Instance],
    settings: CropSettings,
    *,
    batch_size: int,
    workers: int = 0,
    which: slice = slice(None),
    images: ImageStore = DECODED,
    pinned: bool = False,
) -> Iterator[Loaded]:
    """Unaugmented crops of all instances in order, or those batches that `which` chooses."""
    keys = [(0, index) for index in range(len(instances))]
    order = [keys[begin : begin + batch_size] for begin in range(0, len(keys), batch_size)]
    return _load(Crops(instances, settings, images=images), order[which], workers, pinned)


def _load(crops: Crops, order: Iterable[list[Key]], workers: int, pinned: bool) -> Iterator[Loaded]:
    loader: DataLoader[Any] = DataLoader(
        crops,
        # Whole batches are asked for at once and come as they are.
        sampler=order,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context="fork" if workers and forks_safely() else None,
        worker_init_fn=_single_threaded if workers else None,
        pin_memory=pinned,
        # The loader draws a base seed for its workers; from torch's global generator that draw would be lost state.
        generator=torch.Generator(),
    )
    with safe_children() if workers else contextlib.nullcontext():  # it starts the workers
        return map(crops.develop, loader)


def _as_it_is(loaded: Any) -> Any:
    return loaded


def _single_threaded(_worker: int) -> None:
    cv2.setNumThreads(0)
