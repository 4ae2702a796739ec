"""Random views of an instance: half body, scale, rotation, flip, in the reference's order (behaviour D1 to D7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.pose.geometry import SCALE_UNIT, Size
from bench.pose.skeletons import Skeleton

__all__ = ["Augmentation", "View", "augment", "flip_keypoints", "half_body"]

Array = npt.NDArray[np.float64]

HALF_BODY_PADDING = 1.5


@dataclass(frozen=True)
class Augmentation:
    """How far a training view may stray from the instance's box.

    Attributes:
        flip_probability: probability of a horizontal flip.
        scale_factor: s of the factor 1 + s * N(0, 1), clipped to 1 - s .. 1 + s.
        rotation_factor: standard deviation in degrees, clipped at twice that.
        rotation_probability: probability of a rotation.
        half_body_probability: probability of a crop to the upper or lower body, if enough keypoints are visible.
        half_body_min_keypoints: instances need more visible keypoints than this.
        half_body_coin: "normal" prefers the upper body with probability 0.69 as the reference does (D1), "uniform"
            with the evidently intended 0.5.
    """

    flip_probability: float = 0.5
    scale_factor: float = 0.35
    rotation_factor: float = 45.0
    rotation_probability: float = 0.6
    half_body_probability: float = 0.3
    half_body_min_keypoints: int = 8
    half_body_coin: Literal["normal", "uniform"] = "normal"


@dataclass(frozen=True)
class View:
    """A crop to take: center (image px), scale (units of 200 px), rotation (degrees), whether to flip the image."""

    center: npt.NDArray[np.float32] | Array
    scale: npt.NDArray[np.float32] | Array
    rotation: float = 0.0
    flipped: bool = False


def augment(
    view: View,
    keypoints: Array,
    visible: npt.NDArray[np.bool_],
    *,
    settings: Augmentation,
    skeleton: Skeleton,
    size: Size,
    rng: np.random.Generator,
) -> View:
    """Draw a training view. All randomness comes from `rng`, in a fixed order for given keypoints.

    Args:
        view: the instance's own crop.
        keypoints: (keypoints, 2) image px.
        visible: (keypoints,).
        settings: how far to stray.
        skeleton: decides upper and lower body.
        size: crop height and width in px.
        rng: the sample's own generator.
    """
    center, scale = view.center, view.scale
    enough = np.count_nonzero(visible) > settings.half_body_min_keypoints
    if enough and rng.random() < settings.half_body_probability:
        part = half_body(keypoints, visible, skeleton, size, prefer_upper=_toss(rng, settings.half_body_coin))
        center, scale = part or (center, scale)
    spread = settings.scale_factor
    factor = min(max(1 + spread * rng.standard_normal(), 1 - spread), 1 + spread)
    rotation = 0.0
    if rng.random() < settings.rotation_probability:
        limit = 2 * settings.rotation_factor
        rotation = min(max(settings.rotation_factor * rng.standard_normal(), -limit), limit)
    flipped = bool(rng.random() < settings.flip_probability)
    return View(center, scale * factor, rotation, flipped)


def _toss(rng: np.random.Generator, coin: Literal["normal", "uniform"]) -> bool:
    draw = rng.standard_normal() if coin == "normal" else rng.random()
    return bool(draw < 0.5)


def half_body(
    keypoints: Array, visible: npt.NDArray[np.bool_], skeleton: Skeleton, size: Size, *, prefer_upper: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """Center and scale of a crop around the upper or the lower body (behaviour D2, D3).

    The preferred half needs more than two visible keypoints, else the other one is taken; the lower half, too, is taken
    only with more than two. The crop is centered on the mean of the keypoints, not on their box.

    Returns:
        Center (px) and scale (units of 200 px), or None with fewer than two keypoints to go by.
    """
    is_upper = np.asarray(skeleton.upper_body)
    upper, lower = keypoints[visible & is_upper], keypoints[visible & ~is_upper]
    chosen = upper if (prefer_upper and len(upper) > 2) or len(lower) <= 2 else lower
    if len(chosen) < 2:
        return None
    across, down = (chosen.max(axis=0) - chosen.min(axis=0)).tolist()
    aspect = size[1] / size[0]
    scale = np.array([max(across, down * aspect), max(down, across / aspect)], dtype=np.float32)
    return chosen.mean(axis=0).astype(np.float32), scale / np.float32(SCALE_UNIT) * np.float32(HALF_BODY_PADDING)


def flip_keypoints(
    keypoints: Array, visible: npt.NDArray[np.bool_], widths: npt.ArrayLike, skeleton: Skeleton
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Keypoints and visibility in the flipped image: x becomes width - 1 - x, left and right change places.

    Args:
        keypoints: (..., keypoints, 2) image px.
        visible: (..., keypoints).
        widths: (...) of the images in px.
        skeleton: names the pairs.
    """
    order = list(skeleton.flip_indices)
    flipped = keypoints[..., order, :]
    flipped[..., 0] = np.asarray(widths)[..., None] - 1 - flipped[..., 0]
    return flipped, visible[..., order]
