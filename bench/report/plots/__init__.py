"""Plots of a suite's results, drawn for instances who cannot tell all colors apart and for grey print.

    style         colors, markers, hatches, dashes and letters; the mark of made-up numbers
    marks         error bars and the paper's values
    layout        panels on a page, and the legend over them
    material      what is drawn: the rows of the tables as points, and how each method looks, the same in all figures
    groups        small multiples by backbone and input size; the diagnostics of a row
    sizes         the headline metric by input size and method
    cost          the headline metric against multiply-adds, GFLOPs as the paper counts them, and parameters
    splitting     the headline metric by splitting factor
    diagnostics   AP by OKS threshold or PCKh curves, and the measure of single keypoints
    errors        kinds of errors
    training      loss and validation by epoch, with bands over seeds
    ceiling       what the representation itself allows, beside what was measured

Each plot is a function from a `Material` to a `Drawing`: a figure with its caption, or the reason why there is none. It
is None for what a suite can never have, such as a splitting factor that does not vary. Call them within `print_style`.
Figures are no wider than a page's text and meant to be seen at their own size.
"""

from bench.report.plots.cost import metric_by_parameters, metric_by_work
from bench.report.plots.diagnostic_plots import measure_by_keypoint, measure_by_threshold
from bench.report.plots.drawing import Drawing
from bench.report.plots.error_kinds import errors_by_kind
from bench.report.plots.learning_curves import loss_by_epoch, validation_by_epoch
from bench.report.plots.material import Material, Point, gather
from bench.report.plots.quantization import metric_under_ceiling
from bench.report.plots.sizes import metric_by_size
from bench.report.plots.splitting import metric_by_splitting
from bench.report.plots.style import mark_simulated, print_style, to_png

__all__ = [
    "Drawing",
    "Material",
    "Point",
    "errors_by_kind",
    "gather",
    "loss_by_epoch",
    "mark_simulated",
    "measure_by_keypoint",
    "measure_by_threshold",
    "metric_by_parameters",
    "metric_by_size",
    "metric_by_splitting",
    "metric_by_work",
    "metric_under_ceiling",
    "print_style",
    "to_png",
    "validation_by_epoch",
]
