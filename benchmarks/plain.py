"""The plain path that ours is measured against: one instance at a time, in OpenCV and NumPy, as the reference does it.

Each image is decoded for each sample, flipped as a whole and warped; channels are normalized and targets are
drawn keypoint by keypoint. Views are drawn by `bench.pose.data.augmentation`, so that samples are the same as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from bench.pose.data.augmentation import Augmentation, View, augment, flip_keypoints
from bench.pose.data.crops import AUGMENTATION_STREAM, IMAGENET_MEAN, IMAGENET_STD, CropSettings, Key
from bench.pose.data.instances import Instance
from bench.pose.geometry import Size, affine_matrix, transform_points

Array = npt.NDArray[Any]

STRIDE = 4

UNAUGMENTED = Augmentation(
    flip_probability=0, scale_factor=0, rotation_factor=0, rotation_probability=0, half_body_probability=0
)


def read(path: Path) -> Array:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert image is not None, path
    return image


def sample(
    instance: Instance, key: Key, settings: CropSettings, augmentation: Augmentation, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Normalized image (3, height, width) float32, keypoints (keypoints, 2) in crop px, visibility (keypoints,)."""
    image, keypoints, visible = read(instance.image), instance.keypoints, instance.visible
    rng = np.random.default_rng((seed, AUGMENTATION_STREAM, *key))
    view = augment(
        View(*instance.crop(settings.size)),
        keypoints,
        visible,
        settings=augmentation,
        skeleton=settings.skeleton,
        size=settings.size,
        rng=rng,
    )
    center = np.array(view.center)
    if view.flipped:
        image = image[:, ::-1, :]
        keypoints, visible = flip_keypoints(keypoints, visible, image.shape[1], settings.skeleton)
        center[0] = image.shape[1] - 1 - center[0]
    matrix = affine_matrix(center, view.scale, view.rotation, settings.size)
    height, width = settings.size
    crop = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height), flags=cv2.INTER_LINEAR)
    if settings.color_order == "rgb":
        crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
    return normalized(crop), transform_points(keypoints, matrix), visible


