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
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation, Text
from PIL import Image

from bench.analysis.results import Condition
from bench.analysis.uncertainty import Uncertainty
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.metrics.diagnostics import Diagnostics
from bench.report import plots
from bench.report.plots import Drawing, Material, style
from bench.report.plots.layout import PAGE_HEIGHT, PAGE_WIDTH, Layout, lay_out
from bench.report.plots.style import looks, plain
from bench.statistics.estimate import Estimate
from tests.unit.records import Fields, History, curve, make_results, suite_text

Estimates = Callable[[Condition, str], Estimate | None]
Gather = Callable[..., Material]


class Known:
    """What is known of errors, by a function."""

    def __init__(self, of: Estimates) -> None:
        self.of = of


@pytest.fixture
def gather(tmp_path: Path) -> Gather:
    """Makes the material of plots out of made-up records, of a new folder each time."""
    folders = (tmp_path / str(number) for number in count())

    def make(
        text: str, fields: Fields, histories: History = lambda _: None, estimates: Estimates = lambda *_: None
    ) -> Material:
        folder = next(folders)
        folder.mkdir()
        results = make_results(folder, text, fields, histories)
        return plots.gather(results, cast(Uncertainty, Known(estimates)))

    return make


def draw(plot: Callable[[Material], Drawing | None], material: Material) -> tuple[Figure, Drawing]:
    with plots.print_style():
        drawing = plot(material)
    assert drawing is not None
    assert drawing.figure is not None, drawing.caption
    return drawing.figure, drawing


def panel(figure: Figure, title: str) -> Axes:
    (found,) = (axes for axes in figure.axes if axes.get_title(loc="left") == title)
    return found


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def points(axes: Axes, marker: str) -> set[tuple[float, float]]:
    """Places of the lines with this marker, rounded."""
    lines = [line.get_data(orig=True) for line in axes.lines if line.get_marker() == marker]
    return {(round(float(x), 6), round(float(y), 6)) for xs, ys in lines for x, y in zip(xs, ys, strict=True)}


def texts(axes: Axes) -> list[str]:
    return [item.get_text() for item in axes.texts]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for item in figure.legends for text in item.get_texts()]


def ap(training: PlannedTraining, evaluation: PlannedEvaluation) -> float:
    """Made up, other for each row: 0.3 to 0.8, and 0.01 more with each seed."""
    spec = training.spec
    size = {"64x64": 0.0, "256x192": 0.3, "256x256": 0.3}[str(spec.input_size)]
    method = {"heatmap": 0.3, "simdr": 0.4, "simdr_star": 0.45}[spec.representation] + 0.02 * (
        evaluation.spec.post_process != "none"
    )
    return size + method + 0.05 * (spec.backbone == "hrnet_w32") + 0.01 * spec.seed


