"""From people to batches of crops, in an order that depends on nothing but the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.pose.data.augmentation import Augmentation, View, augment, mirror_joints
from bench.pose.data.images import read_image
from bench.pose.data.people import Person
from bench.pose.errors import ImageError
from bench.pose.geometry import Size, affine_matrix, transform_points, warp
from bench.pose.shares import WHOLE, Share
from bench.pose.skeletons import Skeleton

__all__ = ["Batch", "CropSettings", "Position", "evaluation_batches", "training_batches"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

AUGMENTATION_STREAM, ORDER_STREAM = 0, 1
"""Keep the random streams of samples and of the epoch's order apart."""


class Position(NamedTuple):
    """Where a training stands: the epoch, from 0, and the number of its batches already used."""

    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Batch:
    """Crops of several people.

    Attributes:
        images: (people, height, width, 3) uint8 in the network's colour order.
        joints: (people, joints, 2) float64 crop px.
        visible: (people, joints) bool.
        indices: (people,) positions in the list of people.
        centers: (people, 2) image px of each crop's centre.
        scales: (people, 2) units of 200 px.
        broken: what was wrong with people who are left out because their image cannot be read.
    """

    images: Tensor
    joints: Tensor
    visible: Tensor
    indices: Tensor
    centers: Tensor
    scales: Tensor
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def normalised(self, device: torch.device) -> Tensor:
        """Images as the network takes them: (people, 3, height, width) float32, ImageNet mean 0 and deviation 1."""
        images = self.images.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        mean, std = (images.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        return (images - mean) / std


@dataclass(frozen=True)
class CropSettings:
    """What a crop of a person looks like.

    Attributes:
        size: height and width in px.
        color_order: "rgb", or "bgr" as the reference's SimBa configurations have it (behaviour D18); the mean and
            deviation are applied in RGB order all the same.
        skeleton: of the people.
    """

    size: Size
    color_order: str
    skeleton: Skeleton


class _Crops(Dataset[object]):
    """Crops by (epoch, index); the epoch and the index decide the augmentation, whoever asks and in what order."""

    def __init__(
        self, people: Sequence[Person], settings: CropSettings, augmentation: Augmentation | None, seed: int
    ) -> None:
        self.people = people
        self.settings = settings
        self.augmentation = augmentation
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> dict[str, np.ndarray] | str:
        epoch, index = key
        try:
            return self._crop(epoch, index)
        except ImageError as error:
            person = self.people[index]
            return f"image {person.image_id}, person {person.annotation_id}: {error}"

    def _crop(self, epoch: int, index: int) -> dict[str, np.ndarray]:
        person, settings = self.people[index], self.settings
        image, joints, visible = read_image(person.image), person.joints, person.visible
        view = View(*person.crop(settings.size))
        if self.augmentation is not None:
            rng = np.random.default_rng((self.seed, AUGMENTATION_STREAM, epoch, index))
            view = augment(
                view,
                joints,
                visible,
                settings=self.augmentation,
                skeleton=settings.skeleton,
                size=settings.size,
                rng=rng,
            )
        center = np.array(view.center)
        if view.mirrored:
            image = np.ascontiguousarray(image[:, ::-1])
            joints, visible = mirror_joints(joints, visible, image.shape[1], settings.skeleton)
            center[0] = image.shape[1] - 1 - center[0]
        matrix = affine_matrix(center, view.scale, view.rotation, settings.size)
        crop = warp(image, matrix, settings.size)
        if settings.color_order == "rgb":
            crop = np.ascontiguousarray(crop[..., ::-1])
        return {
            "images": crop,
            "joints": transform_points(joints, matrix),
            "visible": visible,
            "indices": np.array(index),
            "centers": center,
            "scales": view.scale,
        }


def _collate(samples: Sequence[dict[str, np.ndarray] | str]) -> Batch | tuple[str, ...]:
    broken = tuple(sample for sample in samples if isinstance(sample, str))
    crops = [sample for sample in samples if not isinstance(sample, str)]
    if not crops:
        return broken
    stacked = {name: torch.from_numpy(np.stack([crop[name] for crop in crops])) for name in crops[0]}
    return Batch(**stacked, broken=broken)


@dataclass(frozen=True)
class _TrainingOrder:
    """A share of the (epoch, index) keys of batches from a position to the end, each epoch in a new order."""

    people: int
    batch_size: int
    epochs: int
    seed: int
    start: Position
    share: Share

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in range(self.start.epoch, self.epochs):
            order = np.random.default_rng((self.seed, ORDER_STREAM, epoch)).permutation(self.people)
            skip = self.start.step * self.batch_size if epoch == self.start.epoch else 0
            for begin in range(skip, self.people, self.batch_size):
                batch = order[begin : begin + self.batch_size]
                yield [(epoch, int(index)) for index in batch[self.share.of(len(batch))]]


def training_batches(
    people: Sequence[Person],
    settings: CropSettings,
    augmentation: Augmentation,
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    start: Position,
    workers: int = 0,
    share: Share = WHOLE,
) -> Iterator[Batch | tuple[str, ...]]:
    """A share of all batches from `start` to the end of the last epoch; the last batch of an epoch may be smaller.

    A batch of which nothing could be read, or an empty share, comes as the tuple of what was wrong. Neither the number
    of workers nor the share changes a sample.
    """
    order = _TrainingOrder(len(people), batch_size, epochs, seed, start, share)
    return _load(_Crops(people, settings, augmentation, seed), order, workers)


def evaluation_batches(
    people: Sequence[Person],
    settings: CropSettings,
    *,
    batch_size: int,
    workers: int = 0,
    which: slice = slice(None),
) -> Iterator[Batch | tuple[str, ...]]:
    """Unaugmented crops of all people in order, or those batches that `which` chooses."""
    keys = [(0, index) for index in range(len(people))]
    order = [keys[begin : begin + batch_size] for begin in range(0, len(keys), batch_size)]
    return _load(_Crops(people, settings, None, 0), order[which], workers)


def _load(
    crops: _Crops, order: _TrainingOrder | list[list[tuple[int, int]]], workers: int
) -> Iterator[Batch | tuple[str, ...]]:
    loader: DataLoader[object] = DataLoader(
        crops,
        batch_sampler=order,
        collate_fn=_collate,
        num_workers=workers,
        worker_init_fn=_single_threaded if workers else None,
        # The loader draws a base seed for its workers; from torch's global generator that draw would be lost state.
        generator=torch.Generator(),
    )
    return iter(loader)


def _single_threaded(_worker: int) -> None:
    cv2.setNumThreads(0)
