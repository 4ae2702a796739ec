"""Learning curves: which rows make a curve, gaps with known lines, and the table and figures of a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from bench.analysis.curves import LearningCurve, LearningCurves, held_words
from bench.analysis.formatting import format_difference
from bench.analysis.frame import results_frame
from bench.analysis.gap_words import crossing_text, gap_sentence, slope_text, trend_text
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.report.curves_table import curves_table
from bench.report.plots import draw_learning, plot_learning, plot_style
from bench.report.render_csv import render_csv
from bench.report.writer import write_report
from bench.simulation.simulated_records import simulate
from bench.simulation.simulated_scores import Chance
from bench.suite.specs import TrainSpec
from tests.reports import Bench, csv_rows, markdown_rows
from tests.unit.made_up import MadeUp, MeanPerInstance

GRID = """\
name: grid
title: People and lengths
dataset: {name: synthetic, train: train3000, eval: val10}
train:
  axes:
    backbone: [simba_tiny]
    representation: [heatmap, simdr]
    input_size: [64x64]
    train_subset: [750, 1500, 3000]
    epochs: [5, 10, 20, 40]
    seed: [0]
  exclude:
    - {when: {train_subset: 750, epochs: [5, 10]}, because: too short}
    - {when: {train_subset: 1500, epochs: [5, 40]}, because: another length}
    - {when: {train_subset: 3000, epochs: [20, 40]}, because: too long}
  set:
    - {when: {epochs: [20, 40]}, milestones: [15]}
evaluate:
  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: simdr}}
