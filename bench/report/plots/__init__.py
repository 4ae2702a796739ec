"""Plots of a suite's results, legible in grey print and for color-blind readers.

    style             the seaborn theme, how series are told apart, the mark of simulated numbers, files of figures
    panels            small multiples, legends, error bars, published values
    plot_data         the frames that plots are drawn from
    drawing           a figure with its caption, or the reason why there is none
    score_plots       the headline metric by input size, by splitting factor, and under the representation's ceiling
    cost_plots        the headline metric against multiply-adds, GFLOPs as the paper counts them, and parameters
    diagnostic_plots  AP by OKS threshold or PCKh curves, single keypoints, kinds of errors
    sensitivity_plot  how far choices of the protocol move the headline metric
    learning_curves   the headline metric by number of training instances, and gaps between representations
    training_curves   loss and validation by epoch, with bands over seeds

Each plot is a function from a frame to a figure (`plot_bars`), and beside it one from `PlotData` to the `Drawing` of a
report (`bars`), which is None for what a suite can never have. In a notebook:

    frame = bench.load_results("results", "suites/coco_val.yaml")
    rows = summarize_rows(frame, "AP")
    with plot_style():
        plot_bars(rows, "AP")
        plot_keypoints(join_rows(load_keypoints("results"), frame, rows))

Without `plot_style` figures follow the session's own style.
"""

from bench.report.plots.cost_plots import gflops, parameters, plot_cost
from bench.report.plots.diagnostic_plots import (
    errors,
    keypoints,
    plot_errors,
    plot_keypoints,
    plot_thresholds,
    thresholds,
)
from bench.report.plots.drawing import Drawing
from bench.report.plots.learning_curves import draw_learning, plot_learning
from bench.report.plots.plot_data import PlotData, gather_plot_data, join_rows
from bench.report.plots.score_plots import bars, ceiling, plot_bars, plot_ceiling, plot_splitting, splitting
from bench.report.plots.sensitivity_plot import draw_sensitivity, plot_sensitivity, sensitivity_frame
from bench.report.plots.style import mark_simulated, plot_style, render_figure
from bench.report.plots.training_curves import loss, plot_epochs, validation

__all__ = [
    "Drawing", "PlotData", "bars", "ceiling", "draw_learning", "draw_sensitivity", "errors", "gather_plot_data",
    "gflops", "join_rows", "keypoints", "loss", "mark_simulated", "parameters", "plot_bars", "plot_ceiling",
    "plot_cost", "plot_epochs", "plot_errors", "plot_keypoints", "plot_learning", "plot_sensitivity",
    "plot_splitting", "plot_style", "plot_thresholds", "render_figure", "sensitivity_frame", "splitting",
    "thresholds", "validation",
]  # fmt: skip
