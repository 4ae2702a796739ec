"""The Pareto front of cost plots."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from bench.report.plots.cost_plots import pareto_front

points = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(points)
def test_a_row_is_on_the_front_if_no_other_is_cheaper_and_as_good_or_better_and_as_cheap(
    points: list[tuple[int, int]],
) -> None:
    frame = pd.DataFrame(points, columns=["cost", "score"], index=[f"row{n}" for n in range(len(points))], dtype=float)
    found = pareto_front(frame["cost"], frame["score"])
    for (cost, score), on_front in zip(points, found, strict=True):
        beaten = any(
            (other_cost < cost and other >= score) or (other_cost <= cost and other > score)
            for other_cost, other in points
        )
        assert on_front == (not beaten)