tables: [{id: results, metrics: [AP]}]
"""
"""Three numbers of people at 15,000 and 30,000 instances seen, with milestones that follow the epochs."""

ONE = GRID.replace("[5, 10, 20, 40]", "[10]").replace(
    "  set:\n    - {when: {epochs: [20, 40]}, milestones: [15]}\n", ""
)
ONE = ONE[: ONE.index("  exclude")] + ONE[ONE.index("evaluate:") :]
"""Three numbers of people at 10 epochs, so that no two trainings have seen as many instances."""

REFINED = GRID.replace("[quarter, none]", "quarter").replace("[AP]", "[mean_oks]")
"""Without unrefined heatmaps, by a metric that is resampled fast."""

Gap = Callable[[TrainSpec], float]


def people(spec: TrainSpec) -> int:
    assert spec.train_subset is not None
    return spec.train_subset


def collect(
    folder: Path, text: str, gap: Gap, images: Callable[[Mapping[str, float]], MeanPerInstance] | None = None
) -> tuple[LearningCurves, MadeUp]:
    """Refined heatmaps have 0.3, others 0.28, and SimDR a gap to the former."""
    made = MadeUp(folder, text)

    def scores(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float]:
        if training.spec.representation == "simdr":
            return {"AP": 0.3 + gap(training.spec)}
        return {"AP": 0.3 if evaluation.spec.post_process != "none" else 0.28}

    made.fill(scores, images)
    results = made.results()
    return LearningCurves.collect(results.frame, "AP", made.uncertainty(results)), made


def same_noise(metrics: Mapping[str, float]) -> MeanPerInstance:
    """Images on which all trainings err alike: gaps are known exactly."""
    noise = np.random.default_rng(0).normal(0, 0.1, 50)
    return MeanPerInstance({"AP": metrics["AP"] + noise - noise.mean()})


def own_noise(size: float) -> Callable[[Mapping[str, float]], MeanPerInstance]:
    generator = np.random.default_rng(1)

    def images(metrics: Mapping[str, float]) -> MeanPerInstance:
        noise = generator.normal(0, size, 200)
        return MeanPerInstance({"AP": metrics["AP"] + noise - noise.mean()})

    return images


def shape(curve: LearningCurve) -> tuple[str, str, str, list[float]]:
    return curve.axis, held_words(curve.held), curve.method, curve.points["x"].tolist()


def test_curves_join_rows_that_differ_in_the_number_of_instances(tmp_path: Path) -> None:
    learning, _ = collect(tmp_path, GRID, lambda _: -0.1)
    methods, subsets, lengths = ("heatmap + quarter shift", "heatmap", "SimDR"), [750, 1500, 3000], [15000, 30000]
    expected = [("distinct_instances", f"{seen:,} seen", method, subsets) for method in methods for seen in lengths]
    expected += [("instances_seen", f"{one:,} distinct", method, lengths) for method in methods for one in subsets]
    assert sorted(map(shape, learning.curves)) == sorted(expected)
    assert {(gap.curve.method, gap.baseline.method) for gap in learning.gaps} == {("SimDR", "heatmap + quarter shift")}
    assert len(learning.gaps) == 5


def test_curves_hold_the_epochs_where_no_two_trainings_have_seen_as_many(tmp_path: Path) -> None:
    learning, _ = collect(tmp_path, ONE, lambda _: -0.1)
    assert {(curve.axis, held_words(curve.held)) for curve in learning.curves} == {("distinct_instances", "10 epochs")}
    assert len(learning.curves) == 3


def test_numbers_are_as_counted_and_nearly_equal_ones_are_one_level(tmp_path: Path) -> None:
    """Without `train_subset` the records know the number; a broken image or two make no level of their own."""
    text = ONE.replace("[750, 1500, 3000]", "[null]").replace("epochs: [10]", "epochs: [5, 20, 80]")
    _, made = collect(tmp_path, text, lambda _: -0.1)
    frame = made.results().frame
    assert not LearningCurves.collect(frame, "AP", made.uncertainty()).curves, "nothing was counted"
    counted = 6000 - frame["epochs"] // 40
    frame = frame.assign(distinct_instances=counted, instances_seen=counted * frame["epochs"])
    learning = LearningCurves.collect(frame, "AP", made.uncertainty())
    assert {held_words(curve.held) for curve in learning.curves} == {"5,998 distinct"}
    (gap,) = learning.gaps
    assert gap.points["x"].tolist() == [5 * 6000, 20 * 6000, 80 * 5998]
    assert gap.points["mean"].tolist() == pytest.approx([-0.1] * 3)


def test_other_settings_make_curves_of_their_own(tmp_path: Path) -> None:
    text = ONE.replace("    seed:", "    learning_rate: [0.001, 0.0001]\n    seed:")
    learning, _ = collect(tmp_path, text, lambda _: -0.1)
    assert len(learning.curves) == 6
    pairs = {(gap.curve.method, gap.baseline.method) for gap in learning.gaps}
    assert pairs == {
        (f"SimDR (learning rate {rate})", f"heatmap + quarter shift (learning rate {rate})")
        for rate in ("0.001", "0.0001")
    }


def test_two_schedules_of_one_length_are_two_curves(tmp_path: Path) -> None:
    learning, _ = collect(tmp_path, ONE.replace("    seed:", "    milestones: [[6], [8]]\n    seed:"), lambda _: -0.1)
    assert [len(curve.points) for curve in learning.curves] == [3] * 6


def test_what_is_not_measured_or_of_one_length_is_no_curve(tmp_path: Path) -> None:
    learning, made = collect(tmp_path, ONE.replace("[750, 1500, 3000]", "[750]"), lambda _: -0.1)
    assert learning == LearningCurves("AP", (), ()) or not learning.curves
    assert curves_table(learning, made.results().frame) is None
    assert list(draw_learning(learning)) == []
    empty = MadeUp(tmp_path / "empty", GRID).results().frame
    assert not LearningCurves.collect(empty, "AP", MadeUp(tmp_path / "empty", GRID).uncertainty()).curves


def test_curves_of_heatmaps_alone_have_no_gap(tmp_path: Path) -> None:
    text = ONE.replace("[heatmap, simdr]", "[heatmap]").replace("[quarter, none]", "quarter")
    learning, made = collect(
        tmp_path, text.replace("  - {boxes: gt, when: {representation: simdr}}\n", ""), lambda _: 0
    )
    table = curves_table(learning, made.results().frame)
    assert table is not None
    assert (table.title, learning.gaps) == ("Learning curves: AP", ())
    assert [name for name, _ in draw_learning(learning)] == ["learning"]


def test_without_heatmaps_the_first_representation_is_the_baseline(tmp_path: Path) -> None:
    text = ONE.replace("[heatmap, simdr]", "[simdr, simdr_star]").replace(
        "  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}\n", ""
    )
    learning, _ = collect(tmp_path, text.replace("when: {representation: simdr}", "flip_test: true"), lambda _: -0.1)
    assert [(gap.curve.method, gap.baseline.method) for gap in learning.gaps] == [("SimDR*", "SimDR")]


def test_a_gap_on_a_line_has_its_slope_and_crossing(tmp_path: Path) -> None:
    """0.02 per doubling of people and 0.01 of length; zero at 12,000 people at 30,000 instances seen."""

    def gap(spec: TrainSpec) -> float:
        return 0.02 * log2(people(spec) / 12_000) + 0.01 * log2(spec.epochs * people(spec) / 30_000)

    learning, _ = collect(tmp_path, GRID, gap, same_noise)
    found = {held_words(one.curve.held): one for one in learning.gaps}
    at = found["30,000 seen"]
    assert at.slope.value == pytest.approx(0.02)
    assert at.slope.interval() == pytest.approx((0.02, 0.02))
    assert at.points["mean"].tolist() == pytest.approx([-0.08, -0.06, -0.04])
    assert at.crossing is not None
    assert at.crossing.value == pytest.approx(12_000, rel=1e-6)
    assert (at.crossing.low, at.crossing.high) == pytest.approx((12_000, 12_000), rel=1e-3)
    assert crossing_text(at) == "12,000 [12,000, 12,000], extrapolated"
    assert slope_text("AP", at.slope) == "+2.0 [2.0, 2.0]"
    assert trend_text(at) == "the gap closes"
    assert gap_sentence("AP", at) == (
        "SimDR, 30,000 seen: +2.0 [2.0, 2.0] per doubling of distinct training instances; the gap closes; zero at"
        " 12,000 [12,000, 12,000], extrapolated."
    )
    along = found["3,000 distinct"]
    assert along.slope.value == pytest.approx(0.01)
    assert along.crossing is not None
    assert along.crossing.value == pytest.approx(30_000 * 2**4, rel=1e-6)


@pytest.mark.parametrize(
    ("slope", "zero", "noise", "trend", "crossing"),
    [
        (0.02, 1500, 0.01, "the line crosses zero", "1,500 ["),
        (-0.02, 1500, 0.01, "the line crosses zero", "1,500 ["),
        (0.02, 6000, 0.01, "the gap closes", ", extrapolated"),
        (-0.02, 6000, 0.01, "the gap closes", ", extrapolated"),
        (0.02, 400, 0.01, "the gap widens", ", extrapolated"),
        (0.02, 6000, 0.5, "no trend can be told", "no crossing can be told"),
        (0.0, 1500, 0.01, "no trend can be told", "no crossing can be told"),
    ],
)
def test_a_trend_in_words(slope: float, zero: float, noise: float, trend: str, crossing: str, tmp_path: Path) -> None:
    learning, _ = collect(tmp_path, ONE, lambda spec: slope * log2(people(spec) / zero), own_noise(noise))
    (gap,) = learning.gaps
    assert trend_text(gap) == trend
    assert crossing in crossing_text(gap)
    told = trend != "no trend can be told"
    assert gap.is_extrapolated == (told and not 750 <= zero <= 3000)
    if told:
        assert gap.crossing is not None
        for end in (gap.crossing.low, gap.crossing.high):
            low, high = gap.height(end).interval() or (1, 1)
            assert min(abs(low), abs(high)) < 1e-6, "the line's interval touches zero where the crossing's ends"


def test_nothing_is_told_without_an_error(tmp_path: Path) -> None:
    """One seed and no per-instance results: the slope is drawn, and nothing is concluded from it."""
    learning, made = collect(tmp_path, ONE, lambda spec: 0.02 * log2(people(spec) / 1500))
    (gap,) = learning.gaps
    assert (gap.slope.value, gap.slope.interval(), gap.crossing) == (pytest.approx(0.02), None, None)
    assert trend_text(gap) == "no trend can be told (unknown error)"
    assert slope_text("AP", gap.slope) == "+2.0"
    table = curves_table(learning, made.results().frame)
    assert table is not None
    row = csv_rows(render_csv(table, simulated=False))[-1]
    assert (row["gap_slope"], row["gap_slope_low"], row["crossing"], row["extrapolated"]) == ("0.02", "", "", "")
    assert lines_of(draw(learning))["SimDR"], "drawn"


def draw(learning: LearningCurves) -> Figure:
    with plot_style():
        return plot_learning(learning)


def lines_of(figure: Figure) -> dict[str, list[tuple[list[float], list[float]]]]:
    """Data of the lines with markers in the first panel, by the method of their color in the legend."""
    (legend,) = figure.legends
    colors = {
        handle.get_color(): text.get_text()  # type: ignore[union-attr]
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
        if hasattr(handle, "get_color")
    }
    found: dict[str, list[tuple[list[float], list[float]]]] = {}
    for line in figure.axes[0].get_lines():
        if line.get_linestyle() != "None":
            xy = ([float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()])  # type: ignore[union-attr]
            found.setdefault(colors[line.get_color()], []).append(xy)
    return found


def test_a_figure_shows_the_points_and_what_is_extrapolated(tmp_path: Path) -> None:
    text = GRID.replace("seed: [0]", "seed: [0, 1]")
    learning, _ = collect(tmp_path, text, lambda spec: 0.02 * log2(people(spec) / 6000), own_noise(0.01))
    figure = draw(learning)
    assert lines_of(figure)["heatmap + quarter shift"] == [([750, 1500, 3000], pytest.approx([30, 30, 30]))]
    assert lines_of(figure)["SimDR"] == [([750, 1500, 3000], pytest.approx([24, 26, 28]))]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["30,000 seen", "3,000 distinct", "", ""]
    dots = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "None"]
    assert sum(len(np.asarray(line.get_xdata())) for line in dots) == 3 * 3 * 2, "three methods and people, two seeds"
    below = figure.axes[2]
    dashed = [line for line in below.get_lines() if line.get_linestyle() == "--"]
    assert len(dashed) == 1
    xs, ys = (np.asarray(data, dtype=float) for data in dashed[0].get_data())
    assert (xs[0], xs[-1]) == pytest.approx((3000, 6000), rel=0.05)
    assert (ys[0], ys[-1]) == pytest.approx((-2, 0), abs=0.1)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-3:] == ["95% interval", "extrapolated", "crossing, with interval"]
    assert below.get_ylabel() == "gap (%) to\nheatmap + quarter shift"


def test_nothing_is_extrapolated_that_cannot_be_told(tmp_path: Path) -> None:
    learning, _ = collect(tmp_path, ONE, lambda spec: 0.02 * log2(people(spec) / 6000), own_noise(0.5))
    figure = draw(learning)
    assert not [line for line in figure.axes[1].get_lines() if line.get_linestyle() == "--"]
    assert "extrapolated" not in [text.get_text() for text in figure.legends[0].get_texts()]
    assert max(figure.axes[1].get_xlim()) < 3300


def test_the_numbers_beside_a_figure_are_those_drawn(tmp_path: Path) -> None:
    learning, _ = collect(tmp_path, REFINED, lambda spec: 0.02 * log2(people(spec) / 6_000), own_noise(0.01))
    with plot_style():
        drawings = dict(draw_learning(learning))
    assert len(drawings) == 3
    for drawing in drawings.values():
        assert drawing.figure is not None
        assert drawing.values is not None
        lines = [line for axes in drawing.figure.axes for line in axes.get_lines()]
        bars = [item for axes in drawing.figure.axes for item in axes.collections if isinstance(item, LineCollection)]
        parts = [np.asarray(part).reshape(-1, 2) for item in bars for part in item.get_segments()]
        reaches = {float(y) for part in parts for y in part[:, 1] if np.isfinite(y)}
        drawn = {round(float(y), 6) for line in lines for y in np.asarray(line.get_ydata())} - {0.0}
        values = drawing.values
        shown = {round(y, 6) for name in values if "AP (%)" in str(name) for y in values[name].dropna()}
        assert {"mean over seeds", "gap", "line of the gap"} <= set(values["mark"])
        assert drawn <= shown
        assert {round(y, 6) for y in reaches} - {0.0} <= shown
        ends = values.loc[values["mark"] == "mean over seeds", "number of training instances"]
        assert set(ends) <= {float(x) for line in lines for x in np.asarray(line.get_xdata())}


# Reports.


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("bench.report.plots.style.DPI", 60)  # small figures are drawn faster
    monkeypatch.setattr("bench.report.pictures.PLOTS", {})
    bench = Bench(tmp_path)
    simulate([bench.plan(REFINED)], bench.store, Chance(0, 0.2), "simulate")
    return bench


def gap_of(frame: pd.DataFrame, row: Mapping[str, str]) -> tuple[Any, Any]:
    """A gap by the frame alone: numbers of instances, and SimDR above refined heatmaps."""
    held = "instances_seen" if row["along"] == "distinct_instances" else "distinct_instances"
    level = int(row["held"].split()[0].replace(",", ""))
    here = frame[frame[held] == level].set_index(row["along"]).sort_index()
    gaps = here.query("representation == 'simdr'")["mean_oks"] - here.query("post_process == 'quarter'")["mean_oks"]
    return gaps.index.to_numpy(dtype=float), gaps.to_numpy()


def test_a_report_has_the_curves_in_every_format(simulated: Bench) -> None:
    plan, out = simulated.plan(REFINED), simulated.folder / "reports"
    write_report([plan], simulated.store, out, formats=["md", "html", "pdf", "csv", "tex"])
    folder = out / "grid"
    frame, _ = results_frame(plan, simulated.store)

    raw = csv_rows((folder / "tables/learning_curves.csv").read_text())
    assert len(raw) == 10
    assert {row["simulated"] for row in raw} == {"yes"}
    compared = [row for row in raw if row["method"] == "SimDR"]
    assert len(compared) == 5
    slopes = []
    for row in compared:
        places, gaps = gap_of(frame, row)
        slope, height = np.polyfit(np.log2(places), gaps, 1)
        slopes.append(slope)
        assert float(row["gap_slope"]) == pytest.approx(slope, abs=1e-6)
        assert float(row["gap_slope_low"]) < slope < float(row["gap_slope_high"])
        if row["crossing"]:
            assert float(row["crossing"]) == pytest.approx(2 ** (-height / slope), rel=1e-3)
            assert (row["extrapolated"] == "no") == (places[0] <= float(row["crossing"]) <= places[-1])
    assert {row["gap_slope"] for row in raw if row["method"] != "SimDR"} == {""}

    texts = {name: (folder / name).read_text() for name in ("report.md", "report.html", "tables/learning_curves.tex")}
    (section,) = re.findall(r"### Learning curves.*?\n## ", texts["report.md"], re.DOTALL)
    printed = [row for row in markdown_rows(section) if row["Gap per doubling"] != "–"]
    for row, slope in zip(printed, slopes, strict=True):
        assert row["Gap per doubling"].split()[0] == format_difference("mean_oks", slope)
    for text in texts.values():
        assert "Learning curves: mean OKS and its gap to heatmap + quarter shift" in text
    for text in (texts["report.md"], texts["report.html"]):
        assert "mean OKS by distinct training instances" in text
        assert "per doubling of training instances seen" in text
    figures = {file.stem for file in (folder / "figures").glob("learning*.png")}
    assert figures == {"learning", "learning_distinct", "learning_seen"}
    assert (folder / "report.pdf").stat().st_size > 10_000


def test_a_suites_own_table_keeps_its_name(tmp_path: Path) -> None:
    learning, made = collect(tmp_path, ONE, lambda _: -0.1)
    table = curves_table(learning, made.results().frame, ["learning_curves"])
    assert table is not None
    assert table.id == "learning_curves_"
