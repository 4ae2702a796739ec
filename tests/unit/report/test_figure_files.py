"""Tests of figures as files: fonts, widths, and the numbers beside them, which are those that are drawn."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.analysis.uncertainty import Uncertainty
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.metrics.diagnostics import Diagnostics
from bench.report import plots
from bench.report.figure_options import REPORT, VENUES, VenueStyle
from bench.report.pictures import Picture
from bench.report.plots import Drawing, PlotData
from bench.report.render_latex import render_figure
from bench.report.render_pdf import side_by_side
from bench.report.writer import write_report
from bench.store.folders import Store
from tests.reports import COCO, Bench, coco_scores
from tests.unit.records import curve, make_results, suite_text

SUITE = suite_text(split_ratio=[2, 3], seed=[0, 1])

Plot = Callable[[PlotData], Drawing | None]


def _fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
    """A record that has everything, and other values than all others."""
    spec = training.spec
    ap = 0.3 + 0.2 * (spec.representation == "simdr") + 0.02 * (evaluation.spec.post_process != "none")
    ap += 0.1 * (spec.input_size == (256, 192)) + 0.05 * (spec.backbone == "hrnet_w32") + 0.01 * spec.seed
    ap += 0.003 * float(spec.codec.get("split_ratio") or 0)
    errors = {"good": 1 - ap / 2, "jitter": ap / 4, "miss": ap / 4}
    reading = Diagnostics("AP", {"nose": ap, "left_eye": 0.6, "right_eye": 0.7}, {"0.50": 0.9, "0.95": ap / 2}, errors)
    return {"metrics": {"AP": ap}, "ceiling": {"AP": 0.97}, "baseline": {"AP": 0.03}, "diagnostics": reading}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PlotData:
    folder = tmp_path_factory.mktemp("plotted")

    def history(training: PlannedTraining) -> Any:
        validation = [0.1, 0.2 + 0.01 * training.spec.seed]
        return curve(2 + 0.1 * training.spec.seed, 1, validation=validation)

    results = make_results(folder, SUITE, _fields, history)
    return plots.gather_plot_data(results, Uncertainty(results.frame, Store(folder / "results")))


def _drawn(plot: Plot, data: PlotData, venue: VenueStyle = REPORT) -> Drawing:
    with plots.plot_style(venue=venue):
        drawing = plot(data)
    assert drawing is not None
    assert drawing.figure is not None, drawing.caption
    return drawing


@dataclass
class Marks:
    """All numbers of a figure's marks along one direction, rounded."""

    figure: Figure
    direction: int

    def of_lines(self) -> set[float]:
        """Of error bars it has the caps."""
        lines = [line for axes in self.figure.axes for line in axes.lines]
        return self._finite(line.get_ydata() if self.direction else line.get_xdata() for line in lines)

    def of_bars(self) -> set[float]:
        bars = [patch for axes in self.figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]
        return self._finite([[bar.get_height() if self.direction else bar.get_width() for bar in bars]])

    def of_error_bars(self) -> set[float]:
        found = [item for axes in self.figure.axes for item in axes.collections if isinstance(item, LineCollection)]
        return self._finite(part[:, self.direction] for item in found for part in item.get_segments())

    @staticmethod
    def _finite(parts: Any) -> set[float]:
        return {round(float(value), 6) for part in parts for value in np.asarray(part) if np.isfinite(value)}


def _column(values: pd.DataFrame, name: str, *marks: str) -> set[float]:
    chosen = values[values["mark"].isin(marks)] if marks else values
    return {round(float(value), 6) for value in chosen[name].dropna()}


# ---- Numbers