def only_ap(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
    return {"metrics": {"AP": ap(training, evaluation)}}


def diagnostics(**parts: Mapping[str, float]) -> Fields:
    """Records with the same diagnostics."""
    filled = {"joints": {}, "curve": {}, "errors": {}} | parts
    return lambda *cell: {**only_ap(*cell), "diagnostics": Diagnostics("AP", **filled)}


# Headline metric by input size


def test_bars_have_the_height_of_the_values_in_the_order_of_the_tables(gather: Gather) -> None:
    figure, drawing = draw(plots.metric_by_size, gather(suite_text(), only_ap))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["SimBa-Res50", "HRNet-W32"]
    drawn = sorted(bars(panel(figure, "HRNet-W32")), key=lambda bar: bar.get_x())
    assert [bar.get_height() for bar in drawn] == pytest.approx([37, 35, 45, 67, 65, 75])
    assert [round(bar.get_x() + bar.get_width() / 2, 2) for bar in drawn] == [-0.28, 0, 0.28, 0.72, 1, 1.28]
    assert {"37.0", "75.0"} <= set(texts(panel(figure, "HRNet-W32")))
    assert len({bar.get_hatch() for bar in drawn}) == len({bar.get_facecolor() for bar in drawn}) == 3
    assert legend(figure) == ["heatmap + quarter", "heatmap", "SimDR", "published"]
    assert "n = 12 rows of 1 seed each" in drawing.caption
    assert "no error bars" in drawing.caption


def test_diamonds_are_the_published_values(gather: Gather) -> None:
    figure, drawing = draw(plots.metric_by_size, gather(suite_text(), only_ap))
    published = sorted(y for _, y in points(panel(figure, "HRNet-W32"), "D"))
    assert published == pytest.approx([34.6, 45.8, 56.4, 72.3, 74.4, 75.3])
    assert "for the 12 rows that measure the same" in drawing.caption
    text = suite_text(dataset="{name: synthetic, train: train30, eval: val10}", boxes="gt")
    figure, drawing = draw(plots.metric_by_size, gather(text, only_ap))
    assert not points(panel(figure, "HRNet-W32"), "D")
    assert "Diamonds" not in drawing.caption


def _error_bars(axes: Axes) -> list[tuple[float, float]]:
    """Lower and upper ends."""
    lines = [item for item in axes.collections if isinstance(item, LineCollection) and item.get_zorder() == 4]
    return [(float(low), float(high)) for item in lines for (_, low), (_, high) in item.get_segments()]


def test_error_bars_are_intervals_where_they_are_known(gather: Gather) -> None:
    def estimates(condition: Condition, metric: str) -> Estimate | None:
        assert metric == "AP"
        value = condition.mean("AP")
        return (
            Estimate(value, 0.01, sources=("images",)) if value and condition.training.backbone == "hrnet_w32" else None
        )

    text = suite_text(representation=["simdr"], input_size=["64x64"], seed=[0, 1, 2])
    figure, drawing = draw(plots.metric_by_size, gather(text, only_ap, estimates=estimates))
    ((low, high),) = _error_bars(panel(figure, "HRNet-W32"))
    assert (low, high) == pytest.approx((46 - 1.959964, 46 + 1.959964))
    ((low, high),) = _error_bars(panel(figure, "SimBa-Res50"))
    assert (low, high) == pytest.approx((40, 42))
    assert "95% confidence intervals over images" in drawing.caption
    assert "sample standard deviations over seeds" in drawing.caption
    assert "n = 2 rows of 3 seeds each" in drawing.caption


def test_rows_without_a_value_say_why(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any] | None:
        return only_ap(training, evaluation) if training.spec.representation == "simdr" else None

    figure, drawing = draw(plots.metric_by_size, gather(suite_text(), fields))
    assert texts(panel(figure, "HRNet-W32")).count("missing") == 4
    assert len([bar for bar in bars(panel(figure, "HRNet-W32")) if bar.get_height() > 0]) == 2
    assert "n = 4 rows" in drawing.caption


def test_the_mean_pose_is_a_line(gather: Gather) -> None:
    figure, _ = draw(
        plots.metric_by_size, gather(suite_text(), lambda *cell: {**only_ap(*cell), "baseline": {"AP": 0.03}})
    )
    for axes in figure.axes:
        assert [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"] == [pytest.approx([3, 3])]
    assert "mean pose baseline" in legend(figure)


def test_more_methods_than_colors_are_points_by_representation(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 1.5, 2, 3, 4], label_smoothing=[0.1, 0.2], backbone=["hrnet_w32"])
    figure, drawing = draw(plots.metric_by_size, gather(text, only_ap))
    (axes,) = figure.axes
    assert not bars(axes)
    assert len([y for line in axes.lines if line.get_marker() == "^" for y in line.get_ydata()]) == 20
    assert legend(figure)[:3] == ["heatmap + quarter", "heatmap", "SimDR"]
    assert "the tables tell which" in drawing.caption


# Headline metric against cost


def test_cost_has_the_size_of_the_networks_in_both_countings(gather: Gather) -> None:
    material = gather(suite_text(), only_ap)
    figure, drawing = draw(plots.metric_by_work, material)
    simdr = [point for point in material.points if point.method == "SimDR"]
    for axes, cost in zip(
        figure.axes,
        (
            lambda size: size.multiply_adds / 1e9,
            lambda size: size.published_convention / 2**30,
        ),
        strict=True,
    ):
        expected = {(round(cost(point.planned.complexity), 6), round(point.level, 6)) for point in simdr}
        assert points(axes, "^") == expected
        assert axes.get_xscale() == "log"
    assert figure.axes[0].get_xlabel() != figure.axes[1].get_xlabel()
    assert "multiply-adds" in figure.axes[0].get_xlabel()
    assert [item.get_text() for item in figure.axes[0].texts] == ["HRNet-W32", "SimBa-Res50"]
    assert "n = 12 rows" in drawing.caption


def test_printed_sizes_that_differ_are_crossed(gather: Gather) -> None:
    """The paper prints 8.9 GFLOPs for SimBa-Res50 with heatmaps at 256x192; its own counter gives 8.99."""
    material = gather(suite_text(), only_ap)
    figure, drawing = draw(plots.metric_by_work, material)
    true, published = figure.axes
    assert not points(true, "x")
    ours, printed = sorted({x for x, _ in points(published, "x")}, reverse=True)
    assert printed == 8.9
    assert ours == pytest.approx(8.99, abs=0.005)
    assert "Crosses" in drawing.caption
    figure, drawing = draw(plots.metric_by_parameters, material)
    assert not points(figure.axes[0], "x")
    assert "Crosses" not in drawing.caption
    assert "as the paper prints it, where that differs" not in legend(figure)


def test_misprinted_parameters_are_crossed(gather: Gather) -> None:
    """53.7M is printed for SimBa-Res101 with SimDR at 256x192; the configuration gives 55.7M."""
    figure, _ = draw(plots.metric_by_parameters, gather(suite_text(backbone=["simba_res101"]), only_ap))
    assert {x for x, _ in points(figure.axes[0], "x")} == {53.7, 55.745233}


# Splitting factor


def test_splitting_has_a_line_per_input_size(gather: Gather) -> None:
    def fields(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, Any]:
        ratio = training.spec.split_ratio
        return {
            "metrics": {"AP": 0.9 if ratio is None else ratio / 10 + 0.01 * (str(training.spec.input_size) == "64x64")}
        }

    material = gather(suite_text(split_ratio=[3, 1, 2]), fields)
    figure, drawing = draw(plots.metric_by_splitting, material)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["SimBa-Res50, SimDR", "HRNet-W32, SimDR"]
    lines = {
        tuple(line.get_ydata().round(6)): list(line.get_xdata())
        for line in figure.axes[1].lines
        if line.get_marker() != "D"
    }
    assert lines == {(11, 21, 31): [1, 2, 3], (10, 20, 30): [1, 2, 3]}
    assert points(figure.axes[1], "D") == {(3, 56.4), (2, 75.3)}
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["1", "2", "3"]
    assert legend(figure) == ["64×64", "256×192", "published"]
    assert "n = 12 rows" in drawing.caption


def test_suites_of_one_splitting_factor_have_no_such_plot(gather: Gather) -> None:
    assert plots.metric_by_splitting(gather(suite_text(), only_ap)) is None
    drawing = plots.metric_by_splitting(gather(suite_text(split_ratio=[1, 2]), lambda *_: None))
    assert drawing is not None
    assert (drawing.figure, drawing.caption) == (None, "Nothing is measured yet.")


# Diagnostics


def test_curves_by_threshold_are_means_over_seeds_in_the_order_of_thresholds(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
        top = 0.8 + 0.1 * training.spec.seed
        reading = Diagnostics("AP", keypoints={}, curve={"0.75": top - 0.4, "0.50": top}, errors={})
        return {**only_ap(training, evaluation), "diagnostics": reading}

    text = suite_text(representation=["simdr"], seed=[0, 1])
    figure, drawing = draw(plots.measure_by_threshold, gather(text, fields))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
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
    figure, drawing = draw(plots.measure_by_threshold, gather(suite_text(input_size=["64x64"]), fields))
    assert all(list(line.get_xdata()) == [0.5] for axes in figure.axes for line in axes.lines)
    assert len(drawing.problems) == 12
    assert any("'$x$' is no threshold" in problem for problem in drawing.problems)


MPII = suite_text(
    dataset="{name: mpii, train: train, eval: valid}", boxes="gt", post_process="quarter", backbone=["hrnet_w32"],
    input_size=["64x64", "256x256"],
)  # fmt: skip


def test_pckh_is_in_percent_as_it_is(gather: Gather) -> None:
    reading = Diagnostics(
        "PCKh", keypoints={"left_hip": 80.0, "right_hip": 90.0}, curve={"0.1": 30.0, "0.5": 88.0}, errors={}
    )
    material = gather(MPII, lambda *_: {"metrics": {"Mean": 88.0}, "diagnostics": reading})
    figure, drawing = draw(plots.measure_by_threshold, material)
    assert list(figure.axes[0].lines[0].get_ydata()) == [30, 88]
    assert drawing.title == "PCKh curves"
    figure, drawing = draw(plots.measure_by_keypoint, material)
    assert list(figure.axes[0].lines[0].get_xdata()) == [85]
    assert drawing.title == "PCKh by keypoint"
    figure, drawing = draw(plots.metric_by_size, material)
    assert figure.axes[0].get_ylabel() == "mean PCKh@0.5 (%)"
    assert sorted({y for _, y in points(figure.axes[0], "D")}) == [76.4, 78.7, 89.6, 90.3]
    assert plots.errors_by_kind(material) is None


def test_keypoints_are_dots_with_left_and_right_as_one(gather: Gather) -> None:
    keypoints = {"nose": 0.9, "left_eye": 0.7, "right_eye": 0.5, "right_ear": 0.3, "left_hip": -1.0, "right_hip": 0.2}
    text = suite_text(input_size=["64x64"])
    figure, drawing = draw(plots.measure_by_keypoint, gather(text, diagnostics(keypoints=keypoints)))
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["nose", "eye", "right ear", "right hip"]
    assert points(axes, "^") == {(90, 0), (60, 1), (30, 2), (20, 3)}
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first keypoint is on top"
    assert "mean of left and right" in drawing.caption


def test_errors_are_stacked_and_add_up(gather: Gather) -> None:
    parts = {"good": 0.7, "jitter": 0.15, "inversion": 0.05, "swap": 0.02, "miss": 0.08}
    figure, drawing = draw(plots.errors_by_kind, gather(suite_text(input_size=["64x64"]), diagnostics(errors=parts)))
    axes = panel(figure, "HRNet-W32, 64×64")
    rows = {round(bar.get_y() + bar.get_height() / 2): [] for bar in bars(axes)}
    for bar in bars(axes):
        rows[round(bar.get_y() + bar.get_height() / 2)].append(bar)
    assert sorted(rows) == [0, 1, 2]
    for stack in rows.values():
        assert [bar.get_width() for bar in stack] == pytest.approx([15, 5, 2, 8])
        assert [bar.get_x() for bar in stack] == pytest.approx([0, 15, 20, 22])
        assert len({bar.get_hatch() for bar in stack}) == len({bar.get_facecolor() for bar in stack}) == 4
    assert texts(axes) == ["70.0"] * 3
    assert [label.get_text() for label in axes.get_yticklabels()] == ["heatmap + quarter", "heatmap", "SimDR"]
    assert legend(figure) == ["jitter", "inversion", "swap", "miss", "number: good (%)"]
    assert "n = 6 rows" in drawing.caption


READINGS = (plots.measure_by_threshold, plots.measure_by_keypoint, plots.errors_by_kind, plots.metric_under_ceiling)


@pytest.mark.parametrize("plot", READINGS)
@pytest.mark.parametrize(
    ("fields", "why"), [(only_ap, "No record holds these readings."), (lambda *_: None, "Nothing is measured yet.")]
)
def test_readings_that_are_not_there_are_explained(
    gather: Gather, plot: Callable[[Material], Drawing | None], fields: Fields, why: str
) -> None:
    drawing = plot(gather(suite_text(input_size=["64x64"]), fields))
    assert drawing is not None
    assert (drawing.figure, drawing.caption) == (None, why)


@pytest.mark.parametrize("plot", READINGS)
def test_splits_without_public_annotations_have_no_readings(
    gather: Gather, plot: Callable[[Material], Drawing | None]
) -> None:
    text = suite_text(dataset="{name: coco, train: train2017, eval: test-dev2017}", input_size=["64x64"])
    assert plot(gather(text, only_ap)) is None


def test_more_panels_than_fit_a_page_are_counted(gather: Gather) -> None:
    sizes = [f"{64 + 32 * step}x64" for step in range(20)]
    text = suite_text(input_size=sizes, backbone=["hrnet_w32"], representation=["simdr"])
    record = {"metrics": {"AP": 0.5}, "diagnostics": Diagnostics("AP", {}, {"0.5": 0.5}, {})}
    figure, drawing = draw(plots.measure_by_threshold, gather(text, lambda *_: record))
    assert len(figure.axes) == 18
    assert "the first 18 of 20 pairs of backbone and input size" in drawing.caption
    assert "n = 18 rows" in drawing.caption


# Training curves


def _bands(axes: Axes) -> list[PolyCollection]:
    return [item for item in axes.collections if isinstance(item, PolyCollection)]


def test_training_curves_are_means_with_a_band_over_seeds(gather: Gather) -> None:
    longer, shorter = curve(4, 3, 2), curve(5, 3)
    text = suite_text(input_size=["64x64"], seed=[0, 1])
    material = gather(text, only_ap, lambda training: shorter if training.spec.seed else longer)
    figure, drawing = draw(plots.loss_by_epoch, material)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "SimBa-Res50, heatmap", "SimBa-Res50, SimDR", "HRNet-W32, heatmap", "HRNet-W32, SimDR",
    ]  # fmt: skip
    for axes in figure.axes:
        (line,) = axes.lines  # heatmaps are measured twice, and trained once
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [4.5, 3, 2]
        (band,) = _bands(axes)
        corners = {(round(x), round(y, 6)) for x, y in band.get_paths()[0].vertices.tolist()}
        assert {(1, 4), (1, 5), (2, 3), (3, 2)} <= corners
    assert "n = 8 trainings" in drawing.caption
    assert "bands: from the lowest to the highest seed" in drawing.caption
    assert "lowest to highest seed" in legend(figure)


def test_a_single_seed_has_no_band(gather: Gather) -> None:
    figure, drawing = draw(plots.loss_by_epoch, gather(suite_text(), only_ap, lambda _: curve(3, 1)))
    assert not any(_bands(axes) for axes in figure.axes)
    assert legend(figure) == ["64×64", "256×192"]
    assert "One seed each." in drawing.caption


def test_ablated_settings_have_lines_and_sizes_panels(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 2], representation=["simdr"], backbone=["hrnet_w32"])
    figure, _ = draw(plots.loss_by_epoch, gather(text, only_ap, lambda _: curve(2, 1)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "HRNet-W32, SimDR, 64×64",
        "HRNet-W32, SimDR, 256×192",
    ]
    assert legend(figure) == ["k 1", "k 2"]


def test_more_settings_than_colors_look_the_same(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 2, 3], label_smoothing=[0, 0.1, 0.2], representation=["simdr"])
    figure, drawing = draw(plots.loss_by_epoch, gather(text, only_ap, lambda _: curve(2, 1)))
    assert [len(axes.lines) for axes in figure.axes] == [18, 18]
    assert legend(figure) == ["64×64", "256×192"]
    assert "n = 36 trainings" in drawing.caption
    assert "look the same" in drawing.caption


