"""The pictures of a report: plots and images as files, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.analysis.curves import LearningCurves
from bench.analysis.results import Results
from bench.analysis.sensitivity import Sensitivity
from bench.analysis.uncertainty import Uncertainty
from bench.report import plots
from bench.report.example_pages import draw_images
from bench.report.figure_options import REPORT, FigureKind, VenueStyle
from bench.report.plots import Drawing, PlotData
from bench.report.render_ahead import FilesAhead, RenderAhead
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


@dataclass(eq=False)
class Picture:
    """A figure with its heading, or the reason why there is none.

    Attributes:
        name: of its file, without extension.
        title: heading over it.
        caption: text under it; where there is no figure, why.
        figure: the figure.
        values: the numbers that the figure shows, in long form, with units in the headings.
        images: whether it shows parts of the dataset's images.
        style: user's style file that the figure was made in.
        venue: whose columns the figure was made for.
        ahead: its files that are being made.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None = None
    values: pd.DataFrame | None = None
    images: bool = False
    style: Path | None = None
    venue: VenueStyle = REPORT
    ahead: FilesAhead | None = field(default=None, repr=False)
    _files: dict[FigureKind, bytes] = field(default_factory=dict, init=False, repr=False)

    @property
    def width(self) -> float:
        """Width in inches at which it is meant to be seen; 0 where there is no figure."""
        return 0.0 if self.figure is None else float(self.figure.get_figwidth())

    @property
    def png(self) -> bytes | None:
        """Contents of the PNG file, which states the width; None where there is no figure."""
        return self.file("png")

    def file(self, kind: FigureKind) -> bytes | None:
        """Contents of a file of the figure, made ahead or when it is first asked for; None where there is no figure."""
        if self.figure is None:
            return None
        if kind not in self._files:
            made = None if self.ahead is None else self.ahead.take(kind)
            self._files[kind] = self.render(kind) if made is None else made
        return self._files[kind]

    def render(self, kind: FigureKind) -> bytes:
        """Make a file of the figure, which there must be."""
        assert self.figure is not None, f"{self.name} has no figure"
        with plots.plot_style(self.style, self.venue):
            return plots.render_figure(self.figure, kind, images=self.images)


def draw_pictures(
    results: Results,
    uncertainty: Uncertainty,
    store: Store,
    learning: LearningCurves,
    sensitivity: Sensitivity,
    *,
    style: Path | None = None,
    venue: VenueStyle = REPORT,
    ahead: RenderAhead | None = None,
) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """Draw everything that there is to see of a suite.

    Args:
        results: of the suite.
        uncertainty: of the results.
        store: that the results come from, for its images.
        learning: learning curves of the results.
        sensitivity: of the results to choices of the protocol.
        style: a style file of matplotlib that is applied on top of ours.
        venue: whose columns the figures are to fit.
        ahead: begins with their files as soon as they are drawn.

    Returns:
        The pictures, and what could not be drawn, each sentence once.

    Raises:
        BenchError: the style file cannot be used.
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    with plots.plot_style(style, venue):
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
            picture = Picture(
                name, drawing.title, drawing.caption, figure, drawing.values, drawing.images, style, venue
            )
            if ahead is not None and figure is not None:
                picture.ahead = ahead.begin(picture.render)
            pictures.append(picture)
            problems += drawing.problems
    return tuple(pictures), tuple(dict.fromkeys(problems))
