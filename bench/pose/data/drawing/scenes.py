"""Synthetic scenes: clothed figures before a textured background, and what to annotate of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.pose.data.drawing.bodies import Body, pose_body
from bench.pose.data.drawing.figures import Layer, draw
from bench.pose.data.drawing.outfits import random_outfit
from bench.pose.data.drawing.poses import random_pose

__all__ = ["DrawnInstance", "Scene", "draw_scene", "keypoints", "roomy"]

Image = NDArray[np.float32]
Size = tuple[int, int]

_LEAST_VISIBLE_SHARE = 0.4  # of a silhouette, under the instances in front of it
_LEAST_KEYPOINTS_INSIDE = 9
_LEAST_SILHOUETTE = 0.005  # of the image's area


@dataclass(frozen=True)
class DrawnInstance:
    """What is to be annotated of one instance.

    Attributes:
        keypoints: (17, 2) pixel coordinates of the COCO keypoints.
        visibility: (17,) 2 in sight, 1 hidden, 0 out of the image.
        silhouette: (height, width) mask of the instance as if nobody stood in front.
        visible: (height, width) the part of `silhouette` that is in sight.
    """

    keypoints: NDArray[np.float64]
    visibility: NDArray[np.int64]
    silhouette: NDArray[np.bool_]
    visible: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """An image (height, width, 3), uint8 blue-green-red, and its instances from the farthest to the nearest."""

    image: NDArray[np.uint8]
    instances: tuple[DrawnInstance, ...]


def roomy(size: Size, most: int = 3) -> int:
    """How many instances an image of that height and width has room for side by side, 1 to `most`."""
    height, width = size
    return int(np.clip(width / (0.42 * height), 1, most))


def draw_scene(rng: Generator, size: Size, instances: int) -> Scene:
    """Draw a scene with exactly that many instances, each of them largely in sight.

    Args:
        rng: source of everything random.
        size: height and width of the image, in pixels.
        instances: number of instances; at most `roomy(size)` lets a valid arrangement be found quickly.
    """
    layers, annotated = _arrangement(rng, size, instances)
    image = _background(rng, size)
    for layer in layers:
        image = image * cv2.merge([1 - layer.coverage] * 3) + layer.color
    return Scene(_imaged(rng, image), annotated)


def keypoints(instance: DrawnInstance) -> list[float]:
    """COCO's flat list of x, y, visibility per keypoint; zeros where the keypoint is out of the image."""
    rows = np.column_stack([np.round(instance.keypoints, 3), instance.visibility])
    rows[instance.visibility == 0] = 0
    return [value for x, y, v in rows.tolist() for value in (x, y, int(v))]


def _arrangement(rng: Generator, size: Size, instances: int) -> tuple[list[Layer], tuple[DrawnInstance, ...]]:
    """Figures from the farthest to the nearest, drawn anew until each of them can be annotated."""
    while True:
        layers = _layers(rng, size, instances)
        annotated = tuple(_instances(layers))
        if all(_annotatable(instance) for instance in annotated):
            return layers, annotated


def _annotatable(instance: DrawnInstance) -> bool:
    area = int(instance.silhouette.sum())
    return (
        area >= _LEAST_SILHOUETTE * instance.silhouette.size
        and int(instance.visible.sum()) >= _LEAST_VISIBLE_SHARE * area
        and int((instance.visibility > 0).sum()) >= _LEAST_KEYPOINTS_INSIDE
    )


def _layers(rng: Generator, size: Size, instances: int) -> list[Layer]:
    height, width = size
    group = rng.uniform(0.55, 1) * width if instances > 1 else width  # how closely they stand together
    left, slot = rng.uniform(0, width - group), group / instances
    scales = min(height, 1.5 * width) * rng.uniform(0.45, 0.95 if instances == 1 else 0.85, instances)
    slots = rng.permutation(instances)
    pitch = rng.uniform(-4, 18)  # one camera for all
    layers = []
    for scale, place in zip(np.sort(scales).tolist(), slots.tolist(), strict=True):
        outfit = random_outfit(rng)
        body = pose_body(random_pose(rng), camera_pitch=pitch, girth=outfit.girth, legs=outfit.legs)
        middle = left + (place + 0.5 + rng.uniform(-0.36, 0.36)) * slot
        layers.append(draw(body, outfit, scale, _origin(rng, body, scale, middle, height), size))
    return layers