def test_bars(data: PlotData) -> None:
    drawing = _drawn(plots.bars, data)
    marks, values = Marks(drawing.figure, 1), drawing.values  # type: ignore[arg-type]  # there is one
    assert values is not None
    ends = _column(values, "AP (%), lower end") | _column(values, "AP (%), upper end")
    assert ends == marks.of_error_bars()
    assert _column(values, "AP (%)") | ends == marks.of_bars() | marks.of_lines()
    assert set(values["mark"]) == {"measured", "published", "mean pose baseline"}
    assert set(values["ends are"].dropna()) == {"95% confidence intervals over seeds"}
    assert set(values["method"].dropna()) == {
        "heatmap + quarter shift (k –)", "heatmap (k –)", "SimDR (k 2)", "SimDR (k 3)",
    }  # fmt: skip
    assert len(values) == 16 + values["mark"].eq("published").sum() + 2


@pytest.mark.parametrize(
    ("plot", "name", "direction"),
    [
        (plots.thresholds, "AP (%)", 1),
        (plots.keypoints, "AP (%)", 0),
        (plots.loss, "training loss", 1),
        (plots.validation, "AP (%)", 1),
    ],
    ids=["thresholds", "keypoints", "loss", "validation"],
)
def test_lines_and_dots(data: PlotData, plot: Plot, name: str, direction: int) -> None:
    drawing = _drawn(plot, data)
    assert drawing.values is not None
    assert _column(drawing.values, name) == Marks(drawing.figure, direction).of_lines()  # type: ignore[arg-type]


def test_costs_and_the_papers_misprints(data: PlotData) -> None:
    drawing = _drawn(plots.gflops, data)
    marks, values = Marks(drawing.figure, 0), drawing.values  # type: ignore[arg-type]  # there is one
    assert values is not None
    names = [str(name) for name in values if "per image" in str(name) and "front" not in str(name)]
    assert names == ["multiply-adds per image (10⁹)", "GFLOPs per image as the paper counts (2³⁰)"]
    assert set().union(*(_column(values, name) for name in names)) == marks.of_lines()
    assert _column(values, "AP (%)") == Marks(drawing.figure, 1).of_lines()  # type: ignore[arg-type]
    (front,) = values.loc[values[f"on the Pareto front of {names[0]}"].eq(True), "AP (%)"].unique()[-1:]
    assert front == values["AP (%)"].max()


def test_errors(data: PlotData) -> None:
    drawing = _drawn(plots.errors, data)
    assert drawing.values is not None
    marks = Marks(drawing.figure, 0)  # type: ignore[arg-type]  # there is one
    assert _column(drawing.values, "labelled keypoints (%)", "part of a bar") == marks.of_bars()
    numbers = {text.get_text() for axes in marks.figure.axes for text in axes.texts}
    goods = drawing.values.loc[drawing.values["mark"] == "number", "labelled keypoints (%)"]
    assert {f"{good:.1f}" for good in goods} == numbers


@pytest.mark.parametrize("plot", [plots.splitting, plots.ceiling])
def test_points_with_other_marks(data: PlotData, plot: Plot) -> None:
    drawing = _drawn(plot, data)
    assert drawing.values is not None
    numbers = set().union(*(_column(drawing.values, str(name)) for name in drawing.values if "AP (%)" in str(name)))
    assert numbers == Marks(drawing.figure, 1).of_lines()  # type: ignore[arg-type]


# ---- Files


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("bench.report.plots.style.DPI", 60)  # small figures are drawn faster
    monkeypatch.setattr("bench.report.pictures.PLOTS", {"bars": plots.bars})
    return Bench(tmp_path)


