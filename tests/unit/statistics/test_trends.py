"""Lines against the logarithm of a setting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics.trends import height_weights, slope_weights

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
