"""Lines against the logarithm of a setting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics.estimate import EffectEstimate
from bench.statistics.trends import MOST_DOUBLINGS, Judge, find_crossing, height_weights, slope_weights

values = st.lists(st.floats(0.5, 1e7), min_size=2, max_size=8, unique_by=lambda value: round(np.log2(value), 2))


@given(values=values, data=st.data())
def test_slopes_and_heights_are_those_of_least_squares(values: list[float], data: st.DataObject) -> None:
    measured = data.draw(st.lists(st.floats(-1, 1), min_size=len(values), max_size=len(values)))
    at = data.draw(st.floats(0.5, 1e9))
    slope, height = np.polyfit(np.log2(values), measured, 1)
    assert np.dot(slope_weights(values), measured) == pytest.approx(slope, abs=1e-6)
    assert np.dot(height_weights(values, at), measured) == pytest.approx(height + slope * np.log2(at), abs=1e-4)


@given(values=values, slope=st.floats(-1, 1), height=st.floats(-1, 1))
def test_what_lies_on_a_line_has_its_slope(values: list[float], slope: float, height: float) -> None:
    measured = slope * np.log2(values) + height
    assert np.dot(slope_weights(values), measured) == pytest.approx(slope, abs=1e-9)
    assert np.dot(height_weights(values, 1), measured) == pytest.approx(height, abs=1e-6)
    assert sum(slope_weights(values)) == pytest.approx(0, abs=1e-9)


def judged(measured: Sequence[float], error: float | None) -> Judge:
    """Measurements that err independently, by a known deviation."""

    def judge(weights: Sequence[float]) -> EffectEstimate:
        size = None if error is None else error * math.hypot(*weights)
        return EffectEstimate(float(np.dot(weights, measured)), size)

    return judge


def line(places: Sequence[float], slope: float, zero: float) -> list[float]:
    return [slope * (math.log2(place) - math.log2(zero)) for place in places]


PEOPLE = (750, 1500, 3000, 6000)


@given(slope=st.floats(0.001, 1) | st.floats(-1, -0.001), zero=st.floats(30, 100_000))
def test_a_line_without_error_crosses_where_it_is_zero(slope: float, zero: float) -> None:
    crossing = find_crossing(PEOPLE, judged(line(PEOPLE, slope, zero), 0.0))
    assert crossing is not None
    assert (crossing.value, crossing.low, crossing.high) == pytest.approx((zero, zero, zero), rel=1e-6)


@given(slope=st.floats(0.05, 1) | st.floats(-1, -0.05), zero=st.floats(300, 50_000), error=st.floats(1e-4, 0.02))
def test_the_interval_of_a_crossing_is_fiellers(slope: float, zero: float, error: float) -> None:
    """For a ratio of two normal estimates: where (height + slope z)^2 is t^2 times its variance."""
    crossing = find_crossing(PEOPLE, judged(line(PEOPLE, slope, zero), error))
    places = np.log2(PEOPLE) - np.log2(PEOPLE).mean()
    middle, reach = float(np.mean(line(PEOPLE, slope, zero))), 1.959964 * error
    quadratic = (slope**2 - reach**2 / (places @ places), 2 * middle * slope, middle**2 - reach**2 / len(PEOPLE))
    low, high = np.sort(np.exp2(np.roots(quadratic).real + np.log2(PEOPLE).mean()))
    assert crossing is not None
    assert (crossing.value, crossing.low, crossing.high) == pytest.approx((zero, low, high), rel=1e-4)
    assert crossing.low < crossing.value < crossing.high


@pytest.mark.parametrize(
    ("slope", "zero", "error"),
    [
        (0.01, 3000, None),  # nothing is known of the error
        (0.01, 3000, 0.02),  # the slope may be 0
        (0.0, 3000, 0.0),
        (0.01, 750 * 2.0 ** (MOST_DOUBLINGS + 3), 0.0),  # too far
        (0.01, 50_000, 0.01),  # the slope is not 0, and its end lies too far
    ],
)
def test_no_crossing_is_told_that_nobody_knows(slope: float, zero: float, error: float | None) -> None:
    assert find_crossing(PEOPLE, judged(line(PEOPLE, slope, zero), error)) is None
