"""The plain path that ours is measured against: one person at a time, in OpenCV and NumPy, as the reference does it.

Each photograph is decoded for each sample, mirrored as a whole and warped; channels are normalised and targets are
drawn joint by joint. Views are drawn by `bench.pose.data.augmentation`, so that samples are the same as ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.pose.data.augmentation import Augmentation, View, augment, mirror_joints
from bench.pose.data.crops import AUGMENTATION_STREAM, IMAGENET_MEAN, IMAGENET_STD, CropSettings, Key
from bench.pose.data.people import Person
from bench.pose.geometry import Size, affine_matrix, transform_points

Array = npt.NDArray[Any]

STRIDE = 4


def read(path: Path) -> Array:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert image is not None, path
    return image


def sample(
    person: Person, key: Key, settings: CropSettings, augmentation: Augmentation, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Normalised image (3, height, width) float32, joints (joints, 2) in crop px, visibility (joints,)."""
    image, joints, visible = read(person.image), person.joints, person.visible
    rng = np.random.default_rng((seed, AUGMENTATION_STREAM, *key))
    view = augment(
        View(*person.crop(settings.size)),
        joints,
        visible,
        settings=augmentation,
        skeleton=settings.skeleton,
        size=settings.size,
        rng=rng,
    )
    center = np.array(view.center)
    if view.mirrored:
        image = image[:, ::-1, :]
        joints, visible = mirror_joints(joints, visible, image.shape[1], settings.skeleton)
        center[0] = image.shape[1] - 1 - center[0]
    matrix = affine_matrix(center, view.scale, view.rotation, settings.size)
    height, width = settings.size
    crop = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height), flags=cv2.INTER_LINEAR)
    if settings.color_order == "rgb":
        crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
    return normalised(crop), transform_points(joints, matrix), visible


def normalised(crop: Array) -> Array:
    """(3, height, width) float32 with ImageNet's mean at 0 and its deviation at 1."""
    levels = crop.astype(np.float32).transpose(2, 0, 1) / np.float32(255)
    mean, std = (np.array(values, dtype=np.float32)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return np.ascontiguousarray((levels - mean) / std)


def heatmap_target(joints: Array, visible: Array, size: Size, sigma: float) -> tuple[Array, Array]:
    """Maps (joints, height / 4, width / 4) with a Gaussian patch around the nearest cell, and weights (joints,)."""
    height, width = size[0] // STRIDE, size[1] // STRIDE
    maps = np.zeros((len(joints), height, width), dtype=np.float32)
    weight = visible.astype(np.float32)
    reach = int(3 * sigma)
    side = np.arange(2 * reach + 1, dtype=np.float32)
    patch = np.exp(-((side - reach) ** 2 + (side[:, None] - reach) ** 2) / (2 * sigma**2))
    for joint in range(len(joints)):
        x, y = (int(value / STRIDE + 0.5) for value in joints[joint])
        if x - reach >= width or y - reach >= height or x + reach + 1 < 0 or y + reach + 1 < 0:
            weight[joint] = 0
        if weight[joint]:
            left, right = max(0, x - reach), min(x + reach + 1, width)
            top, bottom = max(0, y - reach), min(y + reach + 1, height)
            part = patch[top - y + reach : bottom - y + reach, left - x + reach : right - x + reach]
            maps[joint, top:bottom, left:right] = part
    return maps, weight


def simdr_target(joints: Array, visible: Array, size: Size, split_ratio: float) -> tuple[Array, Array]:
    """Bins (joints, 2) of x and y, and weights (joints,)."""
    last = np.array([size[1] * split_ratio, size[0] * split_ratio]) - 1
    bins = np.zeros((len(joints), 2), dtype=np.int64)
    weight = visible.astype(np.float32)
    for joint in range(len(joints)):
        found = np.round(joints[joint] * split_ratio)
        if (found < 0).any() or (found > last).any():
            weight[joint] = 0
        bins[joint] = np.clip(found, 0, last)
    return bins, weight