def test_losses_that_fall_far_are_logarithmic(gather: Gather) -> None:
    figure, drawing = draw(plots.loss_by_epoch, gather(suite_text(), only_ap, lambda _: curve(100, 1)))
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert "Logarithmic" in drawing.caption
    figure, _ = draw(plots.loss_by_epoch, gather(suite_text(backbone=["hrnet_w48"]), only_ap, lambda _: curve(2, 1)))
    assert {axes.get_yscale() for axes in figure.axes} == {"linear"}


def test_validation_is_drawn_where_it_selects(gather: Gather) -> None:
    history = curve(3, 2, 1, validation=[0.2, None, 0.4])
    figure, drawing = draw(plots.validation_by_epoch, gather(suite_text(), only_ap, lambda _: history))
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 3]
    assert list(line.get_ydata()) == [20, 40]
    assert "AP on COCO val2017 after each epoch" in drawing.caption


def test_validation_is_left_out_where_the_last_weights_are_kept(gather: Gather) -> None:
    text = suite_text().replace("train:\n", "train:\n  recipe: corrected\n")
    assert plots.validation_by_epoch(gather(text, only_ap, lambda _: curve(2, 1))) is None


def test_unfinished_trainings_are_explained(gather: Gather) -> None:
    material = gather(suite_text(), lambda *_: None)
    for plot in (plots.loss_by_epoch, plots.validation_by_epoch):
        drawing = plot(material)
        assert drawing is not None
        assert (drawing.figure, drawing.caption) == (None, "No training is finished yet.")


