"""Tests of plots: what is drawn is what the records say, and nothing else."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from itertools import combinations, count
from pathlib import Path
from typing import Any, cast

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

import bench
from bench.analysis.rows import summarize_rows
from bench.analysis.uncertainty import Uncertainty
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.errors import BenchError
from bench.pose.metrics.diagnostics import Diagnostics
from bench.report import plots
from bench.report.figure_options import REPORT
from bench.report.plots import Drawing, PlotData
from bench.report.plots.style import Looks, plain
from bench.statistics.estimate import EffectEstimate
from tests.unit.made_up import row_of
from tests.unit.records import Fields, History, curve, make_results, suite_text

Gather = Callable[..., PlotData]
Plot = Callable[[PlotData], Drawing | None]

METHODS = ["heatmap + quarter shift", "heatmap", "SimDR"]
SMALL = suite_text(input_size=["64x64"])


class Known:
    """What is known of errors, by row."""

    def __init__(self, estimates: Mapping[str, EffectEstimate]) -> None:
        self.estimates = estimates

    def of(self, row: str, _metric: str) -> EffectEstimate | None:
        return self.estimates.get(row)


@pytest.fixture
def gather(tmp_path: Path) -> Gather:
    """Makes plot data of made-up records, of a new folder each time; `known` are settings of the row with an error."""
    folders = (tmp_path / str(number) for number in count())

    def make(
        text: str, fields: Fields, histories: History = lambda _: None, known: Mapping[str, Any] | None = None
    ) -> PlotData:
        folder = next(folders)
        folder.mkdir()
        results = make_results(folder, text, fields, histories)
        estimate = EffectEstimate(0.46, 0.01, sources=("images",))
        uncertainty = Known({row_of(results, **known): estimate} if known else {})
        return plots.gather_plot_data(results, cast(Uncertainty, uncertainty))

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


def points(axes: Axes, markers: str) -> set[tuple[float, float]]:
    """Places of the marks of these kinds, rounded."""
    lines = [line.get_xydata() for line in axes.lines if line.get_marker() in [*markers]]
    return {(round(x, 6), round(y, 6)) for line in lines for x, y in line.tolist() if np.isfinite(y)}


def texts(axes: Axes) -> list[str]:
    return [item.get_text() for item in axes.texts]


def ticks(axes: Axes, which: str) -> list[str]:
    return [label.get_text() for label in getattr(axes, f"get_{which}ticklabels")()]


def legend(figure: Figure) -> list[str]:
    (only,) = figure.legends
    return [text.get_text() for text in only.get_texts()]


def only_ap(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
    """Made up, other for each row: 0.3 to 0.8, and 0.01 more with each seed."""
    spec = training.spec
    size = 0.0 if spec.input_size == (64, 64) else 0.3
    method = {"heatmap": 0.3, "simdr": 0.4}[spec.representation] + 0.02 * (evaluation.spec.post_process != "none")
    return {"metrics": {"AP": size + method + 0.05 * (spec.backbone == "hrnet_w32") + 0.01 * spec.seed}}


def diagnostics(**parts: Mapping[str, float]) -> Fields:
    """Records with the same diagnostics."""
    return lambda *cell: {**only_ap(*cell), "diagnostics": reading(**parts)}


def reading(measure: str = "AP", **parts: Mapping[str, float]) -> Diagnostics:
    return Diagnostics(measure, **{"keypoints": {}, "curve": {}, "errors": {}} | parts)


# Headline metric by input size


def test_bars_have_the_height_of_the_values_in_the_order_of_the_tables(gather: Gather) -> None:
    figure, drawing = draw(plots.bars, gather(suite_text(), only_ap))
    assert titles(figure) == ["SimBa-Res50", "HRNet-W32"]
    axes = panel(figure, "HRNet-W32")
    assert [bar.get_height() for bar in bars(axes)] == pytest.approx([37, 35, 45, 67, 65, 75])
    assert [round(bar.get_x() + bar.get_width() / 2, 2) for bar in bars(axes)] == [-0.28, 0, 0.28, 0.72, 1, 1.28]
    assert {"37.0", "75.0"} <= set(texts(axes))
    assert len({bar.get_hatch() for bar in bars(axes)}) == len({bar.get_facecolor() for bar in bars(axes)}) == 3
    assert sorted(y for _, y in points(axes, "D")) == pytest.approx([34.6, 45.8, 56.4, 72.3, 74.4, 75.3])
    assert legend(figure) == [*METHODS, "published"]
    assert "n = 12 rows of 1 seed each" in drawing.caption
    assert "no error bars" in drawing.caption


def test_nothing_published_has_no_diamonds_and_the_mean_pose_is_a_line(gather: Gather) -> None:
    text = suite_text(dataset="{name: synthetic, train: train30, eval: val10}", boxes="gt")
    figure, _ = draw(plots.bars, gather(text, lambda *cell: {**only_ap(*cell), "baseline": {"AP": 0.03}}))
    assert legend(figure) == [*METHODS, "mean pose baseline"]
    for axes in figure.axes:
        assert not points(axes, "D")
        assert [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"] == [pytest.approx([3, 3])]


def test_error_bars_are_intervals_where_they_are_known(gather: Gather) -> None:
    text = suite_text(representation=["simdr"], input_size=["64x64"], seed=[0, 1, 2])
    figure, drawing = draw(plots.bars, gather(text, only_ap, known={"backbone": "hrnet_w32"}))
    for title, expected in (("HRNet-W32", (46 - 1.959964, 46 + 1.959964)), ("SimBa-Res50", (40, 42))):
        (lines,) = (item for item in panel(figure, title).collections if isinstance(item, LineCollection))
        assert [tuple(ends[:, 1]) for ends in lines.get_segments()] == [pytest.approx(expected)]
    assert (
        "Error bars: sample standard deviations over seeds; elsewhere 95% confidence intervals over images."
        in drawing.caption
    )
    assert "n = 2 rows of 3 seeds each" in drawing.caption


def test_rows_without_a_value_say_why(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any] | None:
        if training.spec.representation == "simdr":
            return only_ap(training, evaluation)
        return {"metrics": {"AR": 0.5}} if training.spec.input_size == (64, 64) else None

    figure, drawing = draw(plots.bars, gather(suite_text(), fields))
    assert sorted(texts(panel(figure, "HRNet-W32"))) == ["45.0", "75.0", "missing", "missing", "n/a", "n/a"]
    assert "n = 4 rows" in drawing.caption


def test_more_methods_than_looks_are_points_by_representation(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 1.5, 2, 3, 4], label_smoothing=[0.1, 0.2], backbone=["hrnet_w32"])
    figure, drawing = draw(plots.bars, gather(text, only_ap))
    (axes,) = figure.axes
    assert not bars(axes)
    assert sum(len(line.get_ydata()) for line in axes.lines if line.get_marker() == "^") == 20
    assert legend(figure)[:3] == METHODS
    assert "the tables tell which" in drawing.caption


# Headline metric against cost


def test_cost_has_the_size_of_the_networks_in_both_countings(gather: Gather) -> None:
    data = gather(suite_text(), only_ap)
    figure, drawing = draw(plots.gflops, data)
    assert titles(figure) == ["SimBa-Res50", "SimBa-Res50", "HRNet-W32", "HRNet-W32"]
    simdr = data.rows[(data.rows["method"] == "SimDR") & (data.rows["backbone"] == "hrnet_w32")]
    for axes, (column, unit) in zip(
        figure.axes[2:], {"multiply_adds": 1e9, "published_convention": 2**30}.items(), strict=True
    ):
        expected = {(round(row[column] / unit, 6), round(100 * row["mean"], 6)) for _, row in simdr.iterrows()}
        assert points(axes, "^") == expected
        assert axes.get_xscale() == "log"
    assert "multiply-adds" in figure.axes[2].get_xlabel()
    assert "as the paper counts" in figure.axes[3].get_xlabel()
    assert "other backbones" in legend(figure)
    assert "n = 12 rows" in drawing.caption


def test_printed_sizes_that_differ_are_crossed(gather: Gather) -> None:
    """8.9 GFLOPs are printed for SimBa-Res50 with heatmaps at 256x192, and 53.7M for SimBa-Res101 with SimDR."""
    data = gather(suite_text(), only_ap)
    figure, _ = draw(plots.gflops, data)
    true, published, *others = figure.axes
    assert not any(points(axes, "x") for axes in (true, *others))
    assert sorted({round(x, 2) for x, _ in points(published, "x")}) == [8.9, 8.99]
    crosses = "as the paper prints it, where that differs"
    assert crosses in legend(figure)
    figure, _ = draw(plots.parameters, data)
    assert not any(points(axes, "x") for axes in figure.axes)
    assert crosses not in legend(figure)
    figure, _ = draw(plots.parameters, gather(suite_text(backbone=["simba_res101"]), only_ap))
    assert {x for x, _ in points(figure.axes[0], "x")} == {53.7, 55.745233}


# Splitting factor


def test_splitting_has_a_line_per_input_size(gather: Gather) -> None:
    def fields(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, Any]:
        ratio = training.spec.codec.get("split_ratio")
        return {"metrics": {"AP": 0.9 if ratio is None else ratio / 10 + 0.01 * (training.spec.input_size == (64, 64))}}

    figure, drawing = draw(plots.splitting, gather(suite_text(split_ratio=[3, 1, 2]), fields))
    assert titles(figure) == ["SimBa-Res50, SimDR", "HRNet-W32, SimDR"]
    axes = figure.axes[1]
    assert points(axes, "o") == {(1, 11), (2, 21), (3, 31)}
    assert points(axes, "s") == {(1, 10), (2, 20), (3, 30)}
    assert points(axes, "D") == {(3, 56.4), (2, 75.3)}
    assert ticks(axes, "x") == ["1", "2", "3"]
    assert legend(figure) == ["64×64", "256×192", "published"]
    assert "n = 12 rows" in drawing.caption
    assert plots.splitting(gather(suite_text(), only_ap)) is None, "one factor only"


# Diagnostics


def test_curves_by_threshold_are_means_over_seeds_in_the_order_of_thresholds(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
        top = 0.8 + 0.1 * training.spec.seed
        found = reading(curve={"0.75": top - 0.4, "0.50": top, "$x$": 0.3})
        return {**only_ap(training, evaluation), "diagnostics": found}

    text = suite_text(representation=["simdr"], seed=[0, 1])
    figure, drawing = draw(plots.thresholds, gather(text, fields))
    backbones, sizes = ("SimBa-Res50", "HRNet-W32"), ("64×64", "256×192")
    assert titles(figure) == [f"{backbone}, {size}" for backbone in backbones for size in sizes]
    for axes in figure.axes:
        (line,) = axes.lines
        assert line.get_xydata().ravel().tolist() == pytest.approx([0.5, 85, 0.75, 45])
    assert "n = 4 rows of 2 seeds each" in drawing.caption
    assert len(drawing.problems) == 8
    assert "is not a number" in drawing.problems[0]


def test_pckh_is_in_percent_as_it_is(gather: Gather) -> None:
    text = suite_text(
        dataset="{name: mpii, train: train, eval: valid}", boxes="gt", post_process="quarter", backbone=["hrnet_w32"],
        input_size=["64x64", "256x256"],
    )  # fmt: skip
    found = reading("PCKh", keypoints={"left_hip": 80.0, "right_hip": 90.0}, curve={"0.1": 30.0, "0.5": 88.0})
    data = gather(text, lambda *_: {"metrics": {"Mean": 88.0}, "diagnostics": found}, lambda _: curve(2, 1))
    figure, drawing = draw(plots.thresholds, data)
    assert list(figure.axes[0].lines[0].get_ydata()) == [30, 88]
    assert drawing.title == "PCKh curves"
    figure, drawing = draw(plots.keypoints, data)
    assert points(figure.axes[0], "os") == {(85, 0)}
    assert drawing.title == "PCKh by keypoint"
    figure, drawing = draw(plots.bars, data)
    assert figure.get_supylabel() == "mean PCKh@0.5 (%)"
    assert sorted({y for _, y in points(figure.axes[0], "D")}) == [76.4, 78.7, 89.6, 90.3]
    assert plots.errors(data) is None


def test_keypoints_are_dots_with_left_and_right_as_one(gather: Gather) -> None:
    keypoints = {"nose": 0.9, "left_eye": 0.7, "right_eye": 0.5, "right_ear": 0.3, "left_hip": -1.0, "right_hip": 0.2}
    figure, drawing = draw(plots.keypoints, gather(SMALL, diagnostics(keypoints=keypoints)))
    axes = figure.axes[0]
    assert ticks(axes, "y") == ["nose", "eye", "right ear", "right hip"]
    assert points(axes, "os^") == {(90, 0), (60, 1), (30, 2), (20, 3)}
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first keypoint is on top"
    assert "mean of left and right" in drawing.caption


def test_errors_are_stacked_and_add_up(gather: Gather) -> None:
    parts = {"good": 0.7, "jitter": 0.15, "inversion": 0.05, "swap": 0.02, "miss": 0.08}
    figure, drawing = draw(plots.errors, gather(SMALL, diagnostics(errors=parts)))
    assert titles(figure) == ["SimBa-Res50, 64×64", "HRNet-W32, 64×64"]
    axes = figure.axes[1]
    for row in range(3):
        stack = [bar for bar in bars(axes) if round(bar.get_y() + bar.get_height() / 2) == row]
        assert [bar.get_width() for bar in stack] == pytest.approx([15, 5, 2, 8])
        assert [bar.get_x() for bar in stack] == pytest.approx([0, 15, 20, 22])
        assert len({bar.get_hatch() for bar in stack}) == len({bar.get_facecolor() for bar in stack}) == 4
    assert texts(axes) == ["70.0"] * 3
    assert ticks(figure.axes[0], "y") == METHODS
    assert legend(figure) == ["jitter", "inversion", "swap", "miss", "number: good (%)"]
    assert "n = 6 rows" in drawing.caption


def test_ceilings_stand_over_what_was_measured(gather: Gather) -> None:
    def fields(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, Any]:
        ceiling = 0.9 if training.spec.representation == "simdr" else 0.8
        return {**only_ap(training, evaluation), "ceiling": {"AP": ceiling}}

    figure, _ = draw(plots.ceiling, gather(suite_text(), fields))
    axes = panel(figure, "HRNet-W32")
    assert points(axes, "_") == {(-0.28, 80), (0, 80), (0.72, 80), (1, 80), (0.28, 90), (1.28, 90)}
    assert points(axes, "os^") == {(-0.28, 37), (0, 35), (0.28, 45), (0.72, 67), (1, 65), (1.28, 75)}


READINGS = (plots.thresholds, plots.keypoints, plots.errors, plots.ceiling)


def test_what_is_not_there_is_explained(gather: Gather) -> None:
    bare = gather(SMALL, only_ap)
    assert {(found.figure, found.caption) for plot in READINGS if (found := plot(bare))} == {
        (None, "No record holds these readings.")
    }
    empty = gather(suite_text(split_ratio=[1, 2]), lambda *_: None)
    for plot in (plots.bars, plots.gflops, plots.splitting, *READINGS, plots.loss, plots.validation):
        drawing = plot(empty)
        assert drawing is not None
        assert (drawing.figure, drawing.caption) in {
            (None, "Nothing is measured yet."), (None, "No training is finished yet."),
        }  # fmt: skip
    text = suite_text(dataset="{name: coco, train: train2017, eval: test-dev2017}", input_size=["64x64"])
    secret = gather(text, only_ap)
    assert not any(plot(secret) for plot in READINGS), "the annotations are not public"


def test_more_panels_than_fit_a_page_are_counted(gather: Gather) -> None:
    sizes = [f"{64 + 32 * step}x64" for step in range(20)]
    text = suite_text(input_size=sizes, backbone=["hrnet_w32"], representation=["simdr"])
    figure, drawing = draw(plots.thresholds, gather(text, diagnostics(curve={"0.5": 0.5})))
    assert len(figure.axes) == 18
    assert "the first 18 of 20 panels" in drawing.caption
    assert "n = 18 rows" in drawing.caption


# Training curves


def test_training_curves_are_means_with_a_band_over_seeds(gather: Gather) -> None:
    longer, shorter = curve(4, 3, 2), curve(5, 3)
    text = suite_text(input_size=["64x64"], seed=[0, 1])
    data = gather(text, only_ap, lambda training: shorter if training.spec.seed else longer)
    figure, drawing = draw(plots.loss, data)
    backbones, methods = ("SimBa-Res50", "HRNet-W32"), ("heatmap", "SimDR")
    assert titles(figure) == [f"{backbone}, {method}" for backbone in backbones for method in methods]
    for axes in figure.axes:
        (line,) = axes.lines  # heatmaps are measured twice, and trained once
        assert line.get_xydata().tolist() == [[1, 4.5], [2, 3], [3, 2]]
        (band,) = axes.collections
        corners = {(round(x), round(y, 6)) for x, y in band.get_paths()[0].vertices.tolist()}
        assert {(1, 4), (1, 5), (2, 3)} <= corners
    assert "n = 8 trainings" in drawing.caption
    assert "lowest to highest seed" in legend(figure)


def test_ablated_settings_have_lines_and_sizes_panels(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 2], representation=["simdr"], backbone=["hrnet_w32"])
    figure, drawing = draw(plots.loss, gather(text, only_ap, lambda _: curve(2, 1)))
    assert titles(figure) == ["HRNet-W32, SimDR, 64×64", "HRNet-W32, SimDR, 256×192"]
    assert legend(figure) == ["k 1", "k 2"]
    assert "One seed each." in drawing.caption


def test_more_settings_than_looks_look_the_same(gather: Gather) -> None:
    text = suite_text(split_ratio=[1, 2, 3], label_smoothing=[0, 0.1, 0.2], representation=["simdr"])
    figure, drawing = draw(plots.loss, gather(text, only_ap, lambda _: curve(2, 1)))
    assert [len(axes.lines) for axes in figure.axes] == [18, 18]
    assert legend(figure) == ["64×64", "256×192"]
    assert "n = 36 trainings" in drawing.caption
    assert "look the same" in drawing.caption


@pytest.mark.parametrize(("last", "scale"), [(1, "log"), (50, "linear")])
def test_losses_that_fall_far_are_logarithmic(gather: Gather, last: float, scale: str) -> None:
    figure, _ = draw(plots.loss, gather(SMALL, only_ap, lambda _: curve(100, last)))
    assert {axes.get_yscale() for axes in figure.axes} == {scale}


def test_validation_is_drawn_where_it_selects(gather: Gather) -> None:
    history = curve(3, 2, 1, validation=[0.2, None, 0.4])
    figure, drawing = draw(plots.validation, gather(suite_text(), only_ap, lambda _: history))
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 20], [3, 40]]
    assert "AP on COCO val2017 after each epoch" in drawing.caption
    text = suite_text().replace("train:\n", "train:\n  recipe: corrected\n")
    assert plots.validation(gather(text, only_ap, lambda _: history)) is None, "the last weights are kept"


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
    data = gather(SMALL, diagnostics(keypoints=parts, errors=parts, curve={"0.5": 0.5}))
    with warnings.catch_warnings(), plots.plot_style():
        warnings.simplefilter("error")
        for plot, hidden in ((plots.keypoints, "hidden"), (plots.errors, "\N{NO-BREAK SPACE}_hidden")):
            figure, _ = draw(plot, data)
            assert plots.render_figure(figure, "png")
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


def test_plain_leaves_ordinary_names_alone() -> None:
    for name in ("heatmap + quarter shift", "SimDR (k 2)", "64×64", "$x$"):
        assert plain(name) == name
    assert plain(f"SimDR (weights {'f' * 64}, k 2)") == "SimDR (weights ffffffffffff…, k 2)"


def test_series_are_apart_in_grey_and_for_color_blind_readers() -> None:
    """Projections after Viénot, Brettel and Mollon (1999), distances in CIELAB."""
    with plots.plot_style():
        looks = Looks(tuple("abcdefgh"))
        colors = np.array(list(looks.colors.values()))[:6]
    assert (
        len({(looks.colors[name], looks.line(name)["marker"], looks.area(name)["hatch"]) for name in looks.names}) == 8
    )
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
            return [plots.render_figure(draw(plot, data)[0], "png") for plot in (plots.bars, plots.loss)]

    before = files()
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "lines.linewidth": 9, "savefig.dpi": 20}):
        kept = dict(mpl.rcParams)
        assert files() == before
        assert dict(mpl.rcParams) == kept
    image = Image.open(io.BytesIO(before[0]))
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert image.width / 200 <= REPORT.page
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_style_of_the_user_is_applied_on_top(gather: Gather, tmp_path: Path) -> None:
    file = tmp_path / "own.mplstyle"
    file.write_text("# mine\naxes.prop_cycle: cycler(color=['ff0000', '00ff00', '0000ff'])\nsavefig.dpi: 50\n")
    data = gather(suite_text(backbone=["hrnet_w32"]), only_ap)
    with plots.plot_style(file):
        figure = plots.bars(data).figure
        assert figure is not None
        image = Image.open(io.BytesIO(plots.render_figure(figure, "png")))
    assert {bar.get_facecolor() for bar in bars(figure.axes[0])} == {(1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1)}
    assert image.info["dpi"] == pytest.approx((50, 50), abs=0.1)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            b"lines.linewidht: 2",
            "'lines.linewidht' is not a setting of matplotlib (did you mean 'lines.linewidth'?)",
        ),
        (b"lines.linewidth 2", "1: 'lines.linewidth 2' is not a setting"),
        (b"\nlines.linewidth: thick", "not a usable style file"),
        (b"\xff\xfe", "not a usable style file"),
        (None, "not a usable style file"),
    ],
    ids=["name", "colon", "value", "encoding", "missing"],
)
def test_broken_styles_are_refused(tmp_path: Path, contents: bytes | None, message: str) -> None:
    file = tmp_path / "own.mplstyle"
    if contents is not None:
        file.write_bytes(contents)
    with pytest.raises(BenchError) as caught:
        plots.plot_style(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "backbones", [["hrnet_w32"], ["simba_res50", "simba_res101", "hrnet_w32", "hrnet_w48", "tokenpose_s"]]
)
def test_nothing_overlaps_or_leaves_the_page(gather: Gather, backbones: list[str]) -> None:
    found = reading(keypoints={"nose": 0.5, "left_knee": 0.4}, curve={"0.5": 0.5, "0.9": 0.2}, errors={"miss": 0.1})
    fields = {"diagnostics": found, "ceiling": {"AP": 0.9}}
    text = suite_text(backbone=backbones, split_ratio=[2, 3])
    data = gather(text, lambda *cell: {**only_ap(*cell), **fields}, lambda _: curve(9, 4, 1))
    for plot in (plots.bars, plots.gflops, plots.parameters, plots.splitting, *READINGS, plots.loss):
        with plots.plot_style():
            figure, _ = draw(plot, data)
            figure.draw_without_rendering()
        parts = [axes.get_tightbbox() for axes in figure.axes] + [figure.legends[0].get_window_extent()]
        assert not any(min(a.x1, b.x1) - max(a.x0, b.x0) > 2 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
                       for a, b in combinations(parts, 2)), plot  # fmt: skip
        assert all(
            box.x0 >= -2 and box.y0 >= -2 and box.x1 <= figure.bbox.x1 + 2 and box.y1 <= figure.bbox.y1 + 2
            for box in parts
        ), plot


def test_made_up_numbers_are_marked(gather: Gather) -> None:
    for simulated, mark in ((["heatmap", "simdr"], "SIMULATED"), (["simdr"], "PARTLY SIMULATED"), ([], "")):
        data = gather(SMALL, lambda training, evaluation, simulated=simulated: {
            **only_ap(training, evaluation), "simulated": training.spec.representation in simulated})  # fmt: skip
        assert data.simulated == mark
    figure, _ = draw(plots.bars, data)
    plots.mark_simulated(figure, "SIMULATED")
    assert all("SIMULATED" in texts(axes) for axes in figure.axes)


def test_plots_are_functions_of_frames(tmp_path: Path) -> None:
    """As in a notebook: from the loaders of frames, without a report."""
    parts = {"keypoints": {"nose": 0.5}, "curve": {"0.5": 0.7}, "errors": {"good": 0.9, "miss": 0.1}}
    make_results(tmp_path, suite_text(), diagnostics(**parts), lambda _: curve(3, 2, 1))
    folder = tmp_path / "results"
    frame = bench.load_results(folder, tmp_path / "suite.yaml")
    rows = summarize_rows(frame, "AP")
    assert len(bars(plots.plot_bars(rows, "AP").axes[1])) == 6
    assert plots.plot_cost(rows, "AP", ["params"]).get_supxlabel() == "parameters (millions)"
    keypoints, thresholds, errors, epochs = (
        plots.join_rows(load(folder), frame, rows)
        for load in (bench.load_keypoints, bench.load_thresholds, bench.load_errors, bench.load_epochs)
    )
    assert points(plots.plot_keypoints(keypoints).axes[0], "os^") == {(50, 0)}
    assert points(plots.plot_thresholds(thresholds).axes[0], "os^") == {(0.5, 70)}
    assert texts(plots.plot_errors(errors).axes[0]) == ["90.0"] * 3
    assert [len(line.get_xdata()) for line in plots.plot_epochs(epochs, "loss").axes[0].lines] == [3, 3]
