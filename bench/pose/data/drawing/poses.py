"""Random body poses for the synthetic set: keypoint angles in plausible ranges, per kind of activity.

All angles are in degrees. At rest an instance stands upright, faces the camera and lets the limbs hang straight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from numpy.random import Generator

__all__ = ["ACTIVITIES", "Limb", "Pose", "random_pose"]


@dataclass(frozen=True)
class Limb:
    """Angles of an arm or a leg.

    Attributes:
        flex: swing forward (negative: backward).
        abduct: swing outward, away from the body's mid-line.
        twist: rotation about the upper segment, positive inward: where a bent elbow points the forearm.
        bend: bend of the elbow (forearm forward) or knee (shank backward).
    """

    flex: float = 0.0
    abduct: float = 0.0
    twist: float = 0.0
    bend: float = 0.0


@dataclass(frozen=True)
class Pose:
    """Angles of a whole body.

    Attributes:
        facing: turn about the vertical; 0 faces the camera, 180 shows the back, 90 looks to image right.
        lean: forward bend of the trunk.
        tilt: sideways bend of the trunk, positive towards the person's own right.
        turn: turn of the head relative to the trunk, in the sense of `facing`.
        nod: forward nod of the head relative to the trunk.
        left_arm, right_arm, left_leg, right_leg: limbs.
    """

    facing: float = 0.0
    lean: float = 0.0
    tilt: float = 0.0
    turn: float = 0.0
    nod: float = 0.0
    left_arm: Limb = Limb()
    right_arm: Limb = Limb()
    left_leg: Limb = Limb()
    right_leg: Limb = Limb()


def random_pose(rng: Generator) -> Pose:
    """A pose of a random activity, seen from the front (half of the time), three-quarter or from behind."""
    activity = rng.choice(list(ACTIVITIES), p=[share for share, _ in ACTIVITIES.values()])
    pose = ACTIVITIES[str(activity)][1](rng)
    return replace(
        pose,
        facing=_facing(rng),
        tilt=pose.tilt + rng.uniform(-7, 7),
        turn=rng.uniform(-25, 25),
        nod=rng.uniform(-12, 18),
    )


def _facing(rng: Generator) -> float:
    view = rng.choice(["front", "three-quarter", "back"], p=[0.5, 0.25, 0.25])
    if view == "front":
        return float(rng.uniform(-28, 28))
    if view == "three-quarter":
        return float(rng.choice([-1, 1]) * rng.uniform(28, 62))
    return float(180 + rng.uniform(-50, 50))


def _stand(rng: Generator) -> Pose:
    return Pose(
        lean=rng.uniform(-5, 8),
        left_arm=_idle_arm(rng),
        right_arm=_idle_arm(rng),
        left_leg=_straight_leg(rng),
        right_leg=_straight_leg(rng),
    )


def _walk(rng: Generator) -> Pose:
    stride = rng.choice([-1, 1]) * rng.uniform(14, 36)
    swing = 0.9 * stride
    return Pose(
        lean=rng.uniform(0, 12),
        left_arm=Limb(-swing, rng.uniform(4, 18), rng.uniform(0, 40), rng.uniform(10, 80)),
        right_arm=Limb(swing, rng.uniform(4, 18), rng.uniform(0, 40), rng.uniform(10, 80)),
        left_leg=Limb(stride, rng.uniform(0, 6), 0, _stepping_knee(stride, rng)),
        right_leg=Limb(-stride, rng.uniform(0, 6), 0, _stepping_knee(-stride, rng)),
    )


def _sit(rng: Generator) -> Pose:
    return Pose(
        lean=rng.uniform(-8, 18),
        left_arm=_resting_arm(rng),
        right_arm=_resting_arm(rng),
        left_leg=_seated_leg(rng),
        right_leg=_seated_leg(rng),
    )


def _raise_arms(rng: Generator) -> Pose:
    arms = [_raised_arm(rng), _raised_arm(rng) if rng.random() < 0.6 else _idle_arm(rng)]
    left, right = rng.permutation(2)
    return Pose(
        lean=rng.uniform(-8, 6),
        left_arm=arms[left],
        right_arm=arms[right],
        left_leg=_straight_leg(rng),
        right_leg=_straight_leg(rng),
    )


def _lean(rng: Generator) -> Pose:
    lean = rng.uniform(20, 55)
    return Pose(
        lean=lean,
        tilt=rng.uniform(-18, 18),
        left_arm=_dangling_arm(lean, rng),
        right_arm=_dangling_arm(lean, rng),
        left_leg=Limb(rng.uniform(-5, 25), rng.uniform(0, 16), 0, rng.uniform(0, 40)),
        right_leg=Limb(rng.uniform(-5, 25), rng.uniform(0, 16), 0, rng.uniform(0, 40)),
    )


def _idle_arm(rng: Generator) -> Limb:
    if rng.random() < 0.25:  # hand on hip
        return Limb(rng.uniform(-15, 0), rng.uniform(38, 55), rng.uniform(65, 90), rng.uniform(85, 110))
    return Limb(rng.uniform(-15, 25), rng.uniform(6, 32), rng.uniform(-20, 70), rng.uniform(0, 75))


def _resting_arm(rng: Generator) -> Limb:
    return Limb(rng.uniform(10, 45), rng.uniform(4, 30), rng.uniform(-10, 45), rng.uniform(25, 85))


def _raised_arm(rng: Generator) -> Limb:
    return Limb(rng.uniform(-5, 35), rng.uniform(75, 165), rng.uniform(-100, -50), rng.uniform(0, 95))


def _dangling_arm(lean: float, rng: Generator) -> Limb:
    return Limb(rng.uniform(0.4, 1.6) * lean, rng.uniform(0, 30), rng.uniform(0, 50), rng.uniform(0, 70))


def _straight_leg(rng: Generator) -> Limb:
    return Limb(rng.uniform(-8, 10), rng.uniform(0, 18), 0, rng.uniform(0, 12))


def _seated_leg(rng: Generator) -> Limb:
    return Limb(rng.uniform(62, 95), rng.uniform(0, 28), 0, rng.uniform(65, 105))


def _stepping_knee(flex: float, rng: Generator) -> float:
    # The trailing leg lifts its heel; the leading one is nearly straight.
    return float(rng.uniform(0, 18) if flex > 0 else rng.uniform(10, 55))


ACTIVITIES: dict[str, tuple[float, Callable[[Generator], Pose]]] = {
    "stand": (0.3, _stand),
    "walk": (0.22, _walk),
    "sit": (0.15, _sit),
    "raise arms": (0.2, _raise_arms),
    "lean": (0.13, _lean),
}
"""Per activity, its share of all instances and the function that draws a pose of it."""