# Ceiling


def test_ceilings_stand_over_what_was_measured(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
        ceiling = 0.9 if training.spec.representation == "simdr" else 0.8
        return {**only_ap(training, evaluation), "ceiling": {"AP": ceiling}}

    figure, drawing = draw(plots.metric_under_ceiling, gather(suite_text(), fields))
    (axes,) = figure.axes
    lines = [item for item in axes.collections if isinstance(item, LineCollection) and item.get_zorder() == 3]
    segments = [segment.tolist() for item in lines for segment in item.get_segments()]
    assert sorted({(round(y), round(x, 3)) for (x, y), _ in segments}) == [
        (80, -0.409), (80, -0.129), (80, 0.591), (80, 0.871), (90, 0.151), (90, 1.151),
    ]  # fmt: skip
    measured = {y for marker in "os^" for _, y in points(axes, marker)}
    assert measured == {32, 30, 40, 62, 60, 70, 37, 35, 45, 67, 65, 75}
    assert "from left to right of SimBa-Res50, HRNet-W32" in drawing.caption


# Style


HOSTILE = ("$x$", r"\frac{1}{0}", "_hidden", "a\nb\tc", "关节 😀", "<script>", "$" * 200, "%s {0} $\\alpha", " ")


def test_names_from_data_are_text(gather: Gather) -> None:
    """No mathematics, no warning of a missing glyph or an ignored label, and nothing that breaks the layout."""
    parts = dict.fromkeys(HOSTILE, 0.5)
    material = gather(suite_text(input_size=["64x64"]), diagnostics(keypoints=parts, errors=parts, curve={"0.5": 0.5}))
    with warnings.catch_warnings(), plots.print_style():
        warnings.simplefilter("error")
        for plot, hidden in (
            (plots.measure_by_keypoint, "hidden"),
            (plots.errors_by_kind, "\N{NO-BREAK SPACE}_hidden"),
        ):
            figure, _ = draw(plot, material)
            assert plots.to_png(figure)
            written = [text for text in figure.findobj(Text) if text.get_text()]
            assert not any(text.get_parse_math() for text in written)
            assert {"$x$", r"\frac{1}{0}", hidden, "a b c", "<script>"} <= {text.get_text() for text in written}


@given(st.text(max_size=200))
def test_plain_is_one_short_line(text: str) -> None:
    name = plain(text)
    assert len(name) <= 61
    assert len(name.splitlines()) <= 1
    assert not name.startswith("_")


@pytest.mark.parametrize("name", ["heatmap + quarter", "SimDR (k 2)", "64×64", "$x$"])
def test_plain_leaves_ordinary_names_alone(name: str) -> None:
    assert plain(name) == name


def test_looks_differ_in_grey_too() -> None:
    first = list(looks([str(number) for number in range(8)]).values())
    assert len({look.color for look in first}) == 8
    for kind in ("marker", "hatch"):
        assert len({getattr(look, kind) for look in first[:7]}) == 7
    every = looks([str(number) for number in range(280)]).values()
    assert len({(look.color, look.marker, str(look.dashes)) for look in every}) == 280


def test_colors_are_apart_for_color_blind_instances() -> None:
    """Projections after Viénot, Brettel and Mollon (1999), distances in CIELAB."""
    cv2 = pytest.importorskip("cv2")
    to_cones = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    blind = {
        "protan": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        "deutan": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    }
    colors = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in style.PALETTE[:6]])
    for projection in blind.values():
        seen = colors**2.2 @ (np.linalg.inv(to_cones) @ projection @ to_cones).T
        lab = cv2.cvtColor(seen.clip(0, 1)[None].astype(np.float32) ** np.float32(1 / 2.2), cv2.COLOR_RGB2LAB)[0]
        assert min(np.linalg.norm(a - b) for a, b in combinations(lab, 2)) > 9