def test_files_are_vectors_as_wide_as_a_column_with_their_fonts_inside(bench: Bench) -> None:
    plan, out = bench.fill(COCO, coco_scores, simulated=True), bench.folder / "out"
    write_report(
        [plan], bench.store, out, formats=["csv"], figures=["pdf", "svg", "png"], venue=VENUES["cvpr"]
    )  # fmt: skip
    folder = out / "coco/figures"
    assert {file.name for file in folder.iterdir()} == {"bars.pdf", "bars.svg", "bars.png", "bars.csv"}
    pdf = (folder / "bars.pdf").read_bytes()
    assert pdf.count(b"/FontFile2") == pdf.count(b"/Type /FontDescriptor") >= 1
    assert b"/Type3" not in pdf
    assert b"/CreationDate" not in pdf
    (width,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", pdf)
    assert float(width) == pytest.approx(72 * VENUES["cvpr"].column, abs=0.01)
    svg = (folder / "bars.svg").read_text()
    assert f'width="{72 * VENUES["cvpr"].column:g}pt"' in svg
    assert "<text" not in svg, "letters are paths"
    table = pd.read_csv(io.BytesIO((folder / "bars.csv").read_bytes()))
    assert set(table["simulated"]) == {"yes"}
    assert table.loc[table["mark"] == "measured", "AP (%)"].tolist() == pytest.approx([44, 35, 57.11])


def test_each_file_is_made_once_and_only_if_it_is_asked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def render(_figure: Figure, kind: str, **_: Any) -> bytes:
        made.append(kind)
        return b""

    monkeypatch.setattr(plots, "render_figure", render)
    picture = Picture("bars", "Bars", "Some.", Figure())
    assert picture.png == picture.file("png") == b""
    assert Picture("bars", "Bars", "None.").file("pdf") is None
    assert made == ["png"]


@pytest.mark.parametrize("venue", ["neurips", "aaai", "eccv", "acl"])
def test_figures_fit_the_columns_of_a_venue(data: PlotData, venue: str) -> None:
    chosen = VENUES[venue]
    widths = set()
    for plot in (plots.bars, plots.thresholds, plots.gflops):
        figure = _drawn(plot, data, chosen).figure
        assert figure is not None
        widths.add(figure.get_figwidth())
        assert {text.get_fontsize() for text in figure.legends[0].get_texts()} == {chosen.font_size}
    assert widths <= {chosen.column, chosen.page}
    assert chosen.page in widths


def test_a_single_panel_is_as_wide_as_a_column(tmp_path: Path) -> None:
    text = suite_text(backbone=["hrnet_w32"], input_size=["64x64"])
    results = make_results(tmp_path, text, _fields)
    found = plots.gather_plot_data(results, Uncertainty(results.frame, Store(tmp_path / "results")))
    for venue in (REPORT, VENUES["ieee"]):
        for plot in (plots.bars, plots.thresholds, plots.errors, plots.parameters):
            figure = _drawn(plot, found, venue).figure
            assert figure is not None
            assert figure.get_figwidth() == venue.column


@pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES)
def test_venues_have_one_column_or_two(venue: VenueStyle) -> None:
    assert venue.column == venue.page or 2 * venue.column < venue.page
    assert 6 <= venue.font_size <= 10


# ---- In documents


def _picture(name: str, width: float) -> Picture:
    return Picture(name, "Title & more", "50 % of it.", Figure((width, 2)) if width else None)


def test_small_figures_stand_side_by_side() -> None:
    widths = {"a": 3.4, "b": 7.0, "none": 0.0, "c": 3.4, "d": 3.4, "e": 7.0}
    rows = side_by_side([_picture(name, width) for name, width in widths.items()])
    assert [[picture.name for picture in row] for row in rows] == [["a", "c"], ["b"], ["d"], ["e"]]


def test_latex_shows_the_vectors_with_caption_and_label(bench: Bench) -> None:
    report = bench.make(bench.fill(COCO, coco_scores, simulated=True))
    small, wide = (render_figure(report, _picture("bars", width)) for width in (REPORT.column, REPORT.page))
    assert r"\begin{figure}[tbp]" in small
    assert r"\begin{figure*}[tbp]" in wide
    for text in (small, wide):
        assert r"\includegraphics{figures/bars.pdf}" in text
        assert r"\label{fig:coco-bars}" in text
        assert r"\caption{Title \& more (SIMULATED: numbers made up" in text
        assert r"50 \% of it.}" in text
