"""Metrics of evaluations that the paper does not print, from the rows that it does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from bench.paper.rows import PublishedRow, published_rows
from bench.planning.plan import PlannedTraining
from bench.planning.predicted_complexity import predict
from bench.pose.input_size import InputSize
from bench.pose.skeletons import COCO_17
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["guess"]

TABLES = {"coco": ("coco_val", "coco_val_384x288"), "crowdpose": ("crowdpose_test",), "mpii": ("mpii_val",)}
"""Published tables that a protocol's cells are guessed from."""

BANDWIDTH = 0.5
"""Distance at which a row counts 1/e of one of the same cell: octaves of the input's height, decades of multiply-adds,
and as much as `_unlike` says."""

USUAL_RATIO = 2
"""Splitting factor with which rows are costed; it hardly matters."""


def guess(training: PlannedTraining, evaluation: EvalSpec, protocol: str) -> dict[str, float]:
    """AP in 0..1, or all columns of PCKh in percent: of each the mean of the rows' log-odds, weighted by likeness.

    Args:
        training: that is measured.
        evaluation: of it.
        protocol: "coco", "crowdpose" or "mpii".
    """
    spec = training.spec
    rows = [row for row in published_rows() if row.table in TABLES[protocol]]
    place = _place(spec.input_size.height, training.complexity.multiply_adds)
    squares = np.array(
        [
            ((_row_place(row.backbone, row.representation, row.input_size) - place) ** 2).sum()
            + _unlike(row, spec, evaluation)
            for row in rows
        ]
    )
    names = ["AP"] if protocol != "mpii" else sorted({name for row in rows for name in row.metrics})
    return {name: _mean(rows, name, squares / BANDWIDTH**2) for name in names}


def _unlike(row: PublishedRow, spec: TrainSpec, evaluation: EvalSpec) -> float:
    """1 for each of another backbone, heatmaps against vectors, and refinement; less for another kind of vectors."""
    kinds = {row.representation, spec.representation}
    methods = 0.0 if len(kinds) == 1 else 1.0 if "heatmap" in kinds else 0.25
    return (
        methods
        + (row.backbone != spec.backbone)
        + ((row.post_process == "none") != (evaluation.post_process == "none"))
    )


def _place(height: int, multiply_adds: int) -> npt.NDArray[np.float64]:
    return np.array([np.log2(height), np.log10(multiply_adds)])


@cache
def _row_place(backbone: str, representation: str, input_size: InputSize) -> npt.NDArray[np.float64]:
    ratio = None if representation == "heatmap" else USUAL_RATIO
    network = predict(backbone, representation, keypoints=COCO_17.size, input_size=input_size, split_ratio=ratio)
    return _place(input_size.height, network.multiply_adds)


def _mean(rows: Sequence[PublishedRow], name: str, squares: npt.NDArray[np.float64]) -> float:
    """Weighted mean over the rows that print a metric."""
    unit = 1 if name == "AP" else 100
    printing = np.array([name in row.metrics for row in rows])
    odds = [logit(row.metrics[name] / unit) for row in rows if name in row.metrics]
    weights = np.exp(squares[printing].min() - squares[printing])
    return float(expit(np.average(odds, weights=weights))) * unit
