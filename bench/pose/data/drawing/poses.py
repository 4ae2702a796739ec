"""Random poses, and where they put the points of a body.

The camera frame is right-handed, with the person's height as its unit: x to the right of the image, y up, z towards
the camera. An instance who faces the camera has the own left at positive x, hence at image right. Angles are in
degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Floats", "Limb", "Pose", "pose_body", "random_pose"]

Floats = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True)
class Limb:
    """Angles of an arm or a leg; at rest it hangs straight."""

    flex: float = 0.0  # swing forward
    abduct: float = 0.0  # swing outward
    twist: float = 0.0  # about the upper arm, positive inward: where a bent elbow points the forearm
    bend: float = 0.0  # of the elbow (forearm forward) or of the knee (shank backward)


@dataclass(frozen=True)
class Pose:
    """Angles of a whole body; at rest it stands upright and faces the camera."""

    facing: float = 0.0  # turn about the vertical; 90 looks to image right, 180 shows the back
    lean: float = 0.0  # forward bend of the trunk
    tilt: float = 0.0  # sideways bend of the trunk, positive towards the person's own right
    turn: float = 0.0  # of the head relative to the trunk, in the sense of `facing`
    nod: float = 0.0  # forward nod of the head
    arms: tuple[Limb, Limb] = (Limb(), Limb())  # left and right
    legs: tuple[Limb, Limb] = (Limb(), Limb())


_HEAD = 0.068  # its radius, in which its points are given: left, up and forward of its center
_HEAD_POINTS = {
    "crown": (0, 0.12, -0.08),
    "occiput": (0, -0.12, -0.08),
    "brow": (0, -0.02, 0.3),
    "chin": (0, -0.3, 0.3),
    "nose": (0, -0.1, 1.06),
    "left_eye": (0.42, 0.16, 0.88),
    "right_eye": (-0.42, 0.16, 0.88),
    "left_ear": (1.03, 0, -0.05),
    "right_ear": (-1.03, 0, -0.05),
}
_LIMBS: dict[str, tuple[Range, Range, Range, Range]] = {  # ranges of flex, abduct, twist and bend
    "hanging arm": ((-20, 30), (5, 35), (-20, 70), (0, 80)),
    "hand on hip": ((-15, 0), (38, 55), (65, 90), (85, 110)),
    "raised arm": ((-5, 35), (75, 165), (-100, -50), (0, 95)),
    "reaching arm": ((15, 80), (0, 30), (0, 50), (0, 80)),
    "straight leg": ((-8, 12), (0, 18), (0, 0), (0, 15)),
    "leading leg": ((12, 36), (0, 8), (0, 0), (0, 20)),
    "trailing leg": ((-34, -12), (0, 8), (0, 0), (10, 55)),
    "seated leg": ((62, 95), (0, 28), (0, 0), (65, 105)),
}
_ACTIVITIES: tuple[tuple[Range, tuple[str, ...], tuple[str, str]], ...] = (  # lean, arms to choose from, legs
    ((-5, 8), ("hanging arm", "hanging arm", "hand on hip"), ("straight leg", "straight leg")),
    ((0, 12), ("hanging arm",), ("leading leg", "trailing leg")),
    ((-8, 18), ("hanging arm", "reaching arm"), ("seated leg", "seated leg")),
    ((-8, 6), ("raised arm", "raised arm", "hanging arm"), ("straight leg", "straight leg")),
    ((20, 50), ("reaching arm",), ("straight leg", "leading leg")),
)
_SHARES = (0.3, 0.22, 0.15, 0.2, 0.13)


def random_pose(rng: Generator) -> Pose:
    """An instance who stands, walks, sits, raises the arms or bends, seen from the front or (a quarter) from behind."""
    lean, arms, legs = _ACTIVITIES[rng.choice(len(_ACTIVITIES), p=_SHARES)]
    return Pose(
        facing=rng.uniform(130, 230) if rng.random() < 0.25 else rng.uniform(-55, 55),
        lean=rng.uniform(*lean),
        tilt=rng.uniform(-10, 10),
        turn=rng.uniform(-25, 25),
        nod=rng.uniform(-12, 18),
        arms=(_limb(rng, str(rng.choice(arms))), _limb(rng, str(rng.choice(arms)))),
        legs=(_limb(rng, legs[swap := int(rng.integers(2))]), _limb(rng, legs[1 - swap])),
    )


def _limb(rng: Generator, kind: str) -> Limb:
    return Limb(*(rng.uniform(low, high) for low, high in _LIMBS[kind]))


def pose_body(pose: Pose, *, camera_pitch: float = 0.0) -> dict[str, Floats]:
    """Place the points of a body, (3,) by name: the COCO keypoints, and others between which its parts extend.

    The camera looks down by `camera_pitch` degrees; the pelvis is the origin.
    """
    root = _about("x", camera_pitch) @ _about("y", pose.facing)
    trunk = root @ _about("z", pose.tilt) @ _about("x", pose.lean)
    head = trunk @ _about("y", pose.turn) @ _about("x", pose.nod - 0.6 * pose.lean)
    center = trunk @ (0, 0.315, 0) + head @ (0, 0.085, 0.02)
    points = {name: center + _HEAD * head @ place for name, place in _HEAD_POINTS.items()}
    points |= {"nape": trunk @ (0, 0.275, 0), "belly": trunk @ (0, 0.09, 0)}
    points |= {"collar": trunk @ (0, 0.28, 0.05), "hem": trunk @ (0, 0.01, 0.06)}
    for side, sign, arm, leg in zip(("left", "right"), (1, -1), pose.arms, pose.legs, strict=True):
        shoulder, hip = trunk @ (sign * 0.113, 0.275, 0), root @ (sign * 0.06, 0, 0)
        upper = trunk @ _about("z", sign * arm.abduct) @ _about("x", -arm.flex) @ _about("y", -sign * arm.twist)
        lower = upper @ _about("x", -arm.bend)
        thigh = root @ _about("z", sign * leg.abduct) @ _about("x", -leg.flex)
        shank = thigh @ _about("x", leg.bend)
        elbow, knee = shoulder + upper @ (0, -0.165, 0), hip + thigh @ (0, -0.245, 0)
        wrist, ankle = elbow + lower @ (0, -0.145, 0), knee + shank @ (0, -0.235, 0)
        hand, toe = wrist + lower @ (0, -0.04, 0), ankle + shank @ (sign * 0.02, -0.03, 0.085)
        chest, waist, cuff = trunk @ (sign * 0.097, 0.28, 0), trunk @ (sign * 0.03, 0.035, 0), (shoulder + elbow) / 2
        placed = {"chest": chest, "waist": waist, "shoulder": shoulder, "cuff": cuff, "elbow": elbow, "wrist": wrist}
        placed |= {"hand": hand, "hip": hip, "knee": knee, "ankle": ankle, "toe": toe}
        points |= {f"{side}_{name}": point for name, point in placed.items()}
    return points


def _about(axis: str, degrees: float) -> Floats:
    """Rotation matrix about an axis of the frame."""
    vector = np.array([axis == "x", axis == "y", axis == "z"]) * np.deg2rad(degrees)
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)
