"""Random clothes, hair and build of drawn instances. Colors are blue, green, red, 0 to 255."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

__all__ = ["Color", "Outfit", "random_outfit", "shade"]

Color = tuple[float, float, float]

_SKINS = np.array([(170, 195, 235), (140, 175, 225), (105, 145, 200), (70, 105, 165), (45, 70, 115)], np.float64)
_HAIRS = np.array(
    [(25, 25, 30), (30, 45, 75), (40, 75, 125), (90, 165, 215), (45, 70, 175), (165, 165, 170)], np.float64
)


@dataclass(frozen=True)
class Outfit:
    """Colors and cut of an instance's clothes, and the build of the body.

    Attributes:
        skin, hair, shirt, trousers, shoes, eyes, nose: colors.
        trim: color of stripes, collar, zip and print.
        pattern: of the shirt: "plain", "hoops" (stripes across) or "stripes" (along the trunk).
        front: what marks the chest: "collar", "zip" or "print".
        long_sleeves, long_trousers, long_hair: cut.
        girth: thickness of trunk and limbs relative to the average.
        legs: length of the legs relative to the average.
    """

    skin: Color
    hair: Color
    shirt: Color
    trim: Color
    trousers: Color
    shoes: Color
    eyes: Color
    nose: Color
    pattern: str = "plain"
    front: str = "collar"
    long_sleeves: bool = True
    long_trousers: bool = True
    long_hair: bool = False
    girth: float = 1.0
    legs: float = 1.0


def random_outfit(rng: Generator) -> Outfit:
    """An outfit of random colors and cut."""
    skin = _SKINS[rng.integers(len(_SKINS))] * rng.uniform(0.9, 1.05)
    shirt = _vivid(rng)
    return Outfit(
        skin=_color(skin),
        hair=_color(_HAIRS[rng.integers(len(_HAIRS))] * rng.uniform(0.8, 1.2)),
        shirt=shirt,
        trim=_contrast(shirt, rng),
        trousers=_vivid(rng, brightness=0.75),
        shoes=_vivid(rng),
        eyes=_color(rng.uniform(10, 70, 3)),
        nose=_color(skin * 0.72),
        pattern=str(rng.choice(["plain", "hoops", "stripes"], p=[0.6, 0.25, 0.15])),
        front=str(rng.choice(["collar", "zip", "print"])),
        long_sleeves=bool(rng.random() < 0.5),
        long_trousers=bool(rng.random() < 0.7),
        long_hair=bool(rng.random() < 0.35),
        girth=rng.uniform(0.88, 1.2),
        legs=rng.uniform(0.93, 1.07),
    )


def _color(values: Iterable[float]) -> Color:
    blue, green, red = values
    return _clipped(blue), _clipped(green), _clipped(red)


def shade(color: Color, gain: float) -> Color:
    """The color darkened (gain below 1) or lightened, within 0 to 255."""
    return _color([gain * value for value in color])


def _vivid(rng: Generator, brightness: float = 1.0) -> Color:
    """A color of random hue, with greys, darks and pastels among them."""
    hsv = np.array([rng.uniform(0, 180), 255 * rng.uniform(0.05, 0.9), 255 * brightness * rng.uniform(0.25, 0.95)])
    return _color(cv2.cvtColor(hsv.astype(np.uint8)[None, None], cv2.COLOR_HSV2BGR)[0, 0].astype(np.float64))


def _contrast(color: Color, rng: Generator) -> Color:
    """A random color that differs from `color` in brightness."""
    other = np.array(_vivid(rng))
    target = 215.0 if np.mean(color) < 120 else 40.0
    return _color(0.4 * other + 0.6 * target)


def _clipped(value: float) -> float:
    return min(max(float(value), 0.0), 255.0)
