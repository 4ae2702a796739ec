"""The pictures of a report: plots and images as files, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench.analysis.curves import LearningCurves
from bench.analysis.results import Results
from bench.analysis.sensitivity import Sensitivity
from bench.analysis.uncertainty import Uncertainty
from bench.report import plots
from bench.report.example_pages import draw_images
from bench.report.plots import Drawing, PlotData
from bench.store.folders import Store

PLOTS: Mapping[str, Callable[[PlotData], Drawing | None]] = {
    "bars": plots.bars,
    "gflops": plots.gflops,
    "parameters": plots.parameters,
    "splitting": plots.splitting,
    "thresholds": plots.thresholds,
    "keypoints": plots.keypoints,
    "errors": plots.errors,
    "ceiling": plots.ceiling,
    "curves": plots.loss,
    "validation": plots.validation,
}
"""Plots by the names of their files."""


@dataclass(frozen=True)
class Picture:
    """A figure with its heading, or the reason why there is none.

    Attributes:
        name: of its file, without extension.
        title: heading over it.
        caption: text under it; where there is no picture, why.
        png: contents of the file, which states the size at which it is meant to be seen.
        images: whether it shows parts of the dataset's images.
    """

    name: str
    title: str
    caption: str
    png: bytes | None
    images: bool = False


def draw_pictures(
    results: Results,
    uncertainty: Uncertainty,
    store: Store,
    learning: LearningCurves,
    sensitivity: Sensitivity,
    *,
    style: Path | None = None,
) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """Draw everything that there is to see of a suite.

    Args:
        results: of the suite.
        uncertainty: of the results.
        store: that the results come from, for its images.
        learning: learning curves of the results.
        sensitivity: of the results to choices of the protocol.
        style: a style file of matplotlib that is applied on top of ours.

    Returns:
        The pictures, and what could not be drawn, each sentence once.

    Raises:
        BenchError: the style file cannot be used.
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    with plots.plot_style(style):
        data = plots.gather_plot_data(results, uncertainty)
        drawings = ((name, drawing) for name, draw in PLOTS.items() if (drawing := draw(data)) is not None)
        images = draw_images(data.evaluations, data.skeleton, store)
        moved = plots.draw_sensitivity(sensitivity, results.rows)
        varied = [] if moved is None else [("sensitivity", moved)]
        for name, drawing in chain(plots.draw_learning(learning), varied, drawings, images):
            figure = drawing.figure
            # A simulation stores no images: these show what was really predicted.
            if figure is not None and data.simulated and not drawing.images:
                plots.mark_simulated(figure, data.simulated)
            png = None if figure is None else plots.to_png(figure, images=drawing.images)
            pictures.append(Picture(name, drawing.title, drawing.caption, png, drawing.images))
            problems += drawing.problems
    return tuple(pictures), tuple(dict.fromkeys(problems))