def test_equal_material_makes_equal_files_whatever_the_user_set(gather: Gather) -> None:
    material = gather(suite_text(), only_ap, lambda _: curve(3, 2, 1))

    def files() -> list[bytes]:
        found = [draw(plot, material)[0] for plot in (plots.metric_by_size, plots.metric_by_work, plots.loss_by_epoch)]
        with plots.print_style():
            return [plots.to_png(figure) for figure in found]

    before = files()
    with mpl.rc_context(
        {"text.usetex": True, "font.size": 30, "axes.grid": True, "lines.linewidth": 9, "figure.dpi": 20}
    ):
        kept = dict(mpl.rcParams)
        assert files() == before
        assert dict(mpl.rcParams) == kept


def test_pictures_state_their_size_and_keep_paper_white(gather: Gather) -> None:
    figure, _ = draw(plots.metric_by_size, gather(suite_text(), only_ap))
    image = Image.open(io.BytesIO(plots.to_png(figure)))
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert image.width / 200 <= PAGE_WIDTH
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("simulated", "mark"), [(True, "SIMULATED"), (False, "")])
def test_made_up_numbers_are_marked_in_every_panel(gather: Gather, simulated: bool, mark: str) -> None:
    material = gather(suite_text(), lambda *cell: {**only_ap(*cell), "simulated": simulated})
    assert material.simulated == mark
    figure, _ = draw(plots.metric_by_size, material)
    if mark:
        plots.mark_simulated(figure, mark)
        assert all(mark in texts(axes) for axes in figure.axes)
    partly = gather(suite_text(backbone=["hrnet_w48"]), lambda training, evaluation: {
        **only_ap(training, evaluation), "simulated": training.spec.representation == "simdr"})  # fmt: skip
    assert partly.simulated == "PARTLY SIMULATED"


