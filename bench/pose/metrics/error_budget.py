"""The error budget: what the AP of predictions would be if errors of some kinds had not been made.

Kinds and order follow Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV
2017, as `bench.pose.metrics.oks_diagnostics` classifies them: misses, swaps, inversions, jitter, then scores. Each step
keeps those before it. Wrong keypoints are put on the truth; the authors put them just within reach of it. Perfect
scores rank each prediction by the best OKS that it reaches. Quantization stands alone: keypoints within half a cell of
the truth, along both axes, are put on it, as if the cell that was found had been read without rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.geometry import SCALE_UNIT, Size
from bench.pose.metrics.oks_diagnostics import KINDS, MatchedResult, match_loosely
from bench.pose.scoring import OksScoring

__all__ = ["error_budget"]

Array = npt.NDArray[Any]
Results = Sequence[dict[str, Any]]

CORRECTIONS = {"miss": "no misses", "swap": "no swaps", "inversion": "no inversions", "jitter": "no jitter"}
"""Kinds of errors, in the order in which they are corrected, and the names of the steps."""


def error_budget(
    scoring: OksScoring, results: Results, *, cell: float | None, input_size: Size
) -> dict[str, float | None]:
    """The AP by step: "measured", "no quantization", then those of `CORRECTIONS` together, then "perfect scores".

    Args:
        scoring: of an annotated split.
        results: predicted instances with `center` and `scale` of their crops.
        cell: crop px between neighboring positions that the representation can tell apart; None leaves that step out.
        input_size: height and width of the crops in px.

    Raises:
        DataError: the results are unusable.
    """
    if scoring.protocol is None:
        return {}
    pairs = list(match_loosely(scoring.protocol.run(scoring.annotations, results, scoring.skeleton.sigmas)))
    steps = {"measured": results}
    if cell is not None:
        inside = [_within_cell(results, pair, cell, input_size) for pair in pairs]
        steps["no quantization"] = _moved(results, pairs, inside)
    corrected: list[str] = []
    for kind, name in CORRECTIONS.items():
        corrected.append(kind)
        steps[name] = _moved(results, pairs, [_is_of(pair, corrected) for pair in pairs])
    steps["perfect scores"] = _ranked(scoring, steps[name])
    return {name: scoring.quick_metrics(found)["AP"] for name, found in steps.items()}


def _is_of(pair: MatchedResult, kinds: Collection[str]) -> Array:
    return np.isin(pair.kinds, [KINDS.index(kind) for kind in kinds])


def _within_cell(results: Results, pair: MatchedResult, cell: float, input_size: Size) -> Array:
    """Which keypoints lie within half a cell of the truth along both axes, (keypoints,)."""
    height, width = input_size
    half = cell / 2 * np.asarray(results[pair.id - 1]["scale"]) * SCALE_UNIT / (width, height)
    return (pair.kinds >= 0) & (np.abs(pair.points - pair.truth) <= half).all(-1)


def _moved(results: Results, pairs: Iterable[MatchedResult], which: Iterable[Array]) -> Results:
    """The results with some keypoints of matched ones on the truth."""
    moved = [*results]
    for pair, chosen in zip(pairs, which, strict=True):
        keypoints = np.reshape(results[pair.id - 1]["keypoints"], (-1, 3)).astype(np.float64)
        keypoints[chosen, :2] = pair.truth[chosen]
        moved[pair.id - 1] = {**results[pair.id - 1], "keypoints": keypoints.ravel().tolist()}
    return moved


def _ranked(scoring: OksScoring, results: Results) -> Results:
    """The results with the best OKS that each reaches as its score."""
    assert scoring.protocol is not None, "only a server can score it"
    evaluation = scoring.protocol.run(scoring.annotations, results, scoring.skeleton.sigmas)
    scores = dict.fromkeys(range(1, len(results) + 1), 0.0)
    for (image, category), similarities in evaluation.ious.items():
        found = evaluation._dts[image, category]
        best_first = sorted(found, key=lambda result: -result["score"])[: evaluation.params.maxDets[-1]]
        for result, row in zip(best_first, similarities, strict=False):
            scores[result["id"]] = float(np.max(row, initial=0.0))
    return [{**result, "score": scores[number]} for number, result in enumerate(results, start=1)]