def normalized(crop: Array) -> Array:
    """(3, height, width) float32 with ImageNet's mean at 0 and its deviation at 1."""
    levels = crop.astype(np.float32).transpose(2, 0, 1) / np.float32(255)
    mean, std = (np.array(values, dtype=np.float32)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return np.ascontiguousarray((levels - mean) / std)


class SimDRSamples(Dataset[Any]):
    """Samples by their number, for a loader: a normalized image, bins and weights; instances come again and again.

    Args:
        instances: to crop.
        settings: size and colors of the crops.
        augmentation: how crops vary; `Augmentation` without any for evaluations.
        split_ratio: bins per px.
        count: number of samples.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        settings: CropSettings,
        augmentation: Augmentation,
        split_ratio: float,
        count: int,
    ) -> None:
        self._instances, self._settings, self._augmentation = instances, settings, augmentation
        self._split_ratio, self._count = split_ratio, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> tuple[Array, Array, Array]:
        epoch, index = divmod(number, len(self._instances))
        image, keypoints, visible = sample(self._instances[index], (epoch, index), self._settings, self._augmentation)
        return image, *simdr_target(keypoints, visible, self._settings.size, self._split_ratio)


def train(
    model: nn.Module, loss: Callable[[Any, Tensor, Tensor], Tensor], loader: DataLoader[Any], device: torch.device
) -> Iterator[int]:
    """Eager steps in float32 on batches of `SimDRSamples`; gives the number of instances after each.

    Adam tensor by tensor; the loss is read after each step. `loss` gets the network's output, bins and weights.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for batch in loader:
        images, bins, weight = (part.to(device, non_blocking=True) for part in batch)
        optimizer.zero_grad()
        value = loss(model(images), bins, weight)
        value.backward()
        optimizer.step()
        value.item()
        yield len(images)


@torch.no_grad()
def evaluate(
    model: nn.Module, loader: DataLoader[Any], crops: Crops, split_ratio: float, device: torch.device
) -> Iterator[int]:
    """Keypoints of batches from both views, one after the other, decoded in NumPy; gives the number of instances.

    `crops` tells where the crops of a full batch lie.
    """
    model.eval()
    for images, _, _ in loader:
        there = images.to(device, non_blocking=True)
        views = [tuple(axis.cpu().numpy() for axis in model(view)) for view in (there, there.flip(-1))]
        (x, y), (flipped_x, flipped_y) = views
        simdr_keypoints((x, flipped_x), (y, flipped_y), crops, split_ratio)
        yield len(images)


def heatmap_target(keypoints: Array, visible: Array, size: Size, sigma: float) -> tuple[Array, Array]:
    """Maps (keypoints, height / 4, width / 4) with a Gaussian around the nearest cell, and weights (keypoints,)."""
    height, width = size[0] // STRIDE, size[1] // STRIDE
    maps = np.zeros((len(keypoints), height, width), dtype=np.float32)
    weight = visible.astype(np.float32)
    reach = int(3 * sigma)
    side = np.arange(2 * reach + 1, dtype=np.float32)
    patch = np.exp(-((side - reach) ** 2 + (side[:, None] - reach) ** 2) / (2 * sigma**2))
    for keypoint in range(len(keypoints)):
        x, y = (int(value / STRIDE + 0.5) for value in keypoints[keypoint])
        if x - reach >= width or y - reach >= height or x + reach + 1 < 0 or y + reach + 1 < 0:
            weight[keypoint] = 0
        if weight[keypoint]:
            left, right = max(0, x - reach), min(x + reach + 1, width)
            top, bottom = max(0, y - reach), min(y + reach + 1, height)
            part = patch[top - y + reach : bottom - y + reach, left - x + reach : right - x + reach]
            maps[keypoint, top:bottom, left:right] = part
    return maps, weight


def simdr_target(keypoints: Array, visible: Array, size: Size, split_ratio: float) -> tuple[Array, Array]:
    """Bins (keypoints, 2) of x and y, and weights (keypoints,)."""
    last = np.array([size[1] * split_ratio, size[0] * split_ratio]) - 1
    bins = np.zeros((len(keypoints), 2), dtype=np.int64)
    weight = visible.astype(np.float32)
    for keypoint in range(len(keypoints)):
        found = np.round(keypoints[keypoint] * split_ratio)
        if (found < 0).any() or (found > last).any():
            weight[keypoint] = 0
        bins[keypoint] = np.clip(found, 0, last)
    return bins, weight


@dataclass(frozen=True)
class Crops:
    """Where crops lie: centers in image px, scales in units of 200 px, height and width in px, the joints' mirror."""

    centers: Array
    scales: Array
    size: Size
    flip_indices: list[int]


def heatmap_keypoints(maps: Array, flipped: Array, crops: Crops) -> Array:
    """Keypoints (instances, keypoints, 3) in image px with confidences, from maps of both views, by quarter offsets."""
    restored = flipped[:, crops.flip_indices, :, ::-1].copy()
    restored[..., 1:] = restored[..., :-1].copy()
    merged = (maps + restored) * 0.5
    instances, keypoints, height, width = merged.shape
    flat = merged.reshape(instances, keypoints, -1)
    best = flat.argmax(axis=2)
    found = np.zeros((instances, keypoints, 3), dtype=np.float32)
    found[..., 2] = flat.max(axis=2)
    for instance in range(instances):
        for keypoint in range(keypoints):
            cells = merged[instance, keypoint]
            y, x = divmod(int(best[instance, keypoint]), width)
            point = np.array([x, y], dtype=np.float64)
            if 1 < x < width - 1 and 1 < y < height - 1:
                slope = (cells[y, x + 1] - cells[y, x - 1], cells[y + 1, x] - cells[y - 1, x])
                point += 0.25 * np.sign(slope)
            found[instance, keypoint, :2] = point * STRIDE
        _to_image(found[instance], instance, crops)
    return found


def simdr_keypoints(x: tuple[Array, ...], y: tuple[Array, ...], crops: Crops, split_ratio: float) -> Array:
    """Keypoints (instances, keypoints, 3) in image px with confidences, of the logits of both views."""
    restored = x[1][:, crops.flip_indices, ::-1].copy()
    restored[..., :-1] = restored[..., 1:].copy()
    views = ((x[0], restored), (y[0], y[1][:, crops.flip_indices]))
    axes = [(_softmax(one) + _softmax(other)) * 0.5 for one, other in views]
    found = np.zeros((*axes[0].shape[:2], 3), dtype=np.float32)
    for axis, values in enumerate(axes):
        found[..., axis] = values.argmax(axis=2) / split_ratio
    found[..., 2] = np.maximum(*(values.max(axis=2) for values in axes))
    for instance in range(len(found)):
        _to_image(found[instance], instance, crops)
    return found


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    return powers / powers.sum(axis=2, keepdims=True)


def _to_image(keypoints: Array, instance: int, crops: Crops) -> None:
    """From crop px to image px in place, keypoint by keypoint."""
    matrix = affine_matrix(crops.centers[instance], crops.scales[instance], 0, crops.size, inverse=True)
    for keypoint in keypoints:
        keypoint[:2] = matrix @ np.array([keypoint[0], keypoint[1], 1.0])
