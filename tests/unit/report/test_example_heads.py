"""The heads of the lines of example images."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bench.report.example_pages import _draw


@pytest.mark.parametrize("methods", [3, 6, 12])
def test_heads_do_not_overlap_however_many_methods_there_are(methods: int) -> None:
    names = ["SimBa-Res50, heatmap + quarter shift", "TF-EfficientNet-Lite0, soft-argmax, 256×192"]
    figure = _draw(["annotation", *(names[number % 2] for number in range(methods))], [[None] * (methods + 1)], [])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    extents = [axes.yaxis.label.get_window_extent(canvas.get_renderer()) for axes in figure.axes]
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(extents))
