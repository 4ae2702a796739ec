"""The pictures of a report: plots and images as files, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bench.analysis.results import Results
from bench.analysis.uncertainty import Uncertainty
from bench.report import plots
from bench.report.example_pages import draw_images
from bench.report.plots import Drawing, Material
from bench.report.plots.conditions import plotted
from bench.store.folders import Store

__all__ = ["Picture", "draw_pictures"]

PLOTS: Mapping[str, Callable[[Material], Drawing | None]] = {
    "bars": plots.metric_by_size,
    "gflops": plots.metric_by_work,
    "parameters": plots.metric_by_parameters,
    "splitting": plots.metric_by_splitting,
    "thresholds": plots.measure_by_threshold,
    "joints": plots.measure_by_keypoint,
    "errors": plots.errors_by_kind,
    "ceiling": plots.metric_under_ceiling,
    "curves": plots.loss_by_epoch,
    "validation": plots.validation_by_epoch,
}
"""Plots by the names of their files."""


@dataclass(frozen=True)
class Picture:
    """A figure with its heading, or the reason why there is none.

    Attributes:
        name: of its file, without extension.
        title: heading over it.
        caption: under it; where there is no picture, why.
        png: the file's contents; it says at what size it is meant to be seen.
    """

    name: str
    title: str
    caption: str
    png: bytes | None


def draw_pictures(
    results: Results, uncertainty: Uncertainty, store: Store
) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """Draw everything that there is to see of a suite.

    Args:
        results: of the suite.
        uncertainty: of them.
        store: that they come from, for its images.

    Returns:
        The pictures, and what of the results could not be drawn, each sentence once.
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    with plots.print_style():
        for name, drawing in _drawings(results, uncertainty, store):
            figure = drawing.figure
            png = None if figure is None else plots.to_png(figure, images=drawing.images)
            pictures.append(Picture(name, drawing.title, drawing.caption, png))
            problems += drawing.problems
    return tuple(pictures), tuple(dict.fromkeys(problems))


def _drawings(results: Results, uncertainty: Uncertainty, store: Store) -> Iterator[tuple[str, Drawing]]:
    """Name and contents of each picture; made-up numbers are marked as such."""
    material = plots.gather(results, uncertainty)
    for name, draw in PLOTS.items():
        drawing = draw(material)
        if drawing is not None:
            if drawing.figure is not None and material.simulated:
                plots.mark_simulated(drawing.figure, material.simulated)
            yield name, drawing
    # Nothing is photographed in a simulation: these show what was really predicted.
    yield from draw_images(plotted(results), store)
