"""Error budgets: each step mends its kind of error, keeps those before it, and leaves the rest as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.pose.metrics.error_budget import error_budget
from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.scoring import OksScoring
from bench.pose.skeletons import COCO_17
from tests.unit.oks_cases import Results, Truth, case
from tests.unit.pose.metrics.test_diagnostics import (
    ME,
    NEIGHBOUR,
    OTHER_WRIST,
    WRIST,
    dataset,
    distance,
    moved,
    place,
)

SIZE = (64, 64)
UNIT = 64 / 200
"""Scale of a crop in which a px is a px of the image, in units of 200 px."""

STEPS = ("measured", "no quantization", "no misses", "no swaps", "no inversions", "no jitter", "perfect scores")


def budget(truth: Truth, results: Results, cell: float | None = 4.0, unit: float = UNIT) -> dict[str, float | None]:
    places = {"center": [0.0, 0.0], "scale": [unit, unit]}
    scoring = OksScoring(truth, COCO_17, OKS_PROTOCOLS["coco"])
    return error_budget(scoring, [one | places for one in results], cell=cell, input_size=SIZE)


def everywhere(entry: dict[str, Any], offset: float) -> dict[str, Any]:
    """A prediction whose keypoints are all off by so much in x."""
    keypoints = np.reshape(entry["keypoints"], (17, 3)).copy()
    keypoints[:, 0] += offset
    return {"image_id": 1, "category_id": 1, "keypoints": keypoints.ravel().tolist(), "score": 0.9}


@pytest.mark.parametrize(
    ("to", "step"),
    [
        ((-900.0, -900.0), "no misses"),
        (place(NEIGHBOUR, WRIST), "no swaps"),
        (place(ME, OTHER_WRIST), "no inversions"),
        (place(ME, WRIST, distance(0.6, WRIST)), "no jitter"),
    ],
)
def test_each_step_mends_its_kind(to: tuple[float, float], step: str) -> None:
    """One of two people has two labelled keypoints, of which one is wrong in a way."""
    one = {
        **ME,
        "keypoints": [v if i % 3 < 2 or i // 3 in (WRIST, OTHER_WRIST) else 0 for i, v in enumerate(ME["keypoints"])],
    }
    other = {**NEIGHBOUR, "keypoints": list(NEIGHBOUR["keypoints"])}
    results = [moved(one, WRIST, to), moved(other, 0, place(other, 0))]
    found = budget(dataset(one | {"num_keypoints": 2}, other), results, cell=None)
    before = [name for name in STEPS if name != "no quantization" and name in found]
    place_of_step = before.index(step)
    assert all(found[name] == pytest.approx(found["measured"]) for name in before[:place_of_step])
    assert found["measured"] < 1  # type: ignore[operator]
    assert all(found[name] == pytest.approx(1) for name in before[place_of_step:])


@pytest.mark.parametrize(("unit", "mended"), [(UNIT, False), (4 * UNIT, True)])
def test_keypoints_within_half_a_cell_are_read_without_rounding(unit: float, *, mended: bool) -> None:
    """5 px off, in crops of which a px is one or four px of the image, so that half a cell is 2 or 8 px."""
    small = {**ME, "area": 1000.0}
    found = budget(dataset(small), [everywhere(small, 5)], unit=unit)
    assert (found["no quantization"] == pytest.approx(1)) == mended
    assert found["measured"] < 0.5  # type: ignore[operator]


def test_representations_without_a_grid_have_no_quantization() -> None:
    assert "no quantization" not in budget(dataset(ME), [everywhere(ME, 0)], cell=None)


def test_perfect_scores_rank_what_reaches_nothing_last() -> None:
    nobody = {"image_id": 1, "category_id": 1, "keypoints": [9000.0] * 51, "score": 0.99}
    found = budget(dataset(ME, NEIGHBOUR), [nobody, everywhere(ME, 0), everywhere(NEIGHBOUR, 0)])
    assert found["no jitter"] == pytest.approx(found["measured"])
    assert found["measured"] < 1  # type: ignore[operator]
    assert found["perfect scores"] == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_the_first_step_is_the_metric_and_no_step_costs_anything(seed: int) -> None:
    truth, results = case(seed)
    found = budget(truth, results)
    assert tuple(found) == STEPS
    assert found["measured"] == pytest.approx(OksScoring(truth, COCO_17, OKS_PROTOCOLS["coco"]).metrics(results)["AP"])
    values = [found[name] for name in STEPS if name != "no quantization"]
    assert values[-1] >= values[0]  # type: ignore[operator]
