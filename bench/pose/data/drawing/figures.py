"""Clothed figures: posed bodies as convex parts.

Every part is the convex hull of a few balls (a capsule, where there are two), seen in orthographic projection. Parts
are drawn from the farthest to the nearest; a keypoint is in sight where a part that shows it is on top.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from operator import itemgetter

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.pose.data.drawing.poses import Floats
from bench.pose.skeletons import COCO_17

__all__ = ["SUPERSAMPLING", "Figure", "Part", "build_figure", "fill", "random_clothes", "random_color", "shade"]

Color = tuple[float, float, float]
"""Blue, green, red, 0 to 255."""

SUPERSAMPLING = 3
"""Figures are drawn at so many times the resolution, and averaged. Pixel centers lie on integer coordinates."""

_SKINS = ((170, 195, 235), (140, 175, 225), (105, 145, 200), (70, 105, 165), (45, 70, 115))
_HAIRS = ((25, 25, 30), (30, 45, 75), (40, 75, 125), (90, 165, 215), (45, 70, 175), (165, 165, 170))
_ON_TRUNK = frozenset(("left_shoulder", "right_shoulder", "left_hip", "right_hip"))
# Points ("*": of each side), radii there, color, and what is added to the mean z when parts are sorted by depth.
_TRUNK: tuple[tuple[str, tuple[float, ...], str, float], ...] = (
    ("left_hip right_hip belly", (0.055,), "trousers", -0.034),
    ("left_chest right_chest left_waist right_waist", (0.04, 0.04, 0.063, 0.063), "shirt", 0.0),
    ("collar hem", (0.012,), "placket", 0.0),  # tells the front of a shirt from its back
)
_OTHERS: tuple[tuple[str, tuple[float, ...], str, float], ...] = (
    ("nape occiput", (0.03,), "shade", 0.0),
    ("crown occiput", (0.068,), "hair", 0.03),  # from behind it is nearer than the face, which it hides
    ("brow chin", (0.054,), "skin", 0.03),
    ("nose", (0.011,), "shade", 0.03),
    ("*_eye", (0.012,), "eye", 0.03),
    ("*_ear", (0.018,), "shade", 0.03),
    ("*_shoulder *_elbow", (0.037, 0.029), "sleeve", 0.035),
    ("*_shoulder *_cuff", (0.039, 0.037), "shirt", 0.0355),
    ("*_elbow *_wrist", (0.029, 0.022), "sleeve", 0.036),
    ("*_wrist *_hand", (0.021, 0.024), "skin", 0.037),
    ("*_hip *_knee", (0.053, 0.04), "trousers", -0.03),
    ("*_knee *_ankle", (0.038, 0.026), "shank", -0.032),
    ("*_ankle *_toe", (0.029, 0.022), "shoe", -0.03),
)
_SHIFT = 6  # fractional bits of the corners handed to OpenCV
_RIM = np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1)


@dataclass(frozen=True)
class Part:
    """A part of a figure: the hull of balls."""

    balls: Floats  # (n, 4) of x, y, z and radius
    color: Color
    shows: frozenset[str]  # names of the keypoints that are in sight where this part is on top


@dataclass(frozen=True)
class Figure:
    """A figure in an image, in pixels."""

    parts: tuple[Part, ...]  # from the farthest to the nearest
    keypoints: Floats  # (17, 2) x and y of the COCO keypoints


def random_color(rng: Generator, brightness: float = 1.0) -> Color:
    """A color of random hue, with grays, darks and pastels among them."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.8), brightness * rng.uniform(0.25, 0.95))
    return 255 * blue, 255 * green, 255 * red


def shade(color: Color, gain: float) -> Color:
    """The color darkened."""
    blue, green, red = color
    return gain * blue, gain * green, gain * red


def random_clothes(rng: Generator) -> dict[str, Color]:
    """Random colors of everything that a figure has; bare arms and shanks have the skin's color."""
    skin, hair = _SKINS[rng.integers(len(_SKINS))], _HAIRS[rng.integers(len(_HAIRS))]
    shirt, trousers = random_color(rng), random_color(rng, brightness=0.75)
    return {
        "skin": skin,
        "shade": shade(skin, 0.75),
        "eye": (30.0, 30.0, 30.0),
        "hair": hair,
        "shirt": shirt,
        "placket": (225.0, 225.0, 225.0) if sum(shirt) < 360 else (35.0, 35.0, 35.0),
        "sleeve": shirt if rng.random() < 0.5 else skin,
        "trousers": trousers,
        "shank": trousers if rng.random() < 0.7 else skin,
        "shoe": random_color(rng),
    }


def build_figure(
    points: dict[str, Floats], clothes: dict[str, Color], scale: float, origin: tuple[float, float]
) -> Figure:
    """Dress a body and project it.

    Args:
        points: of `pose_body`.
        clothes: of `random_clothes`.
        scale: pixels per unit of length (the person's height).
        origin: pixel (x, y) of the pelvis.
    """
    to_pixels, shift = np.array([scale, -scale, scale, scale]), np.array([*origin, 0.0, 0.0])
    parts = []
    for row in (*_TRUNK, *_OTHERS):
        where, radii, color, lift = row
        for side in ("left", "right") if "*" in where else ("",):
            names = where.replace("*", side).split()
            balls = np.empty((len(names), 4))
            balls[:, :3], balls[:, 3] = [points[name] for name in names], radii
            shows = _ON_TRUNK if row in _TRUNK else frozenset(names)
            parts.append((balls[:, 2].mean() + lift, Part(balls * to_pixels + shift, clothes[color], shows)))
    keypoints = np.stack([points[name] for name in COCO_17.keypoints])[:, :2] * to_pixels[:2] + origin
    return Figure(tuple(part for _, part in sorted(parts, key=itemgetter(0))), keypoints)


def fill(image: NDArray[np.uint8] | NDArray[np.uint16], balls: Floats, color: float | Color) -> None:
    """Fill the hull of balls in a supersampled image, in place.

    Args:
        image: (rows, columns) or (rows, columns, 3).
        balls: (n, 4) of x, y, z and radius, in pixels before supersampling.
        color: what to fill with.
    """
    centers = (balls[:, :2] + 0.5) * SUPERSAMPLING - 0.5
    # OpenCV fills every pixel that the outline touches, which is half a pixel more on each side.
    radii = np.maximum(SUPERSAMPLING * balls[:, 3] - 0.5, 0.0)
    corners = np.rint((centers[:, None] + radii[:, None, None] * _RIM).reshape(-1, 2) * (1 << _SHIFT))
    value = color if isinstance(color, tuple) else (color,)
    cv2.fillConvexPoly(image, cv2.convexHull(corners.astype(np.int32)), value, cv2.LINE_8, _SHIFT)
