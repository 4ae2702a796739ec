"""PCKh, the metric of MPII: keypoints within a fraction of the head's size of the truth."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from bench.pose.errors import DataError
from bench.pose.metrics.matlab import read_arrays
from bench.pose.metrics.resample_counts import single_values
from bench.pose.skeletons import MPII_16

__all__ = [
    "HeadTruth",
    "both_columns",
    "columns",
    "head_distances",
    "keypoint_rates",
    "pckh",
    "read_head_truth",
    "read_predictions",
    "write_predictions",
]

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
"""Keypoints that each reported column averages, unweighted (behaviour E17)."""

NOT_IN_MEAN = ("pelvis", "thorax")
STRICT_THRESHOLD = 0.1

FIRST_PIXEL = 1.0
"""MPII counts pixels from 1."""

FIELDS = ("jnt_missing", "pos_gt_src", "headboxes_src")


@dataclass(frozen=True)
class HeadTruth:
    """Annotated keypoints with the size of each head.

    Attributes:
        keypoints: (instances, 16, 2) px, 1-based as MPII annotates.
        visible: (instances, 16).
        head_sizes: (instances,) px.
    """

    keypoints: Array
    visible: npt.NDArray[np.bool_]
    head_sizes: Array


def read_head_truth(path: Path) -> HeadTruth:
    """Truth from `gt_valid.mat`. Raises `DataError` if it is missing, lacks an array or has one of another shape."""
    contents = read_arrays(path)
    missing = [name for name in FIELDS if name not in contents]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; expected MPII's gt_valid.mat")
    heads, instances = contents["headboxes_src"], contents["jnt_missing"].shape[-1]
    shapes = {"jnt_missing": (16, instances), "pos_gt_src": (16, 2, instances), "headboxes_src": (2, 2, instances)}
    for name, shape in shapes.items():
        if contents[name].shape != shape:
            raise DataError(f"{path}: {name} has shape {contents[name].shape}, expected numbers of shape {shape}")
    unknown = np.flatnonzero(~np.isfinite(heads).all(axis=(0, 1)))
    if unknown.size:
        raise DataError(f"{path}: the head box of instance {unknown[0]} is not of finite numbers")
    return HeadTruth(
        keypoints=np.transpose(contents["pos_gt_src"], (2, 0, 1)),
        visible=np.asarray(contents["jnt_missing"]).T == 0,
        head_sizes=HEAD_PART * np.linalg.norm(heads[1] - heads[0], axis=0),
    )


def read_predictions(path: Path) -> Array:
    """Keypoints, (instances, 16, 2) 0-based px, from a `pred.mat` of the reference and its relatives.

    Its array `preds`, (instances, 16, 2 or more), holds 1-based px: they add the 1 before they store it.

    Raises:
        DataError: the file is missing or holds no such array.
    """
    preds = np.asarray(read_arrays(path).get("preds", ()))
    if preds.ndim != 3 or preds.shape[1] != MPII_16.size or preds.shape[2] < 2:
        raise DataError(f"{path}: expected numbers 'preds' of shape (instances, 16, 2 or more), found {preds.shape}")
    return preds[..., :2].astype(np.float64) - FIRST_PIXEL


def write_predictions(predictions: Array) -> bytes:
    """Contents of the `pred.mat` for keypoints (instances, 16, 2 or more) in 0-based px; see `read_predictions`."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"preds": predictions[..., :2] + FIRST_PIXEL})
    return buffer.getvalue()


def head_distances(predictions: Array, truth: HeadTruth) -> Array:
    """Distance in head sizes of each predicted keypoint from the annotated one, (instances, 16).

    Args:
        predictions: (instances, 16, 2 or more) px, 0-based; moved to MPII's 1-based px here. NaN stays NaN.
        truth: truth of the same instances in the same order.

    Raises:
        DataError: the numbers of instances or keypoints differ.
    """
    if predictions.shape[:2] != truth.keypoints.shape[:2]:
        raise DataError(
            f"predictions are (instances, keypoints) {predictions.shape[:2]}, truth is {truth.keypoints.shape[:2]}"
        )
    distances = np.linalg.norm(predictions[..., :2] + FIRST_PIXEL - truth.keypoints, axis=-1)
    return np.asarray(distances / truth.head_sizes[:, None])


def keypoint_rates(distances: Array, visible: Array, threshold: float, counts: Array) -> tuple[Array, Array]:
    """Per keypoint, the percentage of visible ones within `threshold` head sizes, the limit included.

    Args:
        distances: (instances, 16) in head sizes; NaN is a miss.
        visible: (instances, 16) bool.
        threshold: in head sizes.
        counts: (resamples, instances) how often each instance counts.

    Returns:
        Percentages, NaN where none is visible, and numbers of visible keypoints; (resamples, 16) each.
    """
    hits, labelled = (counts.astype(np.float64) @ each for each in ((distances <= threshold) & visible, visible))
    return 100 * hits / np.where(labelled > 0, labelled, np.nan), labelled


def pckh(predictions: Array, truth: HeadTruth, threshold: float = 0.5) -> dict[str, float | None]:
    """The reported columns in percent at a threshold, and again as `Head@0.1` to `Mean@0.1`.

    Each is None where there is nobody to judge: no instance has such a keypoint labelled.

    The mean counts every keypoint but pelvis and thorax, weighted by how often it is visible (behaviour E17); the
    strict columns are at 0.10 exactly, where the code before the paper's took 0.11 (E18). Arguments and errors as in
    `head_distances`.
    """
    distances = head_distances(predictions, truth)
    return single_values(both_columns(distances, truth.visible, np.ones((1, len(distances))), threshold))


def both_columns(distances: Array, visible: Array, counts: Array, threshold: float = 0.5) -> dict[str, Array]:
    """The columns of `pckh`, (resamples,) each; arguments as in `keypoint_rates`."""
    found = columns(*keypoint_rates(distances, visible, threshold, counts))
    strict = columns(*keypoint_rates(distances, visible, STRICT_THRESHOLD, counts))
    return found | {f"{name}@{STRICT_THRESHOLD}": value for name, value in strict.items()}


def columns(rates: Array, labelled: Array) -> dict[str, Array]:
    """Columns and mean, (...) each, of percentages (..., 16) and numbers of labelled keypoints (..., 16).

    Keypoints that are labelled nowhere take no part; NaN where no keypoint of a column is left.
    """
    counted = labelled.copy()
    counted[..., _indices(NOT_IN_MEAN)] = 0
    present = (labelled > 0).astype(np.float64)
    rates = np.where(labelled > 0, rates, 0)

    def mean(weights: Array, which: list[int] | slice) -> Array:
        with np.errstate(invalid="ignore"):
            return np.asarray((rates * weights)[..., which].sum(axis=-1) / weights[..., which].sum(axis=-1))

    found = {name: mean(present, _indices(keypoints)) for name, keypoints in COLUMNS.items()}
    return found | {"Mean": mean(counted, slice(None))}


def _indices(keypoints: tuple[str, ...]) -> list[int]:
    return [MPII_16.index(keypoint) for keypoint in keypoints]