@settings(deadline=None, max_examples=15)
@given(
    number=st.integers(1, 12), across=st.integers(1, 4), width=st.floats(1, 9), height=st.floats(0.5, 4),
    same_x=st.booleans(), same_y=st.booleans(), names=st.lists(st.text("abc ", min_size=1, max_size=40), max_size=25),
)  # fmt: skip
def test_panels_neither_overlap_nor_leave_the_page(
    number: int, across: int, width: float, height: float, same_x: bool, same_y: bool, names: list[str]
) -> None:
    layout = Layout(across, width, height, same_x=same_x, same_y=same_y)
    with plots.print_style():
        sheet = lay_out(number, layout, {name: Line2D([], []) for name in names})
    boxes = [axes.get_position() for axes in sheet.panels]
    assert len(boxes) == number
    assert all(0 < box.x0 < box.x1 < 1 and 0 < box.y0 < box.y1 < 1 for box in boxes)
    assert not any(a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1 for a, b in combinations(boxes, 2))
    assert sheet.figure.get_figwidth() <= PAGE_WIDTH + 0.01
    if number <= 6 * across:
        assert sheet.places.height <= PAGE_HEIGHT + 0.01
    for entries in sheet.figure.legends:
        renderer = FigureCanvasAgg(sheet.figure).get_renderer()
        place = entries.get_window_extent(renderer).transformed(sheet.figure.transFigure.inverted())
        assert place.x1 <= 1.01
        assert place.y0 >= max(box.y1 for box in boxes)


def test_names_of_backbones_do_not_hide_each_other(gather: Gather) -> None:
    backbones = ["simba_res50", "simba_res101", "simba_res152", "hrnet_w32", "hrnet_w48", "tokenpose_s"]
    figure, _ = draw(plots.metric_by_work, gather(suite_text(backbone=backbones), only_ap))
    plots.to_png(figure)
    for axes in figure.axes:
        names = [item for item in axes.texts if isinstance(item, Annotation)]
        assert len(names) == 6
        boxes = [item.get_window_extent() for item in names]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert all(box.x0 >= axes.bbox.x0 - 2 and box.x1 <= axes.bbox.x1 + 2 for box in boxes)
