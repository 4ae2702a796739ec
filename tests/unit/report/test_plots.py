"""Tests of plots: what is drawn is what the records say, and nothing else."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from itertools import combinations, count
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from bench.analysis.frame import load_epochs, load_keypoints, load_results
from bench.analysis.results import Results
from bench.analysis.rows import summarize_rows
from bench.analysis.uncertainty import Uncertainty
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.errors import BenchError
from bench.pose.metrics.diagnostics import Diagnostics
from bench.report import plots
from bench.report.plots import Drawing, PlotData
from bench.report.plots.panels import PAGE_WIDTH
from bench.report.plots.style import Looks, plain
from bench.statistics.estimate import EffectEstimate
from tests.unit.records import Fields, History, curve, make_results, suite_text

Estimates = Callable[[Any], EffectEstimate | None]
Gather = Callable[..., PlotData]
Plot = Callable[[PlotData], Drawing | None]


class Known:
    """What is known of errors, by a function."""

    def __init__(self, results: Results, estimates: Estimates) -> None:
        self._results, self._estimates = results, estimates

    def of(self, row: str, metric: str) -> EffectEstimate | None:
        rows = summarize_rows(self._results.frame, metric).set_index("row")
        return self._estimates(rows.loc[row])

    def intervals(self, metric: str) -> dict[str, tuple[float, float] | None]:
        found = {row: self.of(row, metric) for row in self._results.rows.index}
        return {row: None if estimate is None else estimate.interval() for row, estimate in found.items()}


@pytest.fixture
def gather(tmp_path: Path) -> Gather:
    """Makes plot data of made-up records, of a new folder each time."""
    folders = (tmp_path / str(number) for number in count())

    def make(
        text: str, fields: Fields, histories: History = lambda _: None, estimates: Estimates = lambda *_: None
    ) -> PlotData:
        folder = next(folders)
        folder.mkdir()
        results = make_results(folder, text, fields, histories)
        return plots.gather_plot_data(results, cast(Uncertainty, Known(results, estimates)))

    return make


def draw(plot: Plot, data: PlotData) -> tuple[Figure, Drawing]:
    with plots.plot_style():
        drawing = plot(data)
    assert drawing is not None
    assert drawing.figure is not None, drawing.caption
    return drawing.figure, drawing


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def panel(figure: Figure, title: str) -> Axes:
    return figure.axes[titles(figure).index(title)]


def bars(axes: Axes) -> list[Rectangle]:
    return sorted((patch for patch in axes.patches if isinstance(patch, Rectangle)), key=lambda bar: bar.get_x())


def points(axes: Axes, marker: str) -> set[tuple[float, float]]:
    """Places of the lines with this marker, rounded."""
    lines = [line.get_data(orig=True) for line in axes.lines if line.get_marker() == marker]
    return {(round(float(x), 6), round(float(y), 6)) for xs, ys in lines for x, y in zip(xs, ys, strict=True)}


def dots(axes: Axes) -> list[tuple[float, float]]:
    """Places of the points of scatter plots, rounded."""
    offsets = [item.get_offsets() for item in axes.collections if type(item) is PathCollection]
    return sorted((round(float(x), 6), round(float(y), 6)) for some in offsets for x, y in some)


def texts(axes: Axes) -> list[str]:
    return [item.get_text() for item in axes.texts]


def legend(figure: Figure) -> list[str]:
    (only,) = figure.legends
    return [text.get_text() for text in only.get_texts()]


def ap(training: PlannedTraining, evaluation: PlannedEvaluation) -> float:
    """Made up, other for each row: 0.3 to 0.8, and 0.01 more with each seed."""
    spec = training.spec
    size = 0.0 if spec.input_size == "64x64" else 0.3
    method = {"heatmap": 0.3, "simdr": 0.4}[spec.representation] + 0.02 * _refined(evaluation)
    return size + method + 0.05 * (spec.backbone == "hrnet_w32") + 0.01 * spec.seed


def _refined(evaluation: PlannedEvaluation) -> bool:
    return evaluation.spec.post_process not in {False, "none"}


def only_ap(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
    return {"metrics": {"AP": ap(training, evaluation)}}


def diagnostics(**parts: Mapping[str, float]) -> Fields:
    """Records with the same diagnostics."""
    filled = {"keypoints": {}, "curve": {}, "errors": {}} | parts
    return lambda *cell: {**only_ap(*cell), "diagnostics": Diagnostics("AP", **filled)}


# Headline metric by input size


def test_bars_have_the_height_of_the_values_in_the_order_of_the_tables(gather: Gather) -> None:
    figure, drawing = draw(plots.bars, gather(suite_text(), only_ap))
    assert titles(figure) == ["SimBa-Res50", "HRNet-W32"]
    drawn = bars(panel(figure, "HRNet-W32"))
    assert [bar.get_height() for bar in drawn] == pytest.approx([37, 35, 45, 67, 65, 75])
    assert [round(bar.get_x() + bar.get_width() / 2, 2) for bar in drawn] == [-0.28, 0, 0.28, 0.72, 1, 1.28]
    assert {"37.0", "75.0"} <= set(texts(panel(figure, "HRNet-W32")))
    assert len({bar.get_hatch() for bar in drawn}) == len({bar.get_facecolor() for bar in drawn}) == 3
    assert legend(figure) == ["heatmap + extra post.", "heatmap", "SimDR", "published"]
    assert "n = 12 rows of 1 seed each" in drawing.caption
    assert "no error bars" in drawing.caption


def test_diamonds_are_the_published_values(gather: Gather) -> None:
    figure, drawing = draw(plots.bars, gather(suite_text(), only_ap))
    published = sorted(y for _, y in points(panel(figure, "HRNet-W32"), "D"))
    assert published == pytest.approx([34.6, 45.8, 56.4, 72.3, 74.4, 75.3])
    assert "for the 12 rows that measure the same" in drawing.caption
    text = suite_text(dataset="{name: synthetic, train: train30, eval: val10}", boxes="gt")
    figure, drawing = draw(plots.bars, gather(text, only_ap))
    assert not points(panel(figure, "HRNet-W32"), "D")
    assert "Diamonds" not in drawing.caption


def _error_bars(axes: Axes) -> list[tuple[float, float]]:
    """Lower and upper ends."""
    lines = [item for item in axes.collections if isinstance(item, LineCollection)]
    return [(float(low), float(high)) for item in lines for (_, low), (_, high) in item.get_segments()]


def test_error_bars_are_intervals_where_they_are_known(gather: Gather) -> None:
    def estimates(row: Any) -> EffectEstimate | None:
        known = row["backbone"] == "hrnet_w32"
        return EffectEstimate(row["mean"], 0.01, sources=("images",)) if known else None

    text = suite_text(representation=["simdr"], input_size=["64x64"], seed=[0, 1, 2])
    figure, drawing = draw(plots.bars, gather(text, only_ap, estimates=estimates))
    assert _error_bars(panel(figure, "HRNet-W32")) == [pytest.approx((46 - 1.959964, 46 + 1.959964))]
    assert _error_bars(panel(figure, "SimBa-Res50")) == [pytest.approx((40, 42))]
    assert "95% confidence intervals over images" in drawing.caption
    assert "sample standard deviations over seeds" in drawing.caption
    assert "n = 2 rows of 3 seeds each" in drawing.caption


def test_rows_without_a_value_say_why(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any] | None:
        return only_ap(training, evaluation) if training.spec.representation == "simdr" else None

    figure, drawing = draw(plots.bars, gather(suite_text(), fields))
    assert texts(panel(figure, "HRNet-W32")).count("missing") == 4
    assert len(bars(panel(figure, "HRNet-W32"))) == 2
    assert "n = 4 rows" in drawing.caption


def test_the_mean_pose_is_a_line(gather: Gather) -> None:
    figure, _ = draw(plots.bars, gather(suite_text(), lambda *cell: {**only_ap(*cell), "baseline": {"AP": 0.03}}))
    for axes in figure.axes:
        assert [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"] == [pytest.approx([3, 3])]
    assert "mean pose baseline" in legend(figure)


def test_more_methods_than_looks_are_points_by_representation(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 1.5, 2, 3, 4], label_smoothing=[0.1, 0.2], backbone=["hrnet_w32"])
    figure, drawing = draw(plots.bars, gather(text, only_ap))
    (axes,) = figure.axes
    assert not bars(axes)
    assert len([y for line in axes.lines if line.get_marker() == "^" for y in line.get_ydata()]) == 20
    assert legend(figure)[:3] == ["heatmap + extra post.", "heatmap", "SimDR"]
    assert "the tables tell which" in drawing.caption


# Headline metric against cost


def test_cost_has_the_size_of_the_networks_in_both_countings(gather: Gather) -> None:
    data = gather(suite_text(), only_ap)
    figure, drawing = draw(plots.gflops, data)
    assert titles(figure) == ["SimBa-Res50", "SimBa-Res50", "HRNet-W32", "HRNet-W32"]
    simdr = data.rows[(data.rows["method"] == "SimDR") & (data.rows["backbone"] == "hrnet_w32")]
    for axes, column, unit in zip(
        figure.axes[2:], ("multiply_adds", "published_convention"), (1e9, 2**30), strict=True
    ):
        expected = {(round(row[column] / unit, 6), round(100 * row["mean"], 6)) for _, row in simdr.iterrows()}
        assert points(axes, "^") == expected
        assert axes.get_xscale() == "log"
    assert "multiply-adds" in figure.axes[2].get_xlabel()
    assert "as the paper counts" in figure.axes[3].get_xlabel()
    assert "other backbones" in legend(figure)
    assert "n = 12 rows" in drawing.caption


def test_printed_sizes_that_differ_are_crossed(gather: Gather) -> None:
    """The paper prints 8.9 GFLOPs for SimBa-Res50 with heatmaps at 256x192; its own counter gives 8.99."""
    data = gather(suite_text(), only_ap)
    figure, drawing = draw(plots.gflops, data)
    true, published, *others = figure.axes
    assert not any(points(axes, "x") for axes in (true, *others))
    ours, printed = sorted({x for x, _ in points(published, "x")}, reverse=True)
    assert printed == 8.9
    assert ours == pytest.approx(8.99, abs=0.005)
    assert "Crosses" in drawing.caption
    figure, drawing = draw(plots.parameters, data)
    assert not any(points(axes, "x") for axes in figure.axes)
    assert "Crosses" not in drawing.caption
    assert "as the paper prints it, where that differs" not in legend(figure)


def test_misprinted_parameters_are_crossed(gather: Gather) -> None:
    """53.7M is printed for SimBa-Res101 with SimDR at 256x192; the configuration gives 55.7M."""
    figure, _ = draw(plots.parameters, gather(suite_text(backbone=["simba_res101"]), only_ap))
    assert {x for x, _ in points(figure.axes[0], "x")} == {53.7, 55.745233}


# Splitting factor


def test_splitting_has_a_line_per_input_size(gather: Gather) -> None:
    def fields(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, Any]:
        ratio = training.spec.split_ratio
        return {"metrics": {"AP": 0.9 if ratio is None else ratio / 10 + 0.01 * (training.spec.input_size == "64x64")}}

    figure, drawing = draw(plots.splitting, gather(suite_text(split_ratio=[3, 1, 2]), fields))
    assert titles(figure) == ["SimBa-Res50, SimDR", "HRNet-W32, SimDR"]
    axes = figure.axes[1]
    assert points(axes, "o") == {(1, 11), (2, 21), (3, 31)}
    assert points(axes, "s") == {(1, 10), (2, 20), (3, 30)}
    assert points(axes, "D") == {(3, 56.4), (2, 75.3)}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3"]
    assert legend(figure) == ["64×64", "256×192", "published"]
    assert "n = 12 rows" in drawing.caption


def test_suites_of_one_splitting_factor_have_no_such_plot(gather: Gather) -> None:
    assert plots.splitting(gather(suite_text(), only_ap)) is None
    drawing = plots.splitting(gather(suite_text(split_ratio=[1, 2]), lambda *_: None))
    assert drawing is not None
    assert (drawing.figure, drawing.caption) == (None, "Nothing is measured yet.")


# Diagnostics


def test_curves_by_threshold_are_means_over_seeds_in_the_order_of_thresholds(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
        top = 0.8 + 0.1 * training.spec.seed
        reading = Diagnostics("AP", keypoints={}, curve={"0.75": top - 0.4, "0.50": top}, errors={})
        return {**only_ap(training, evaluation), "diagnostics": reading}

    text = suite_text(representation=["simdr"], seed=[0, 1])
    figure, drawing = draw(plots.thresholds, gather(text, fields))
    assert titles(figure) == [
        "SimBa-Res50, 64×64", "SimBa-Res50, 256×192", "HRNet-W32, 64×64", "HRNet-W32, 256×192",
    ]  # fmt: skip
    for axes in figure.axes:
        (line,) = axes.lines
        assert list(line.get_xdata()) == [0.5, 0.75]
        assert list(line.get_ydata()) == pytest.approx([85, 45])
    assert "n = 4 rows of 2 seeds each" in drawing.caption
    assert drawing.title == "Average precision by OKS threshold"


def test_thresholds_that_are_no_numbers_are_named(gather: Gather) -> None:
    fields = diagnostics(curve={"0.50": 0.5, "nan": 0.4, "$x$": 0.3})
    figure, drawing = draw(plots.thresholds, gather(suite_text(input_size=["64x64"]), fields))
    assert all(list(line.get_xdata()) == [0.5] for axes in figure.axes for line in axes.lines)
    assert len(drawing.problems) == 12
    assert any("'$x$' is not a threshold" in problem for problem in drawing.problems)


MPII = suite_text(
    dataset="{name: mpii, train: train, eval: valid}", boxes="gt", post_process="true", backbone=["hrnet_w32"],
    input_size=["64x64", "256x256"],
)  # fmt: skip


def test_pckh_is_in_percent_as_it_is(gather: Gather) -> None:
    reading = Diagnostics(
        "PCKh", keypoints={"left_hip": 80.0, "right_hip": 90.0}, curve={"0.1": 30.0, "0.5": 88.0}, errors={}
    )
    data = gather(MPII, lambda *_: {"metrics": {"Mean": 88.0}, "diagnostics": reading})
    figure, drawing = draw(plots.thresholds, data)
    assert list(figure.axes[0].lines[0].get_ydata()) == [30, 88]
    assert drawing.title == "PCKh curves"
    figure, drawing = draw(plots.keypoints, data)
    assert set(dots(figure.axes[0])) == {(85, 0)}
    assert drawing.title == "PCKh by keypoint"
    figure, drawing = draw(plots.bars, data)
    assert figure.get_supylabel() == "mean PCKh@0.5 (%)"
    assert sorted({y for _, y in points(figure.axes[0], "D")}) == [76.4, 78.7, 89.6, 90.3]
    assert plots.errors(data) is None


def test_keypoints_are_dots_with_left_and_right_as_one(gather: Gather) -> None:
    keypoints = {"nose": 0.9, "left_eye": 0.7, "right_eye": 0.5, "right_ear": 0.3, "left_hip": -1.0, "right_hip": 0.2}
    figure, drawing = draw(plots.keypoints, gather(suite_text(input_size=["64x64"]), diagnostics(keypoints=keypoints)))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nose", "eye", "right ear", "right hip"]
    assert set(dots(axes)) == {(90, 0), (60, 1), (30, 2), (20, 3)}
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first keypoint is on top"
    assert "mean of left and right" in drawing.caption


def test_errors_are_stacked_and_add_up(gather: Gather) -> None:
    parts = {"good": 0.7, "jitter": 0.15, "inversion": 0.05, "swap": 0.02, "miss": 0.08}
    figure, drawing = draw(plots.errors, gather(suite_text(input_size=["64x64"]), diagnostics(errors=parts)))
    axes = panel(figure, "HRNet-W32, 64×64")
    for row in range(3):
        stack = [bar for bar in bars(axes) if round(bar.get_y() + bar.get_height() / 2) == row]
        assert [bar.get_width() for bar in stack] == pytest.approx([15, 5, 2, 8])
        assert [bar.get_x() for bar in stack] == pytest.approx([0, 15, 20, 22])
        assert len({bar.get_hatch() for bar in stack}) == len({bar.get_facecolor() for bar in stack}) == 4
    assert texts(axes) == ["70.0"] * 3
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "heatmap + extra post.",
        "heatmap",
        "SimDR",
    ]
    assert legend(figure) == ["jitter", "inversion", "swap", "miss", "number: good (%)"]
    assert "n = 6 rows" in drawing.caption


READINGS = (plots.thresholds, plots.keypoints, plots.errors, plots.ceiling)


@pytest.mark.parametrize(
    ("fields", "why"), [(only_ap, "No record holds these readings."), (lambda *_: None, "Nothing is measured yet.")]
)
def test_readings_that_are_not_there_are_explained(gather: Gather, fields: Fields, why: str) -> None:
    data = gather(suite_text(input_size=["64x64"]), fields)
    drawings = [plot(data) for plot in READINGS]
    assert {(drawing.figure, drawing.caption) for drawing in drawings if drawing} == {(None, why)}
    assert all(drawings)


def test_splits_without_public_annotations_have_no_readings(gather: Gather) -> None:
    text = suite_text(dataset="{name: coco, train: train2017, eval: test-dev2017}", input_size=["64x64"])
    data = gather(text, only_ap)
    assert not any(plot(data) for plot in READINGS)


def test_more_panels_than_fit_a_page_are_counted(gather: Gather) -> None:
    sizes = [f"{64 + 32 * step}x64" for step in range(20)]
    text = suite_text(input_size=sizes, backbone=["hrnet_w32"], representation=["simdr"])
    record = {"metrics": {"AP": 0.5}, "diagnostics": Diagnostics("AP", {}, {"0.5": 0.5}, {})}
    figure, drawing = draw(plots.thresholds, gather(text, lambda *_: record))
    assert len(figure.axes) == 18
    assert "the first 18 of 20 panels" in drawing.caption
    assert "n = 18 rows" in drawing.caption


# Training curves


def test_training_curves_are_means_with_a_band_over_seeds(gather: Gather) -> None:
    longer, shorter = curve(4, 3, 2), curve(5, 3)
    text = suite_text(input_size=["64x64"], seed=[0, 1])
    data = gather(text, only_ap, lambda training: shorter if training.spec.seed else longer)
    figure, drawing = draw(plots.loss, data)
    assert titles(figure) == [
        "SimBa-Res50, heatmap", "SimBa-Res50, SimDR", "HRNet-W32, heatmap", "HRNet-W32, SimDR",
    ]  # fmt: skip
    for axes in figure.axes:
        (line,) = axes.lines  # heatmaps are measured twice, and trained once
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [4.5, 3, 2]
        (band,) = axes.collections
        corners = {(round(x), round(y, 6)) for x, y in band.get_paths()[0].vertices.tolist()}
        assert {(1, 4), (1, 5), (2, 3)} <= corners
    assert "n = 8 trainings" in drawing.caption
    assert "bands: from the lowest to the highest seed" in drawing.caption
    assert "lowest to highest seed" in legend(figure)


def test_a_single_seed_has_no_band(gather: Gather) -> None:
    figure, drawing = draw(plots.loss, gather(suite_text(), only_ap, lambda _: curve(3, 1)))
    assert legend(figure) == ["64×64", "256×192"]
    assert "One seed each." in drawing.caption


def test_ablated_settings_have_lines_and_sizes_panels(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 2], representation=["simdr"], backbone=["hrnet_w32"])
    figure, _ = draw(plots.loss, gather(text, only_ap, lambda _: curve(2, 1)))
    assert titles(figure) == ["HRNet-W32, SimDR, 64×64", "HRNet-W32, SimDR, 256×192"]
    assert legend(figure) == ["k 1", "k 2"]


def test_more_settings_than_looks_look_the_same(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 2, 3], label_smoothing=[0, 0.1, 0.2], representation=["simdr"])
    figure, drawing = draw(plots.loss, gather(text, only_ap, lambda _: curve(2, 1)))
    assert [len(axes.lines) for axes in figure.axes] == [18, 18]
    assert legend(figure) == ["64×64", "256×192"]
    assert "n = 36 trainings" in drawing.caption
    assert "look the same" in drawing.caption


def test_losses_that_fall_far_are_logarithmic(gather: Gather) -> None:
    text = suite_text(input_size=["64x64"], backbone=["hrnet_w32"])
    for last, scale in ((1, "log"), (50, "linear")):
        figure, _ = draw(plots.loss, gather(text, only_ap, lambda _, last=last: curve(100, last)))
        assert {axes.get_yscale() for axes in figure.axes} == {scale}


def test_validation_is_drawn_where_it_selects(gather: Gather) -> None:
    history = curve(3, 2, 1, validation=[0.2, None, 0.4])
    figure, drawing = draw(plots.validation, gather(suite_text(), only_ap, lambda _: history))
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 3]
    assert list(line.get_ydata()) == [20, 40]
    assert "AP on COCO val2017 after each epoch" in drawing.caption
    text = suite_text().replace("train:\n", "train:\n  recipe: corrected\n")
    assert plots.validation(gather(text, only_ap, lambda _: history)) is None, "the last weights are kept"


def test_unfinished_trainings_are_explained(gather: Gather) -> None:
    data = gather(suite_text(), lambda *_: None)
    for plot in (plots.loss, plots.validation):
        drawing = plot(data)
        assert drawing is not None
        assert (drawing.figure, drawing.caption) == (None, "No training is finished yet.")


# Ceiling


def test_ceilings_stand_over_what_was_measured(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
        ceiling = 0.9 if training.spec.representation == "simdr" else 0.8
        return {**only_ap(training, evaluation), "ceiling": {"AP": ceiling}}

    figure, _ = draw(plots.ceiling, gather(suite_text(), fields))
    axes = panel(figure, "HRNet-W32")
    assert points(axes, "_") == {(-0.28, 80), (0, 80), (0.72, 80), (1, 80), (0.28, 90), (1.28, 90)}
    assert dots(axes) == [(-0.28, 37), (0, 35), (0.28, 45), (0.72, 67), (1, 65), (1.28, 75)]


# Style


HOSTILE = (
    "$x$",
    r"\frac{1}{0}",
    "_hidden",
    "a\nb\tc",
    "关节 😀",
    "<script>",
    "$" * 200,
    "%s {0} $\\alpha",
    " ",
    "\ud800",
)


def test_names_from_data_are_text(gather: Gather) -> None:
    """Nothing is read as mathematics, and there is no warning of a missing glyph or an ignored label."""
    parts = dict.fromkeys(HOSTILE[:-1], 0.5)
    data = gather(suite_text(input_size=["64x64"]), diagnostics(keypoints=parts, errors=parts, curve={"0.5": 0.5}))
    with warnings.catch_warnings(), plots.plot_style():
        warnings.simplefilter("error")
        for plot, hidden in ((plots.keypoints, "hidden"), (plots.errors, "\N{NO-BREAK SPACE}_hidden")):
            figure, _ = draw(plot, data)
            assert plots.to_png(figure)
            written = [text for text in figure.findobj(Text) if text.get_text()]
            assert not any(text.get_parse_math() for text in written)
            assert {"$x$", r"\frac{1}{0}", hidden, "a b c", "<script>"} <= {text.get_text() for text in written}


@given(st.text(max_size=200) | st.sampled_from(HOSTILE))
def test_plain_is_a_few_short_lines(text: str) -> None:
    name = plain(text)
    assert all(len(line) <= 57 and line.lstrip("\N{NO-BREAK SPACE}").isprintable() for line in name.split("\n"))
    assert name.count("\n") <= 1
    assert not name.startswith("_")
    name.encode()


@pytest.mark.parametrize("name", ["heatmap + extra post.", "SimDR (k 2)", "64×64", "$x$"])
def test_plain_leaves_ordinary_names_alone(name: str) -> None:
    assert plain(name) == name
    assert plain(f"SimDR (weights {'f' * 64}, k 2)") == "SimDR (weights ffffffffffff…, k 2)"


def test_series_are_apart_in_grey_and_for_color_blind_readers() -> None:
    """Projections after Viénot, Brettel and Mollon (1999), distances in CIELAB."""
    cv2 = pytest.importorskip("cv2")
    with plots.plot_style():
        looks = Looks(tuple("abcdefgh"))
        colors = np.array(list(looks.colors.values()))[:6]
    assert len({(looks.colors[name], looks.markers[name], looks.hatches[name]) for name in looks.names}) == 8
    assert len(set(looks.markers.values())) == len(set(looks.hatches.values())) == 7
    to_cones = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    protan = np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]])
    deutan = np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]])
    for projection in (protan, deutan):
        seen = colors**2.2 @ (np.linalg.inv(to_cones) @ projection @ to_cones).T
        lab = cv2.cvtColor(seen.clip(0, 1)[None].astype(np.float32) ** np.float32(1 / 2.2), cv2.COLOR_RGB2LAB)[0]
        assert min(np.linalg.norm(a - b) for a, b in combinations(lab, 2)) > 9


def test_equal_data_makes_equal_files_whatever_the_session_set(gather: Gather) -> None:
    data = gather(suite_text(backbone=["hrnet_w32"]), only_ap, lambda _: curve(3, 2, 1))

    def files() -> list[bytes]:
        with plots.plot_style():
            return [plots.to_png(draw(plot, data)[0]) for plot in (plots.bars, plots.loss)]

    before = files()
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "lines.linewidth": 9, "savefig.dpi": 20}):
        kept = dict(mpl.rcParams)
        assert files() == before
        assert dict(mpl.rcParams) == kept


def test_a_style_of_the_user_is_applied_on_top(gather: Gather, tmp_path: Path) -> None:
    file = tmp_path / "own.mplstyle"
    file.write_text("# mine\naxes.prop_cycle: cycler(color=['ff0000', '00ff00', '0000ff'])\nsavefig.dpi: 50\n")
    data = gather(suite_text(backbone=["hrnet_w32"]), only_ap)
    with plots.plot_style(file):
        figure, _ = plots.bars(data).figure, None
        assert figure is not None
        image = Image.open(io.BytesIO(plots.to_png(figure)))
    assert {bar.get_facecolor() for bar in bars(figure.axes[0])} == {(1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1)}
    assert image.info["dpi"] == pytest.approx((50, 50), abs=0.1)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("lines.linewidht: 2", "1: 'lines.linewidht' is not a setting of matplotlib (did you mean 'lines.linewidth'?)"),
        ("lines.linewidth 2", "1: 'lines.linewidth 2' is not a setting"),
        ("\nlines.linewidth: thick", "not a usable style file"),
        (b"\xff\xfe", "not a usable style file"),
        (None, "not a usable style file"),
    ],
    ids=["name", "colon", "value", "encoding", "missing"],
)
def test_broken_styles_are_refused(tmp_path: Path, contents: str | bytes | None, message: str) -> None:
    file = tmp_path / "own.mplstyle"
    if contents is not None:
        file.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(BenchError) as caught:
        plots.plot_style(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_pictures_state_their_size_and_keep_paper_white(gather: Gather) -> None:
    with plots.plot_style():
        figure, _ = draw(plots.bars, gather(suite_text(), only_ap))
        image = Image.open(io.BytesIO(plots.to_png(figure)))
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert image.width / 200 <= PAGE_WIDTH
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    "backbones", [["hrnet_w32"], ["simba_res50", "simba_res101", "hrnet_w32", "hrnet_w48", "tokenpose_s"]]
)
def test_nothing_overlaps_or_leaves_the_page(gather: Gather, backbones: list[str]) -> None:
    parts = {
        "keypoints": {"nose": 0.5, "left_knee": 0.4},
        "curve": {"0.5": 0.5, "0.9": 0.2},
        "errors": {"good": 0.9, "miss": 0.1},
    }
    text = suite_text(backbone=backbones, split_ratio=[2, 3])
    data = gather(text, lambda *cell: {**diagnostics(**parts)(*cell), "ceiling": {"AP": 0.9}}, lambda _: curve(9, 4, 1))
    for plot in (plots.bars, plots.gflops, plots.parameters, plots.splitting, *READINGS, plots.loss):
        with plots.plot_style():
            figure, _ = draw(plot, data)
            figure.draw_without_rendering()
        parts_ = [axes.get_tightbbox() for axes in figure.axes] + [figure.legends[0].get_window_extent()]
        assert not any(min(a.x1, b.x1) - max(a.x0, b.x0) > 2 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
                       for a, b in combinations(parts_, 2)), plot  # fmt: skip
        assert all(
            box.x0 >= -2 and box.y0 >= -2 and box.x1 <= figure.bbox.x1 + 2 and box.y1 <= figure.bbox.y1 + 2
            for box in parts_
        ), plot


@pytest.mark.parametrize(("simulated", "mark"), [(True, "SIMULATED"), (False, "")])
def test_made_up_numbers_are_marked_in_every_panel(gather: Gather, simulated: bool, mark: str) -> None:
    data = gather(suite_text(), lambda *cell: {**only_ap(*cell), "simulated": simulated})
    assert data.simulated == mark
    figure, _ = draw(plots.bars, data)
    if mark:
        plots.mark_simulated(figure, mark)
        assert all(mark in texts(axes) for axes in figure.axes)
    partly = gather(suite_text(backbone=["hrnet_w48"]), lambda training, evaluation: {
        **only_ap(training, evaluation), "simulated": training.spec.representation == "simdr"})  # fmt: skip
    assert partly.simulated == "PARTLY SIMULATED"


def test_plots_are_functions_of_frames(tmp_path: Path) -> None:
    """As in a notebook: from the loaders of frames, without a report."""
    make_results(tmp_path, suite_text(), diagnostics(keypoints={"nose": 0.5}), lambda _: curve(3, 2, 1))
    frame = load_results(tmp_path / "results", tmp_path / "suite.yaml")
    rows = summarize_rows(frame, "AP")
    assert len(bars(plots.plot_bars(rows, "AP").axes[1])) == 6
    assert plots.plot_cost(rows, "AP", ["params"]).get_supxlabel() == "parameters (millions)"
    keypoints = plots.join_rows(load_keypoints(tmp_path / "results"), frame, rows)
    assert dots(plots.plot_keypoints(keypoints).axes[0]) == [(50, 0)] * 3
    epochs = plots.join_rows(load_epochs(tmp_path / "results"), frame, rows)
    assert isinstance(plots.plot_epochs(epochs, "loss").axes[0].lines[0], Line2D)
