"""Posed bodies: keypoint positions by forward kinematics.

The camera frame is right-handed with the person's height as its unit: x to the right of the image, y up, z
towards the camera. An instance who faces the camera thus has the own left at positive x, hence at image right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.pose.data.drawing.poses import Limb, Pose
from bench.pose.skeletons import COCO_17

__all__ = ["FACE", "HEAD_AXES", "SIDES", "Body", "Floats", "normalized", "pose_body"]

Floats = NDArray[np.float64]

SIDES = (("left", 1.0), ("right", -1.0))
"""Names of the sides, with the sign of x there in the body's own frame."""

HEAD_AXES = np.array([0.86, 1.08, 0.96])
"""Half-axes of the head ellipsoid (left, up, forward), in units of its radius."""


def normalized(*vector: float) -> Floats:
    """The unit vector of that direction."""
    return np.asarray(np.array(vector) / np.linalg.norm(vector), np.float64)


FACE = {  # unit directions in the head's own frame: left, up, forward
    "nose": 1.06 * normalized(0, -0.12, 1),
    "left_eye": normalized(0.42, 0.16, 0.88),
    "right_eye": normalized(-0.42, 0.16, 0.88),
    "left_ear": 1.03 * normalized(1, 0.02, -0.05),
    "right_ear": 1.03 * normalized(-1, 0.02, -0.05),
}
"""Landmarks of the face: directions from the center of the head in its own frame (left, up, forward)."""


@dataclass(frozen=True)
class Body:
    """Keypoints and frames of a posed body, in the camera frame and in units of the person's height.

    Attributes:
        points: position (3,) by name: the COCO keypoints, and "head", "neck", "pelvis", hands and toes.
        trunk: (3, 3) rotation whose columns are the trunk's own left, up and forward.
        head: (3, 3) rotation, likewise of the head.
        head_radius: nominal radius of the head.
    """

    points: dict[str, Floats]
    trunk: Floats
    head: Floats
    head_radius: float

    @property
    def keypoints(self) -> Floats:
        """Positions of the COCO keypoints, (17, 3)."""
        return np.stack([self.points[name] for name in COCO_17.keypoints])


def pose_body(pose: Pose, *, camera_pitch: float = 0.0, girth: float = 1.0, legs: float = 1.0) -> Body:
    """Place the keypoints of a body by forward kinematics; the pelvis is the origin.

    Args:
        pose: keypoint angles.
        camera_pitch: how far the camera looks down, in degrees.
        girth: width of shoulders and hips relative to the average (damped).
        legs: length of the legs relative to the average.
    """
    root = _about_x(camera_pitch) @ _about_y(pose.facing)
    trunk = root @ _about_z(pose.tilt) @ _about_x(pose.lean)
    head = trunk @ _about_y(pose.turn) @ _about_x(pose.nod - 0.6 * pose.lean)
    width = 0.5 + 0.5 * girth
    points = {"pelvis": np.zeros(3), "neck": trunk @ (0, 0.315, 0)}
    points["head"] = points["neck"] + 0.4 * trunk @ (0, 0.085, 0.02) + 0.6 * head @ (0, 0.085, 0.02)
    for side, sign in SIDES:
        points |= _arm(side, trunk, trunk @ (sign * 0.113 * width, 0.275, 0), _limb(pose, side, "arm"))
        points |= _leg(side, root, root @ (sign * 0.06 * width, 0, 0), _limb(pose, side, "leg"), legs)
    radius = 0.072
    for name, direction in FACE.items():
        points[name] = points["head"] + radius * head @ (HEAD_AXES * direction)
    return Body(points, trunk, head, radius)


def _arm(side: str, trunk: Floats, shoulder: Floats, limb: Limb) -> dict[str, Floats]:
    sign = dict(SIDES)[side]
    upper = trunk @ _about_z(sign * limb.abduct) @ _about_x(-limb.flex) @ _about_y(-sign * limb.twist)
    lower = upper @ _about_x(-limb.bend)
    elbow = shoulder + upper @ (0, -0.165, 0)
    wrist = elbow + lower @ (0, -0.145, 0)
    hand = wrist + lower @ (0, -0.05, 0)
    return {
        f"{side}_shoulder": shoulder,
        f"{side}_elbow": elbow,
        f"{side}_wrist": wrist,
        f"{side}_hand": hand,
    }


def _leg(side: str, root: Floats, hip: Floats, limb: Limb, length: float) -> dict[str, Floats]:
    sign = dict(SIDES)[side]
    upper = root @ _about_z(sign * limb.abduct) @ _about_x(-limb.flex)
    lower = upper @ _about_x(limb.bend)
    knee = hip + upper @ (0, -0.245 * length, 0)
    ankle = knee + lower @ (0, -0.235 * length, 0)
    toe = ankle + lower @ _about_y(sign * 12) @ (0, -0.03, 0.085)
    return {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle, f"{side}_toe": toe}


def _limb(pose: Pose, side: str, kind: str) -> Limb:
    limb: Limb = getattr(pose, f"{side}_{kind}")
    return limb


def _turned(cosine_and_sine: tuple[float, float], axis: int) -> Floats:
    c, s = cosine_and_sine
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def _about_x(degrees: float) -> Floats:
    return _turned(_unit(degrees), 0)


def _about_y(degrees: float) -> Floats:
    return _turned(_unit(degrees), 1)


def _about_z(degrees: float) -> Floats:
    return _turned(_unit(degrees), 2)


def _unit(degrees: float) -> tuple[float, float]:
    angle = np.deg2rad(degrees)
    return float(np.cos(angle)), float(np.sin(angle))