def _origin(rng: Generator, body: Body, scale: float, middle: float, height: int) -> tuple[float, float]:
    """Pixel of the pelvis that puts the figure around column `middle`, whole or cut off by the lower edge."""
    span = body.keypoints[:, :2]
    rise, drop = 0.08 * scale + scale * span[:, 1].max(), 0.05 * scale - scale * span[:, 1].min()
    x = middle - scale * (span[:, 0].min() + span[:, 0].max()) / 2
    if rng.random() < 0.14:
        return float(x), float(height - drop + rng.uniform(0.1, 0.35) * (rise + drop))
    return float(x), float(rng.uniform(min(rise, height - drop), height - drop))


def _instances(layers: list[Layer]) -> list[DrawnInstance]:
    """Annotations of layers given from the farthest to the nearest."""
    in_front = np.zeros(layers[0].coverage.shape, np.float32)
    found = []
    for layer in reversed(layers):
        seen = layer.coverage * (1 - in_front)
        visibility = _visibility(layer, in_front)
        found.append(DrawnInstance(layer.keypoints, visibility, layer.coverage >= 0.5, seen >= 0.5))
        in_front = 1 - (1 - in_front) * (1 - layer.coverage)
    return found[::-1]


def _visibility(layer: Layer, in_front: Image) -> NDArray[np.int64]:
    height, width = in_front.shape
    x, y = layer.keypoints.T
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    columns, rows = np.round(np.clip(layer.keypoints, 0, (width - 1, height - 1))).astype(int).T
    shown = layer.in_sight & (in_front[rows, columns] < 0.5)
    return np.where(inside, np.where(shown, 2, 1), 0)


def _background(rng: Generator, size: Size) -> Image:
    """A gradient with noise of several scales and a clutter of shapes, some of them as thick as limbs."""
    height, width = size
    image = _stretched(rng.uniform(30, 225, (2, 2, 3)), size)
    for cell in (48, 16, 5):
        grid = (max(2, height // cell), max(2, width // cell), 3 if cell > 5 else 1)
        image += _stretched(rng.normal(0, rng.uniform(4, 22), grid), size).reshape(height, width, -1)
    for _ in range(rng.integers(5, 16)):
        _draw_clutter(rng, image)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    image = grey + np.float32(rng.uniform(0.2, 0.85)) * (image - grey)
    return _blurred(image, rng.uniform(0.4, 1.4))


def _draw_clutter(rng: Generator, image: Image) -> None:
    height, width = image.shape[:2]
    color = tuple(rng.uniform(10, 245, 3).tolist())
    (x, y), (dx, dy) = rng.uniform((0, 0), (width, height)), rng.uniform(0.04, 0.3, 2) * height
    shape = rng.choice(["rectangle", "ellipse", "bar"])
    angle = float(rng.uniform(0, 180))
    if shape == "rectangle":
        corners = cv2.boxPoints(((x, y), (1.5 * dx, 1.5 * dy), angle if rng.random() < 0.4 else 0.0))
        cv2.fillConvexPoly(image, np.round(corners).astype(np.int32), color)
    elif shape == "ellipse":
        cv2.ellipse(image, (int(x), int(y)), (int(dx / 2), int(dy / 2)), angle, 0, 360, color, -1)
    else:
        end = (int(x + 2 * dx * np.cos(angle)), int(y + 2 * dy * np.sin(angle)))
        cv2.line(image, (int(x), int(y)), end, color, int(rng.integers(1, 9)))


def _imaged(rng: Generator, image: Image) -> NDArray[np.uint8]:
    """Uneven tinted light, slight blur and sensor noise; none of them moves anything."""
    light = rng.uniform(0.72, 1.2) * rng.uniform(0.92, 1.08, 3) * rng.uniform(0.8, 1.15, (2, 2, 1))
    image = image * _stretched(light, image.shape[:2]) + np.float32(rng.uniform(-8, 14))
    image = _blurred(image, rng.uniform(0.2, 0.8))
    noise = rng.integers(0, 256, image.shape, np.uint8) - np.float32(127.5)
    image += np.float32(rng.uniform(0, 0.08)) * noise
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _stretched(coarse: NDArray[np.float64], size: Size) -> Image:
    """Values of a coarse grid, interpolated over the whole image."""
    values = cv2.resize(coarse.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(values, np.float32)


def _blurred(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
