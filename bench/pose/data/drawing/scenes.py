"""Synthetic scenes: clothed figures before a cluttered background, and what to annotate of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.pose.data.drawing.figures import (
    SUPERSAMPLING,
    Figure,
    build_figure,
    fill,
    random_clothes,
    random_color,
    shade,
)
from bench.pose.data.drawing.poses import pose_body, random_pose
from bench.pose.skeletons import COCO_17

__all__ = ["DrawnInstance", "Scene", "annotate", "draw_scene", "keypoints", "paint", "roomy"]

Pixels = NDArray[np.uint8]
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

    image: Pixels
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
    while True:
        figures = _arrange(rng, size, instances)
        annotated = annotate(figures, size)
        if all(_annotatable(instance) for instance in annotated):
            break
    image = rng.uniform(0.7, 1.15) * paint(figures, _background(rng, size))
    image += rng.normal(0, rng.uniform(0, 8), image.shape)
    return Scene(np.clip(np.rint(image), 0, 255).astype(np.uint8), annotated)


def keypoints(instance: DrawnInstance) -> list[float]:
    """COCO's flat list of x, y, visibility per keypoint; zeros where it is out of the image."""
    rows = np.column_stack([np.round(instance.keypoints, 3), instance.visibility])
    rows[instance.visibility == 0] = 0
    return [value for x, y, v in rows.tolist() for value in (x, y, int(v))]


def _annotatable(instance: DrawnInstance) -> bool:
    area = int(instance.silhouette.sum())
    return (
        area >= _LEAST_SILHOUETTE * instance.silhouette.size
        and int(instance.visible.sum()) >= _LEAST_VISIBLE_SHARE * area
        and int((instance.visibility > 0).sum()) >= _LEAST_KEYPOINTS_INSIDE
    )


def _arrange(rng: Generator, size: Size, instances: int) -> list[Figure]:
    """Random figures from the farthest to the nearest, some cut off by the lower edge."""
    height, width = size
    group = rng.uniform(0.55, 1) * width if instances > 1 else width  # how closely they stand together
    left, slot = rng.uniform(0, width - group), group / instances
    scales = min(height, 1.5 * width) * rng.uniform(0.45, 0.95 if instances == 1 else 0.85, instances)
    pitch = rng.uniform(-4, 18)  # one camera for all
    figures = []
    for scale, place in zip(np.sort(scales).tolist(), rng.permutation(instances).tolist(), strict=True):
        clothes = random_clothes(rng)
        body = pose_body(random_pose(rng), camera_pitch=pitch)
        balls = np.concatenate([part.balls for part in build_figure(body, clothes, scale, (0, 0)).parts])
        top, bottom = (balls[:, 1] - balls[:, 3]).min(), (balls[:, 1] + balls[:, 3]).max()
        x = left + (place + 0.5 + rng.uniform(-0.36, 0.36)) * slot - (balls[:, 0].min() + balls[:, 0].max()) / 2
        if rng.random() < 0.14:
            y = height - bottom + rng.uniform(0.1, 0.35) * (bottom - top)
        else:
            y = height - bottom - rng.uniform(0, 1) * max(0.0, height - bottom + top)
        figures.append(build_figure(body, clothes, scale, (float(x), float(y))))
    return figures


def annotate(figures: list[Figure], size: Size) -> tuple[DrawnInstance, ...]:
    """What is in sight of figures that are given from the farthest to the nearest."""
    top = np.zeros((size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING), np.uint16)  # number of the topmost part
    shows: list[tuple[int, frozenset[str]]] = [(-1, frozenset())]  # by number: whose part it is, what it shows
    silhouettes = []
    for number, figure in enumerate(figures):
        mask = np.zeros_like(top, np.uint8)
        for part in figure.parts:
            fill(top, part.balls, len(shows))
            fill(mask, part.balls, 255)
            shows.append((number, part.shows))
        silhouettes.append(_averaged(mask) >= 128)
    owner = np.array([number for number, _ in shows])[top]
    instances = []
    for number, (figure, silhouette) in enumerate(zip(figures, silhouettes, strict=True)):
        points = figure.keypoints
        inside = np.all((points >= 0) & (points <= (size[1] - 1, size[0] - 1)), axis=1, keepdims=True)
        columns, rows = np.rint((np.where(inside, points, 0) + 0.5) * SUPERSAMPLING - 0.5).astype(int).T
        tops = [shows[part] for part in top[rows, columns].tolist()]
        seen = [whose == number and name in names for name, (whose, names) in zip(COCO_17.keypoints, tops, strict=True)]
        visible = _averaged((owner == number) * np.uint8(255)) >= 128
        instances.append(DrawnInstance(points, np.where(inside[:, 0], np.where(seen, 2, 1), 0), silhouette, visible))
    return tuple(instances)


def paint(figures: list[Figure], canvas: Pixels) -> Pixels:
    """Paint figures on a supersampled canvas, in place, and average it; a dark rim sets each part off."""
    for figure in figures:
        for part in figure.parts:
            fill(canvas, part.balls, shade(part.color, 0.65))
            fill(canvas, part.balls * (1, 1, 1, 0.8), part.color)
    return _averaged(canvas)


def _background(rng: Generator, size: Size) -> Pixels:
    """A supersampled canvas: muted light and shade, and a clutter of shapes, some of them as thick as limbs."""
    height, width = size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING
    image = _stretched(rng.uniform(40, 215, (3, 4, 1)) + rng.normal(0, 20, (3, 4, 3)), (height, width))
    image += _stretched(rng.normal(0, rng.uniform(4, 20), (size[0] // 6, size[1] // 6, 3)), (height, width))
    canvas = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(5, 16)):
        balls = np.zeros((rng.integers(1, 5), 4))
        balls[:, :2] = rng.uniform((0, 0), size[::-1]) + rng.normal(0, 0.12 * size[0], (len(balls), 2))
        balls[:, 3] = rng.uniform(0.01, 0.05) * size[0]
        fill(canvas, balls, random_color(rng))
    return canvas


def _stretched(coarse: NDArray[np.float64], size: Size) -> NDArray[np.float32]:
    """Values of a coarse grid, interpolated over the whole image."""
    return np.asarray(cv2.resize(coarse.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _averaged(fine: Pixels) -> Pixels:
    """A supersampled image at its own resolution."""
    rows, columns = fine.shape[:2]
    size = (columns // SUPERSAMPLING, rows // SUPERSAMPLING)
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.uint8)
