"""Crops of people: what they look like, where each lies, and how the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bench.pose.data.augmentation import Augmentation, View, augment, mirror_joints
from bench.pose.data.people import Person
from bench.pose.data.pixels.source import DECODED, CropShape, Photographs, Placement, Taken
from bench.pose.errors import ImageError
from bench.pose.geometry import Size, affine_matrix, transform_points
from bench.pose.skeletons import Skeleton

__all__ = ["Batch", "CropSettings", "Crops", "Key"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

AUGMENTATION_STREAM = 0
"""Keeps the random stream of samples apart from that of the epochs' orders."""

Array = npt.NDArray[Any]

Key = tuple[int, int]
"""Epoch and index of a person: they decide the augmentation, whoever asks and in what order."""


@cache
def _normalised_levels(device: torch.device) -> Tensor:
    """What each grey level of each channel becomes, (256, 3) float32, computed once: the same bits on every device."""
    levels = torch.arange(256, dtype=torch.float32)[:, None] / 255
    return ((levels - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)).to(device)


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

    def pin_memory(self) -> Self:
        """The same in memory from which a GPU copies by itself; the loader asks for it by this name."""
        images, joints, visible = (values.pin_memory() for values in (self.images, self.joints, self.visible))
        return replace(self, images=images, joints=joints, visible=visible)

    def normalised(self, device: torch.device) -> Tensor:
        """Images as the network takes them: (people, 3, height, width) float32, ImageNet mean 0 and deviation 1.

        In memory the channels of a pixel lie side by side.
        """
        levels = _normalised_levels(device)
        if device.type == "cpu":
            pixels = self.images.numpy()
            rows = cv2.LUT(pixels.reshape(len(pixels), -1, 3), levels.numpy()[None])
            return torch.from_numpy(rows).view(*pixels.shape).permute(0, 3, 1, 2)
        images = self.images.to(device, non_blocking=True)
        return levels.flatten()[images.int() * 3 + torch.arange(3, device=device)].permute(0, 3, 1, 2)


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

    @cached_property
    def shape(self) -> CropShape:
        """What the source of pixels needs to know."""
        return CropShape(self.size, self.color_order)


class _Shot(NamedTuple):
    """Where a person's crop lies: the width of the photograph in px, the view's centre and scale, and the placement."""

    person: int
    width: int
    placement: Placement
    center: Array
    scale: Array


@dataclass(frozen=True)
class Crops(Dataset[Any]):
    """Batches of crops by their keys.

    Attributes:
        people: to crop.
        settings: of the crops.
        augmentation: how crops vary; None for the people's own boxes.
        seed: of the augmentation.
        photographs: where the pixels come from.
    """

    people: Sequence[Person]
    settings: CropSettings
    augmentation: Augmentation | None = None
    seed: int = 0
    photographs: Photographs = DECODED

    def __getitem__(self, keys: Sequence[Key]) -> Batch | tuple[str, ...]:
        """The crops, not yet developed; a tuple of what was wrong where nothing can be read."""
        shape = self.settings.shape
        taken = self.photographs.room(len(keys), shape)
        shots: list[_Shot] = []
        broken: list[str] = []
        for epoch, index in keys:
            person = self.people[index]
            try:
                photograph = self.photographs.open(person.image)
            except ImageError as error:
                broken.append(f"image {person.image_id}, person {person.annotation_id}: {error}")
                continue
            shot = self._shot(epoch, index, photograph.width)
            photograph.take(shot.placement, shape, taken[len(shots)])
            shots.append(shot)
        return self._batch(taken[: len(shots)], shots, tuple(broken)) if shots else tuple(broken)

    def develop(self, batch: Batch | tuple[str, ...]) -> Batch | tuple[str, ...]:
        """The batch with its images, in the process that trains or predicts."""
        if not isinstance(batch, Batch):
            return batch
        return replace(batch, images=self.photographs.develop(batch.images, self.settings.shape))

    def _shot(self, epoch: int, index: int, width: int) -> _Shot:
        """Of a person in an epoch, in a photograph of this width."""
        view = self._view(self.people[index], epoch, index)
        center = np.array(view.center)
        if view.mirrored:
            center[0] = width - 1 - center[0]
        matrix = affine_matrix(center, view.scale, view.rotation, self.settings.size)
        return _Shot(index, width, Placement(matrix, view.mirrored), center, view.scale)

    def _view(self, person: Person, epoch: int, index: int) -> View:
        view = View(*person.crop(self.settings.size))
        if self.augmentation is None:
            return view
        return augment(
            view,
            person.joints,
            person.visible,
            settings=self.augmentation,
            skeleton=self.settings.skeleton,
            size=self.settings.size,
            rng=np.random.default_rng(np.array([*self._stream, epoch, index], dtype=np.uint32)),
        )

    @cached_property
    def _stream(self) -> tuple[int, ...]:
        """Seed and stream in words of 32 bits, as NumPy would cut them: given to it so, it seeds in half the time."""
        low, high = self.seed % 2**32, self.seed >> 32
        return (low, high, AUGMENTATION_STREAM) if high else (low, AUGMENTATION_STREAM)

    def _batch(self, taken: Taken, shots: Sequence[_Shot], broken: tuple[str, ...]) -> Batch:
        joints, visible = self._joints(shots)
        matrices = np.stack([shot.placement.matrix for shot in shots])
        return Batch(
            images=torch.from_numpy(taken),
            joints=torch.from_numpy(transform_points(joints, matrices)),
            visible=torch.from_numpy(visible),
            indices=torch.tensor([shot.person for shot in shots]),
            centers=torch.from_numpy(np.stack([shot.center for shot in shots])),
            scales=torch.from_numpy(np.stack([shot.scale for shot in shots])),
            broken=broken,
        )

    def _joints(self, shots: Sequence[_Shot]) -> tuple[Array, Array]:
        """Joints in px of the images, mirrored where these are, and their visibility."""
        people = [self.people[shot.person] for shot in shots]
        joints, visible = np.stack([one.joints for one in people]), np.stack([one.visible for one in people])
        mirrored = np.array([shot.placement.mirrored for shot in shots])
        widths = np.array([shot.width for shot in shots])[mirrored]
        joints[mirrored], visible[mirrored] = mirror_joints(
            joints[mirrored], visible[mirrored], widths, self.settings.skeleton
        )
        return joints, visible
