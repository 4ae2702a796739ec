"""Clothed articulated figures: how they are drawn, and which keypoints the drawing leaves in sight.

The camera sees a body (see `bodies`) in orthographic projection. Every body part but the head is the convex
hull of a few balls; parts are drawn from the farthest to the nearest.

Pixel centers lie on integer coordinates. Figures are drawn at `SUPERSAMPLING` times the resolution and
averaged down, so a coordinate x is drawn at (x + 0.5) * SUPERSAMPLING - 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.pose.data.drawing.bodies import FACE, HEAD_AXES, SIDES, Body, Floats, normalized
from bench.pose.data.drawing.outfits import Color, Outfit, shade
from bench.pose.skeletons import COCO_17

__all__ = ["SUPERSAMPLING", "Layer", "draw", "fill", "hull"]

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

SUPERSAMPLING = 3

_MARGIN = 0.13  # of flesh and clothes around the keypoints, in units of the height
_SHIFT = 6  # fractional bits of the polygon corners handed to OpenCV
_RIM = np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1)
_HAIR_AXIS = normalized(0, 0.72, -0.7)


@dataclass(frozen=True)
class Layer:
    """A drawn figure.

    Attributes:
        color: (height, width, 3) float32, blue-green-red times coverage, 0 to 255.
        coverage: (height, width) float32, the share of each pixel that the figure covers.
        keypoints: (17, 2) pixel coordinates of the COCO keypoints; they may lie outside the image.
        in_sight: (17,) whether the keypoint lies in the image and the figure itself does not hide it.
    """

    color: NDArray[np.float32]
    coverage: NDArray[np.float32]
    keypoints: Floats
    in_sight: NDArray[np.bool_]


@dataclass(frozen=True)
class _Part:
    """A body part: hull of balls (n, 4) of x, y, z, radius; marks are painted on it, lift draws it later."""

    name: str
    balls: Floats
    color: Color
    marks: tuple[tuple[Floats, Color], ...] = ()
    lift: float = 0.0

    @property
    def depth(self) -> float:
        return float(self.balls[:, 2].mean()) + self.lift


def draw(body: Body, outfit: Outfit, scale: float, origin: tuple[float, float], size: Size) -> Layer:
    """Draw a figure.

    Args:
        body: posed body.
        outfit: its clothes.
        scale: pixels per unit of length (the person's height).
        origin: pixel (x, y) of the pelvis.
        size: height and width of the image, in pixels.
    """
    canvas = _Canvas(size, scale, origin, body)
    parts = sorted(_parts(body, outfit), key=lambda part: part.depth)
    for label, part in enumerate(parts, start=1):
        if part.name == "head":
            _draw_head(canvas, body, outfit, label)
        else:
            _draw_part(canvas, part, label, body, outfit)
    labels = {part.name: label for label, part in enumerate(parts, start=1)}
    color, coverage = canvas.averaged()
    return Layer(color, coverage, canvas.pixels(body.keypoints), _in_sight(canvas, body, labels))


def hull(centers: Floats, radii: Floats) -> NDArray[np.int32]:
    """Corners of the convex hull of discs, for `fill`.

    Args:
        centers: (n, 2) x and y in pixels, fractions included.
        radii: (n,) in pixels.

    Returns:
        (m, 1, 2) in fixed point.
    """
    # OpenCV fills every pixel that the outline touches, which is half a pixel more on each side.
    rims = centers[:, None] + np.maximum(radii - 0.5, 0.0)[:, None, None] * _RIM
    corners = np.rint(rims.reshape(-1, 2) * (1 << _SHIFT)).astype(np.int32)
    return np.asarray(cv2.convexHull(corners), np.int32)


def fill(image: Pixels, corners: NDArray[np.int32], value: float | tuple[float, ...]) -> None:
    """Fill a `hull` in an image (height, width) or (height, width, channels), in place."""
    cv2.fillConvexPoly(image, corners, value, cv2.LINE_8, _SHIFT)


class _Canvas:
    """The window of an image that a body fills, supersampled.

    Attributes:
        paint: (rows, columns, 4) blue, green, red and coverage.
        labels: (rows, columns) number of the topmost part, 0 for none.
    """

    def __init__(self, size: Size, scale: float, origin: tuple[float, float], body: Body) -> None:
        self.size, self.scale, self.origin = size, scale, np.array(origin)
        points = self.pixels(np.stack([*body.points.values()]))
        limits = np.array(size[::-1])
        self.start = np.clip(points.min(axis=0) - _MARGIN * scale, 0, limits - 1).astype(int)
        self.stop = np.clip(points.max(axis=0) + _MARGIN * scale, self.start + 1, limits).astype(int)
        columns, rows = (self.stop - self.start) * SUPERSAMPLING
        self.paint = np.zeros((rows, columns, 4), np.uint8)
        self.labels = np.zeros((rows, columns), np.uint8)

    def pixels(self, points: Floats) -> Floats:
        """Image coordinates (n, 2) of points (n, 3) of the camera frame."""
        return self.origin + self.scale * points[:, :2] * (1, -1)

    def fine(self, points: Floats) -> Floats:
        """Coordinates (n, 2) on the canvas of points (n, 3) of the camera frame."""
        offset = self.pixels(points) - self.start
        return np.asarray((offset + 0.5) * SUPERSAMPLING - 0.5, np.float64)

    def fill(self, balls: Floats, label: int, color: Color, *coats: tuple[float, Color]) -> None:
        """Fill the hull of balls (n, 4), then repaint it in further coats, each shrunk by its own factor."""
        centers, radii = self.fine(balls[:, :3]), balls[:, 3] * (self.scale * SUPERSAMPLING)
        outline = hull(centers, radii)
        fill(self.paint, outline, (*color, 255.0))
        fill(self.labels, outline, label)
        for shrink, coat in coats:
            fill(self.paint, hull(centers, shrink * radii), (*coat, 255.0))

    def averaged(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Color times coverage (height, width, 3) and coverage (height, width), in pixels of the image."""
        columns, rows = (self.stop - self.start).tolist()
        small = cv2.resize(self.paint, (columns, rows), interpolation=cv2.INTER_AREA)
        color, coverage = np.zeros((*self.size, 3), np.float32), np.zeros(self.size, np.float32)
        window = tuple(map(slice, self.start[::-1], self.stop[::-1]))
        color[window] = small[:, :, :3]
        coverage[window] = small[:, :, 3] / np.float32(255)
        return color, coverage


def _draw_part(canvas: _Canvas, part: _Part, label: int, body: Body, outfit: Outfit) -> None:
    # A darker rim and a lighter core round the part off, and set it apart from a like-colored neighbour.
    coats = (0.82, part.color), (0.4, shade(part.color, 1.1))
    canvas.fill(part.balls, label, shade(part.color, 0.68), *coats)
    if part.name == "chest" and outfit.pattern != "plain":
        _weave(canvas, label, body, outfit)
    for balls, color in part.marks:
        canvas.fill(balls, label, color)


def _weave(canvas: _Canvas, label: int, body: Body, outfit: Outfit) -> None:
    """Repaint every other band of the shirt with the trim, across or along the trunk."""
    axis = body.trunk[:2, 1] if outfit.pattern == "hoops" else body.trunk[:2, 0]
    corner, patch = _extent(canvas.labels, label)
    if patch is None:
        return
    rows, columns = np.nonzero(patch)
    across = (columns * axis[0] - rows * axis[1]) / (canvas.scale * SUPERSAMPLING * max(np.hypot(*axis), 0.1))
    banded = np.floor(across / 0.028).astype(np.int64) % 2 == 0
    canvas.paint[rows[banded] + corner[0], columns[banded] + corner[1], :3] = np.array(outfit.trim, np.uint8)


def _extent(labels: Pixels, label: int) -> tuple[tuple[int, int], NDArray[np.bool_] | None]:
    """Top-left corner and mask of the rectangle that a label occupies; no mask where it is absent."""
    found = labels == label
    x, y, width, height = cv2.boundingRect(found.view(np.uint8))
    return (y, x), found[y : y + height, x : x + width] if width else None


def _draw_head(canvas: _Canvas, body: Body, outfit: Outfit, label: int) -> None:
    ears = {side: np.array([*body.points[f"{side}_ear"], 0.26 * body.head_radius]) for side, _ in SIDES}
    near = {side for side in ears if _faces_camera(body, f"{side}_ear")}
    dark = shade(outfit.skin, 0.8)
    for side in sorted(ears.keys() - near):
        canvas.fill(ears[side][None], label, dark)
    _draw_skull(canvas, body, outfit, label)
    for side in sorted(near):
        canvas.fill(ears[side][None], label, dark)
    for name, radius, color in (
        ("left_eye", 0.19, (225.0, 225.0, 225.0)),
        ("right_eye", 0.19, (225.0, 225.0, 225.0)),
        ("left_eye", 0.13, outfit.eyes),
        ("right_eye", 0.13, outfit.eyes),
        ("nose", 0.17, outfit.nose),
    ):
        if _faces_camera(body, name):
            canvas.fill(np.array([[*body.points[name], radius * body.head_radius]]), label, color)
    if _faces_camera(body, "nose"):
        mouth = [body.points["head"] + body.head_radius * body.head @ (x, -0.58, 0.72) for x in (-0.22, 0.22)]
        canvas.fill(_balls(mouth, 0.06 * body.head_radius), label, (70.0, 60.0, 150.0))


def _draw_skull(canvas: _Canvas, body: Body, outfit: Outfit, label: int) -> None:
    """Cast the head ellipsoid pixel by pixel: skin in front, hair over the crown and the back."""
    center = canvas.fine(body.points["head"][None])[0]
    radius = body.head_radius * canvas.scale * SUPERSAMPLING
    reach = 1.1 * radius + 1
    height, width = canvas.labels.shape
    left, top = np.maximum(np.floor(center - reach), 0).astype(int)
    right, bottom = np.minimum(np.ceil(center + reach) + 1, (width, height)).astype(int)
    if left >= right or top >= bottom:
        return
    x = (np.arange(left, right) - center[0])[None, :, None] / radius
    y = (center[1] - np.arange(top, bottom))[:, None, None] / radius
    to_sphere = body.head.T / HEAD_AXES[:, None]
    base, ray = x * to_sphere[:, 0] + y * to_sphere[:, 1], to_sphere[:, 2]
    half_b, a = base @ ray, ray @ ray
    discriminant = half_b**2 - a * (np.einsum("ijk,ijk->ij", base, base) - 1)
    depth = (np.sqrt(np.maximum(discriminant, 0)) - half_b) / a
    surface = base + depth[:, :, None] * ray
    inside = discriminant >= 0
    hairy = surface @ _HAIR_AXIS > -0.02
    lit = (0.72 + 0.36 * np.clip(depth, 0, 1))[:, :, None]
    colors = np.where(hairy[:, :, None], np.array(outfit.hair), np.array(outfit.skin)) * lit
    window = (slice(top, bottom), slice(left, right))
    canvas.paint[window][inside, :3] = np.clip(colors, 0, 255).astype(np.uint8)[inside]
    canvas.paint[window][inside, 3] = 255
    canvas.labels[window][inside] = label


def _parts(body: Body, outfit: Outfit) -> Iterable[_Part]:
    p, girth = body.points, outfit.girth
    yield _Part("neck", _balls([p["neck"] - 0.04 * body.trunk[:, 1], p["head"]], 0.03), shade(outfit.skin, 0.9))
    yield _Part("head", _balls([p["head"]], body.head_radius), outfit.skin, lift=0.03)
    if outfit.long_hair:
        crown, nape = body.head @ (0, 0.01, -0.025), body.trunk @ (0, -0.03, -0.06)
        yield _Part("hair", _balls([p["head"] + crown, p["neck"] + nape], 0.056, 0.05), outfit.hair)
    yield from _trunk_parts(body, outfit)
    for side, _ in SIDES:
        shoulder, elbow, wrist = (p[f"{side}_{keypoint}"] for keypoint in ("shoulder", "elbow", "wrist"))
        sleeve = outfit.shirt
        bare = sleeve if outfit.long_sleeves else outfit.skin
        upper = _balls([shoulder, elbow], 0.037 * girth, 0.029 * girth)
        cuff = _balls([shoulder, 0.45 * shoulder + 0.55 * elbow], 0.039 * girth, 0.036 * girth)
        marks = () if outfit.long_sleeves else ((cuff, sleeve),)
        yield _Part(f"{side}_upper_arm", upper, bare, marks, lift=0.035)
        yield _Part(f"{side}_forearm", _balls([elbow, wrist], 0.028 * girth, 0.021), bare, lift=0.036)
        yield _Part(f"{side}_hand", _balls([wrist, p[f"{side}_hand"]], 0.02, 0.024), outfit.skin, lift=0.037)
        hip, knee, ankle, toe = (p[f"{side}_{keypoint}"] for keypoint in ("hip", "knee", "ankle", "toe"))
        shank = outfit.trousers if outfit.long_trousers else outfit.skin
        yield _Part(f"{side}_shank", _balls([knee, ankle], 0.038 * girth, 0.024), shank, lift=-0.002)
        yield _Part(f"{side}_thigh", _balls([hip, knee], 0.055 * girth, 0.04 * girth), outfit.trousers, lift=-0.03)
        yield _Part(f"{side}_foot", _balls([ankle - (0, 0.008, 0), toe], 0.027, 0.022), outfit.shoes, lift=-0.03)


def _trunk_parts(body: Body, outfit: Outfit) -> Iterable[_Part]:
    p, trunk, girth = body.points, body.trunk, outfit.girth
    waist = trunk @ (0, 0.09, 0)
    hips = [p["left_hip"], p["right_hip"], waist]
    yield _Part("pelvis", _balls(hips, 0.055 * girth, 0.055 * girth, 0.07 * girth), outfit.trousers, lift=-0.034)
    shoulders = [0.86 * p[f"{side}_shoulder"] + 0.14 * p["neck"] for side, _ in SIDES]
    centers = [*shoulders, trunk @ (0, 0.21, 0), *(trunk @ (x * girth, 0.035, 0) for x in (-0.028, 0.028))]
    balls = _balls(centers, 0.04, 0.04, 0.075 * girth, 0.062 * girth, 0.062 * girth)
    yield _Part("chest", balls, outfit.shirt, tuple(_chest_marks(body, outfit)))


def _chest_marks(body: Body, outfit: Outfit) -> Iterable[tuple[Floats, Color]]:
    """What tells the front of a shirt (its cut) from its back (a yoke below the neck)."""
    trunk = body.trunk
    if trunk[2, 2] < -0.2:
        yield _balls([trunk @ (x, 0.27, -0.05) for x in (-0.06, 0.06)], 0.012), outfit.trim
    if trunk[2, 2] < 0.2:
        return
    yield (
        _balls([trunk @ (x, y, 0.055) for x, y in ((-0.035, 0.30), (0.035, 0.30), (0, 0.235))], 0.008),
        outfit.skin,
    )
    if outfit.front == "zip":
        yield _balls([trunk @ (0, y, 0.06) for y in (0.23, 0.0)], 0.01), outfit.trim
    elif outfit.front == "print":
        yield _balls([trunk @ (0, 0.16, 0.06)], 0.04), outfit.trim
    else:
        for x in (-0.035, 0.035):
            yield _balls([trunk @ (x, 0.30, 0.055), trunk @ (0, 0.23, 0.06)], 0.009), outfit.trim


def _in_sight(canvas: _Canvas, body: Body, labels: dict[str, int]) -> NDArray[np.bool_]:
    height, width = canvas.labels.shape
    columns, rows = np.round(canvas.fine(body.keypoints)).astype(int).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    tops = canvas.labels[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    shown = [
        top in {labels[part] for part in _carriers(name)} and (name not in FACE or _faces_camera(body, name))
        for name, top in zip(COCO_17.keypoints, tops.tolist(), strict=True)
    ]
    return np.asarray(inside & np.array(shown), np.bool_)


def _carriers(keypoint: str) -> tuple[str, ...]:
    """Parts whose surface shows a keypoint: where any other part is on top, the keypoint is hidden."""
    if keypoint in FACE:
        return ("head",)
    side, name = keypoint.split("_")
    own = {
        "shoulder": ("upper_arm",),
        "elbow": ("upper_arm", "forearm"),
        "wrist": ("forearm", "hand"),
        "hip": ("thigh",),
        "knee": ("thigh", "shank"),
        "ankle": ("shank", "foot"),
    }[name]
    trunk = {"shoulder": ("chest",), "hip": ("chest", "pelvis")}.get(name, ())
    return (*trunk, *(f"{side}_{part}" for part in own))


def _faces_camera(body: Body, name: str) -> bool:
    outward = body.points[name][2] - body.points["head"][2]
    return bool(outward > (-0.2 if name.endswith("ear") else 0.15) * body.head_radius)


def _balls(centers: list[Floats], *radii: float) -> Floats:
    """Rows of x, y, z, radius; a single radius holds for all."""
    rows = np.empty((len(centers), 4))
    rows[:, :3], rows[:, 3] = centers, radii
    return rows
