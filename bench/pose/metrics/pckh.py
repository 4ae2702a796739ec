"""PCKh, the metric of MPII: joints within a part of the head's size of the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from bench.pose.errors import DataError
from bench.pose.skeletons import MPII_16

__all__ = ["HeadTruth", "joint_pckh", "pckh", "read_head_truth"]

Array = npt.NDArray[Any]

HEAD_PART = 0.6
"""Part of the head box's diagonal that counts as the size of the head."""

COLUMNS = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
"""Joints that each reported column averages, unweighted (behaviour E17)."""

NOT_IN_MEAN = ("pelvis", "thorax")
STRICT_THRESHOLD = 0.1
FIELDS = ("dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src")


@dataclass(frozen=True)
class HeadTruth:
    """Annotated joints with the size of each head.

    Attributes:
        joints: (people, 16, 2) px, 1-based as MPII annotates.
        visible: (people, 16).
        head_sizes: (people,) px.
    """

    joints: Array
    visible: npt.NDArray[np.bool_]
    head_sizes: Array


def read_head_truth(path: Path) -> HeadTruth:
    """Truth from `gt_valid.mat`. Raises `DataError` if the file is missing or lacks a field."""
    try:
        contents = scipy.io.loadmat(path)
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: not a readable MATLAB file ({error})") from error
    missing = [name for name in FIELDS if name not in contents]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; expected MPII's gt_valid.mat")
    heads = contents["headboxes_src"]
    return HeadTruth(
        joints=np.transpose(contents["pos_gt_src"], (2, 0, 1)),
        visible=np.asarray(contents["jnt_missing"]).T == 0,
        head_sizes=HEAD_PART * np.linalg.norm(heads[1] - heads[0], axis=0),
    )


def joint_pckh(predictions: Array, truth: HeadTruth, threshold: float) -> Array:
    """Per joint, the percentage of visible ones predicted within `threshold` head sizes, the limit included.

    Args:
        predictions: (people, 16, 2 or more) px, 0-based; moved to MPII's 1-based px here.
        truth: of the same people in the same order.
        threshold: in head sizes.

    Raises:
        DataError: the numbers of people or joints differ.
    """
    if predictions.shape[:2] != truth.joints.shape[:2]:
        raise DataError(f"predictions are (people, joints) {predictions.shape[:2]}, truth is {truth.joints.shape[:2]}")
    distance = np.linalg.norm(predictions[..., :2] + 1.0 - truth.joints, axis=-1) / truth.head_sizes[:, None]
    hits = (distance <= threshold) & truth.visible
    return 100.0 * hits.sum(axis=0) / np.maximum(truth.visible.sum(axis=0), 1)


def pckh(predictions: Array, truth: HeadTruth, threshold: float = 0.5) -> dict[str, float]:
    """The reported columns in percent at a threshold, `Mean` over visible joints, and `Mean@0.1`.

    The mean counts every joint but pelvis and thorax, weighted by how often it is visible (behaviour E17); `Mean@0.1`
    is at 0.10 exactly, where the code before the paper's took 0.11 (E18). Arguments and errors as in `joint_pckh`.
    """
    rates = joint_pckh(predictions, truth, threshold)
    columns = {name: float(rates[_indices(joints)].mean()) for name, joints in COLUMNS.items()}
    strict = joint_pckh(predictions, truth, STRICT_THRESHOLD)
    return columns | {"Mean": _mean(rates, truth), "Mean@0.1": _mean(strict, truth)}


def _mean(rates: Array, truth: HeadTruth) -> float:
    counts = truth.visible.sum(axis=0).astype(np.float64)
    counts[_indices(NOT_IN_MEAN)] = 0
    return float((rates * counts).sum() / counts.sum())


def _indices(joints: tuple[str, ...]) -> list[int]:
    return [MPII_16.index(joint) for joint in joints]
