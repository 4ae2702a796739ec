"""Crops of instances: their look, their place, and their form as input of the network."""

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

from bench.pose.data.augmentation import Augmentation, View, augment, flip_keypoints
from bench.pose.data.images import check_size
from bench.pose.data.instances import Instance, Instances
from bench.pose.data.pixels.image_source import DECODED, CropShape, ImageStore, Placement, Taken
from bench.pose.errors import ImageError
from bench.pose.geometry import PixelAlignment, Size, crop_matrix, transform_points
from bench.pose.precision import copy_to
from bench.pose.skeletons import Skeleton

__all__ = ["Batch", "CropSettings", "Crops", "Key", "Unread"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

AUGMENTATION_STREAM = 0
"""Keeps the random stream of samples apart from that of the epochs' orders."""

Array = npt.NDArray[Any]

Key = tuple[int, int]
"""Epoch and index of an instance: they decide the augmentation, in any process and order."""

Unread = tuple[tuple[int, str], ...]
"""Instances whose image cannot be read: the index of each, and what is wrong."""


@cache
def _normalized_levels(device: torch.device) -> Tensor:
    """Normalized value of each grey level and channel, (256, 3) float32: the same bits on every device."""
    levels = torch.arange(256, dtype=torch.float32)[:, None] / 255
    return ((levels - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)).to(device)


@dataclass(frozen=True)
class Batch:
    """Crops of several instances.

    Attributes:
        images: (instances, height, width, 3) uint8 in the network's color order.
        keypoints: (instances, keypoints, 2) float64 crop px.
        visible: (instances, keypoints) bool.
        indices: (instances,) positions in the list of instances.
        centers: (instances, 2) image px of each crop's center.
        scales: (instances, 2) units of 200 px.
        broken: positions of instances that are left out because their image cannot be read, and why.
    """

    images: Tensor
    keypoints: Tensor
    visible: Tensor
    indices: Tensor
    centers: Tensor
    scales: Tensor
    broken: Unread

    def __len__(self) -> int:
        return len(self.indices)

    def pin_memory(self) -> Self:
        """The same in memory from which a GPU copies by itself; the loader asks for it by this name."""
        images, keypoints, visible = (values.pin_memory() for values in (self.images, self.keypoints, self.visible))
        return replace(self, images=images, keypoints=keypoints, visible=visible)

    def normalized(self, device: torch.device) -> Tensor:
        """Images as the network takes them: (instances, 3, height, width) float32, ImageNet mean 0 and deviation 1.

        In memory the channels of a pixel lie side by side.
        """
        levels = _normalized_levels(device)
        if device.type == "cpu":
            pixels = self.images.numpy()
            rows = cv2.LUT(pixels.reshape(len(pixels), -1, 3), levels.numpy()[None])
            return torch.from_numpy(rows).view(*pixels.shape).permute(0, 3, 1, 2)
        images = copy_to(device, self.images)
        return levels.flatten()[images.int() * 3 + torch.arange(3, device=device)].permute(0, 3, 1, 2)


@dataclass(frozen=True)
class CropSettings:
    """Size and colors of crops.

    Attributes:
        size: height and width in px.
        color_order: "rgb", or "bgr" as the reference's SimBa configurations have it (behaviour D18); the mean and
            deviation are applied in RGB order all the same.
        skeleton: keypoints of the instances.
        pixel_alignment: where the center of a crop lands.
    """

    size: Size
    color_order: str
    skeleton: Skeleton
    pixel_alignment: PixelAlignment = "corner"

    @cached_property
    def shape(self) -> CropShape:
        """What the source of pixels needs to know."""
        return CropShape(self.size, self.color_order)


class _Shot(NamedTuple):
    """Where the crop of an instance lies: the width of its image in px, the view's center and scale, the placement."""

    position: int
    instance: Instance
    width: int
    placement: Placement
    center: Array
    scale: Array


@dataclass(frozen=True)
class Crops(Dataset[Any]):
    """Batches of crops by their keys.

    Attributes:
        instances: instances to crop.
        settings: size and colors of the crops.
        augmentation: how crops vary; None for the instances' own boxes.
        seed: seed of the augmentation.
        images: source of the pixels.
    """

    instances: Sequence[Instance]
    settings: CropSettings
    augmentation: Augmentation | None = None
    seed: int = 0
    images: ImageStore = DECODED

    def __getitem__(self, keys: Sequence[Key]) -> Batch | Unread:
        """The crops, not yet developed; only what is wrong if no image can be read."""
        shape = self.settings.shape
        taken = self.images.room(len(keys), shape)
        shots: list[_Shot] = []
        broken: list[tuple[int, str]] = []
        chosen = self._columns.many([index for _, index in keys])
        for (epoch, index), instance in zip(keys, chosen, strict=True):
            try:
                image = self.images.open(instance.image)
                check_size(instance.image, (image.height, image.width), instance.image_size)
            except ImageError as error:
                broken.append((index, str(error)))
                continue
            shot = self._shot(epoch, index, instance, image.width)
            image.take(shot.placement, shape, taken[len(shots)])
            shots.append(shot)
        return self._batch(taken[: len(shots)], shots, tuple(broken)) if shots else tuple(broken)

    def develop(self, batch: Batch | Unread) -> Batch | Unread:
        """The batch with its images, in the process that trains or predicts."""
        if not isinstance(batch, Batch):
            return batch
        return replace(batch, images=self.images.develop(batch.images, self.settings.shape))

    def _shot(self, epoch: int, index: int, instance: Instance, width: int) -> _Shot:
        """The crop of an instance in an epoch, in an image of this width."""
        view = self._view(instance, epoch, index)
        center = np.array(view.center)
        if view.flipped:
            center[0] = width - 1 - center[0]
        settings = self.settings
        matrix = crop_matrix(center, view.scale, view.rotation, settings.size, settings.pixel_alignment)
        return _Shot(index, instance, width, Placement(matrix, view.flipped), center, view.scale)

    def _view(self, instance: Instance, epoch: int, index: int) -> View:
        view = View(*instance.crop(self.settings.size))
        if self.augmentation is None:
            return view
        return augment(
            view,
            instance.keypoints,
            instance.visible,
            settings=self.augmentation,
            skeleton=self.settings.skeleton,
            size=self.settings.size,
            rng=np.random.default_rng(np.array([*self._stream, epoch, index], dtype=np.uint32)),
        )

    @cached_property
    def _columns(self) -> Instances:
        return Instances.of(self.instances)

    @cached_property
    def _stream(self) -> tuple[int, ...]:
        """Seed and stream in words of 32 bits, as NumPy would cut them: given to it so, it seeds in half the time."""
        low, high = self.seed % 2**32, self.seed >> 32
        return (low, high, AUGMENTATION_STREAM) if high else (low, AUGMENTATION_STREAM)

    def _batch(self, taken: Taken, shots: Sequence[_Shot], broken: Unread) -> Batch:
        keypoints, visible = self._keypoints(shots)
        matrices = np.stack([shot.placement.matrix for shot in shots])
        return Batch(
            images=torch.from_numpy(taken),
            keypoints=torch.from_numpy(transform_points(keypoints, matrices)),
            visible=torch.from_numpy(visible),
            indices=torch.tensor([shot.position for shot in shots]),
            centers=torch.from_numpy(np.stack([shot.center for shot in shots])),
            scales=torch.from_numpy(np.stack([shot.scale for shot in shots])),
            broken=broken,
        )

    def _keypoints(self, shots: Sequence[_Shot]) -> tuple[Array, Array]:
        """Keypoints in px of the images, flipped where these are, and their visibility."""
        keypoints, visible = (
            np.stack([shot.instance.keypoints for shot in shots]),
            np.stack([shot.instance.visible for shot in shots]),
        )
        flipped = np.array([shot.placement.flipped for shot in shots])
        widths = np.array([shot.width for shot in shots])[flipped]
        keypoints[flipped], visible[flipped] = flip_keypoints(
            keypoints[flipped], visible[flipped], widths, self.settings.skeleton
        )
        return keypoints, visible
