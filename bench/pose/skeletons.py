"""Keypoint skeletons: keypoint names, left-right pairs, OKS sigmas, body halves and limbs.

Index order is that of each dataset's annotation files, so a keypoint array needs no reordering. Sources: COCO
keypoints (sigmas of pycocotools), MPII Human Pose, CrowdPose (sigmas of its published API).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = ["COCO_17", "CROWDPOSE_14", "MPII_16", "SKELETONS", "Skeleton", "same_name"]


@dataclass(frozen=True)
class Skeleton:
    """A fixed set of keypoints.

    Attributes:
        name: registry name.
        keypoints: keypoint names in annotation order.
        pairs: names of the keypoints that a horizontal flip exchanges, as (left, right).
        sigmas: per-keypoint OKS falloff, in units of the square root of the instance's area (COCO's "k / 2").
        upper: names of the keypoints of the upper body; the rest are the lower body (half-body augmentation).
        limbs: pairs of keypoint names to draw.
    """

    name: str
    keypoints: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...]
    upper: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Number of keypoints."""
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Index of a keypoint by name. Raises `ValueError` for a name that the skeleton lacks."""
        return self.keypoints.index(keypoint)

    def positions_in(self, names: Sequence[str]) -> tuple[int, ...] | None:
        """Position of each keypoint in a list of these names, in any order and spelling; None if it has others."""
        positions = {same_name(name): position for position, name in enumerate(names)}
        wanted = [same_name(keypoint) for keypoint in self.keypoints]
        if tuple(names) == self.keypoints:
            return tuple(range(self.size))
        if not len(names) == len(positions) == self.size or positions.keys() != set(wanted):
            return None
        return tuple(positions[name] for name in wanted)

    @cached_property
    def flip_indices(self) -> tuple[int, ...]:
        """Permutation of keypoint indices that a horizontal flip applies."""
        order = list(range(self.size))
        for left, right in self.pairs:
            a, b = self.index(left), self.index(right)
            order[a], order[b] = b, a
        return tuple(order)

    @cached_property
    def torso(self) -> tuple[int, int] | None:
        """Indices of left shoulder and right hip, in any spelling; None for a skeleton that lacks one of them."""
        indices = {same_name(keypoint): index for index, keypoint in enumerate(self.keypoints)}
        ends = indices.get("leftshoulder"), indices.get("righthip")
        return None if None in ends else ends  # type: ignore[return-value]  # mypy does not narrow the tuple

    @cached_property
    def upper_body(self) -> tuple[bool, ...]:
        """Per keypoint, whether it belongs to the upper body."""
        return tuple(keypoint in self.upper for keypoint in self.keypoints)

    @property
    def limb_indices(self) -> tuple[tuple[int, int], ...]:
        """Limbs as pairs of keypoint indices."""
        return tuple((self.index(a), self.index(b)) for a, b in self.limbs)


def same_name(name: str) -> str:
    """The name without case, spaces, hyphens and underscores: equal for `left_eye`, `Left eye` and `LeftEye`."""
    plain = re.sub(r"[\W_]+", "", name).casefold()
    return "head" if plain == "tophead" else plain  # some tools call CrowdPose's head so


def _left_right(*parts: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"left_{part}", f"right_{part}") for part in parts)


_ARM_AND_LEG_LIMBS = (
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("left_hip", "right_hip"),
)
_TRUNK_LIMBS = (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))

COCO_17 = Skeleton(
    name="coco_17",
    keypoints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    pairs=_left_right("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
        0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
    ),
    upper=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    ),
    limbs=(
        ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
        ("left_shoulder", "right_shoulder"), *_TRUNK_LIMBS, *_ARM_AND_LEG_LIMBS,
    ),
)  # fmt: skip

MPII_16 = Skeleton(
    name="mpii_16",
    keypoints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "pelvis", "thorax", "upper_neck", "head_top",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ),
    pairs=_left_right("ankle", "knee", "hip", "wrist", "elbow", "shoulder"),
    # MPII is scored with PCKh; its OKS borrows COCO's sigmas, and the shoulder's for trunk and head.
    sigmas=(
        0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.107, 0.079, 0.079, 0.079,
        0.062, 0.072, 0.079, 0.079, 0.072, 0.062,
    ),
    upper=(
        "thorax", "upper_neck", "head_top",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ),
    limbs=(
        ("head_top", "upper_neck"), ("upper_neck", "thorax"), ("thorax", "pelvis"),
        ("thorax", "left_shoulder"), ("thorax", "right_shoulder"),
        ("pelvis", "left_hip"), ("pelvis", "right_hip"),
        *(limb for limb in _ARM_AND_LEG_LIMBS if limb != ("left_hip", "right_hip")),
    ),
)  # fmt: skip

CROWDPOSE_14 = Skeleton(
    name="crowdpose_14",
    keypoints=(
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck",
    ),
    pairs=_left_right("shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    sigmas=(
        0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079,
    ),
    upper=(
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "head", "neck",
    ),
    limbs=(
        ("head", "neck"), ("neck", "left_shoulder"), ("neck", "right_shoulder"),
        *_TRUNK_LIMBS, *_ARM_AND_LEG_LIMBS,
    ),
)  # fmt: skip

SKELETONS = (COCO_17, MPII_16, CROWDPOSE_14)
"""Skeletons of the built-in datasets."""
