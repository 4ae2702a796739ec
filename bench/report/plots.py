"""Plots of a suite as PNG: the headline metric by input size and method, and training curves by epoch.

Figures are drawn on canvases of their own: pyplot's global state stays as it was.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bench.report.formatting import (
    backbone_name,
    format_metric,
    in_print_units,
    metric_name,
    representation_name,
)
from bench.report.results import Condition, Results, common_baseline, headline_metric

__all__ = ["bar_plot", "new_figure", "to_png", "training_curves"]

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""Okabe and Ito's colours, which the common colour-vision deficiencies keep apart."""

HATCHES = ("", "///", "...", "xxx", "\\\\\\", "---", "+++", "ooo")
"""One per colour, so that a grey print keeps them apart too."""

INK, FAINT = "#222222", "#767676"
TITLE: dict[str, Any] = {"fontsize": 11, "loc": "left", "fontweight": "bold", "color": INK}
DPI = 160
PANEL_WIDTH, LONE_PANEL_WIDTH, PANEL_HEIGHT = 4.6, 6.4, 3.6
"""In inches."""

LEGEND_ENTRY_WIDTH = 1.75
"""Room for an entry of a legend in inches."""

LABEL_HEIGHT = 0.1
"""Of a bar's number, as a fraction of the highest bar."""

BARS_WIDTH = 0.8
"""Of the bars of one input size; 1 would touch the next size's."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that pyplot does not know of."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file, without the time that it was made, so that equal figures are equal files."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def bar_plot(results: Results) -> bytes | None:
    """Bars of the headline metric by input size and method, a panel per backbone; None if nothing is measured."""
    metric = headline_metric(results.plan.suite)
    if not any(condition.values(metric) for condition in results.conditions):
        return None
    backbones = list(dict.fromkeys(condition.training.backbone for condition in results.conditions))
    methods = tuple(dict.fromkeys(results.method(condition) for condition in results.conditions))
    sizes = tuple(dict.fromkeys(condition.training.input_size for condition in results.conditions))
    width = max(PANEL_WIDTH if len(backbones) > 1 else LONE_PANEL_WIDTH, 1.2 + 0.38 * len(methods) * len(sizes))
    figure, panels = _panels(len(backbones), width, across=2)
    bars = _Bars(results, metric, methods, sizes, _highest(results, metric))
    for backbone, axes in zip(backbones, panels, strict=True):
        _draw_bars(axes, bars, backbone)
    # Every method is explained, whichever panels have a bar of it.
    swatches = {method: Patch(label=method, **_bar_style(number)) for number, method in enumerate(methods)}
    _share_legend(figure, panels, swatches)
    return to_png(figure)


def training_curves(results: Results) -> bytes | None:
    """Loss by epoch, a panel per representation, a line per training; None if no training is finished."""
    frame = _curves(results)
    if frame.empty:
        return None
    # The order of the panels is that of the tables.
    representations = list(dict.fromkeys(frame["representation"]))
    networks = list(dict.fromkeys(frame["network"]))
    palette = {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(networks)}
    width = LONE_PANEL_WIDTH if len(representations) == 1 else PANEL_WIDTH
    figure, panels = _panels(len(representations), width, across=3)
    for representation, axes in zip(representations, panels, strict=True):
        sns.lineplot(
            frame[frame["representation"] == representation],
            x="epoch",
            y="loss",
            hue="network",
            style="network",
            style_order=networks,
            hue_order=networks,
            palette=palette,
            units="training",
            estimator=None,
            markers=bool(frame["epoch"].max() <= 30),
            ax=axes,
        )
        _finish_curves(axes, representation)
    _share_legend(figure, panels, {})
    return to_png(figure)


def _panels(count: int, width: float, *, across: int) -> tuple[Figure, list[Axes]]:
    """A figure with that many panels of that width in inches, at most `across` to a line."""
    across = min(count, across)
    down = -(-count // across)
    figure = new_figure(width * across, PANEL_HEIGHT * down + 0.4)
    return figure, [figure.add_subplot(down, across, number + 1) for number in range(count)]


@dataclass(frozen=True)
class _Bars:
    """What all panels of the bar plot share; `top` is the highest value in it, in printed units."""

    results: Results
    metric: str
    methods: tuple[str, ...]
    sizes: tuple[str, ...]
    top: float

    @property
    def width(self) -> float:
        """Of one bar; input sizes are 1 apart."""
        return BARS_WIDTH / len(self.methods)

    def place(self, condition: Condition) -> float:
        """Centre of a condition's bar."""
        offset = self._number(condition) - (len(self.methods) - 1) / 2
        return self.sizes.index(condition.training.input_size) + offset * self.width

    def style(self, condition: Condition) -> dict[str, Any]:
        """Colour and hatch of a condition's bar."""
        return _bar_style(self._number(condition))

    def _number(self, condition: Condition) -> int:
        return self.methods.index(self.results.method(condition))


def _bar_style(number: int) -> dict[str, Any]:
    return {
        "facecolor": PALETTE[number % len(PALETTE)],
        "hatch": HATCHES[number % len(HATCHES)],
        "edgecolor": INK,
        "linewidth": 0.7,
    }


def _draw_bars(axes: Axes, bars: _Bars, backbone: str) -> None:
    """The panel of one backbone."""
    for condition in bars.results.conditions:
        if condition.training.backbone == backbone:
            _draw_bar(axes, bars, condition)
    baseline = common_baseline(bars.results.records).get(bars.metric)
    if baseline is not None:
        level = in_print_units(bars.metric, baseline)
        axes.axhline(level, color=INK, linestyle="--", linewidth=1, zorder=3, label="mean pose baseline")
    axes.set_title(backbone_name(backbone), **TITLE)
    _finish_bars(axes, bars)


def _draw_bar(axes: Axes, bars: _Bars, condition: Condition) -> None:
    """One condition's bar with its error bar and value, or the word why there is none; the paper's value over it."""
    metric, place = bars.metric, bars.place(condition)
    published = _published(condition, metric)
    if published is not None:
        axes.scatter([place], [published], marker="D", s=26, color="white", edgecolor=INK, zorder=5, label="published")
    mean, deviation = condition.mean(metric), condition.deviation(metric)
    if mean is None:
        reason = condition.measurements[0].reason.partition(":")[0] or "n/a"
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        _write_over(axes, reason, place, 0, rotation=90, fontsize=7, color=FAINT, bbox=ground, zorder=6)
        return
    height = in_print_units(metric, mean)
    error = None if deviation is None else in_print_units(metric, deviation)
    errors = None if error is None else [error]
    axes.bar(
        [place], [height], width=0.94 * bars.width, yerr=errors, capsize=2.5, zorder=2, **bars.style(condition),
        error_kw={"elinewidth": 1.1, "ecolor": INK, "zorder": 4},
    )  # fmt: skip
    tip = height + (error or 0)
    # A published value just over the bar would be hidden by the bar's number, which then goes over both.
    if published is not None and -0.02 < (published - tip) / bars.top < LABEL_HEIGHT:
        tip = max(tip, published + 0.01 * bars.top)
    _write_over(axes, format_metric(metric, mean), place, tip, fontsize=8)


def _published(condition: Condition, metric: str) -> float | None:
    """The paper's value in printed units where a condition measures the same."""
    rows = [row for row in condition.measurements[0].evaluation.published if metric in row.metrics]
    return in_print_units(metric, rows[0].metrics[metric]) if rows else None


def _highest(results: Results, metric: str) -> float:
    """The highest value of the bar plot in printed units, error bars and published values included."""
    tops = [0.0]
    for condition in results.conditions:
        tops.append(_published(condition, metric) or 0)
        height = (condition.mean(metric) or 0) + (condition.deviation(metric) or 0)
        tops.append(in_print_units(metric, height))
    return max(tops) or 1.0


def _write_over(axes: Axes, text: str, x: float, y: float, **style: Any) -> None:
    """Text centred a little above a point."""
    style = {"color": INK} | style
    axes.annotate(text, (x, y), (0, 4), textcoords="offset points", ha="center", va="bottom", **style)


def _finish_bars(axes: Axes, bars: _Bars) -> None:
    axes.set_xticks(range(len(bars.sizes)), [size.replace("x", "×") for size in bars.sizes])
    axes.set_xlim(-0.5, len(bars.sizes) - 0.5)
    axes.set_xlabel("input size (height × width, px)")
    percent = in_print_units(bars.metric, 1) != 1
    axes.set_ylabel(f"{metric_name(bars.metric)} (%)" if percent else metric_name(bars.metric))
    axes.set_ylim(0, 1.12 * bars.top)
    _tidy(axes)


def _finish_curves(axes: Axes, representation: str) -> None:
    axes.set_title(representation_name(representation), **TITLE)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    sns.despine(ax=axes)


def _share_legend(figure: Figure, panels: Sequence[Axes], first: Mapping[str, Artist]) -> None:
    """One legend over all panels, each entry once, after those given."""
    entries = dict(first)
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(dict(zip(labels, handles, strict=True)))
        if (legend := axes.get_legend()) is not None:
            legend.remove()
    columns = max(2, int(figure.get_figwidth() / LEGEND_ENTRY_WIDTH))
    figure.legend(
        list(entries.values()), list(entries), loc="outside upper center", ncols=min(len(entries), columns),
        frameon=False, fontsize=9,
    )  # fmt: skip


def _curves(results: Results) -> pd.DataFrame:
    """Losses by epoch of the finished trainings; `network` names the line, `training` keeps seeds apart."""
    rows = [
        {
            "representation": condition.training.representation,
            "network": _network(results, condition),
            "training": item.training.spec.id,
            "epoch": entry.epoch,
            "loss": entry.loss,
        }
        for condition in results.conditions
        for item in condition.measurements
        if item.training.spec.id in results.trainings
        for entry in results.trainings[item.training.spec.id].history
    ]
    # A training that is measured in several ways comes once for each.
    return pd.DataFrame(rows).drop_duplicates(["training", "epoch"]) if rows else pd.DataFrame()


def _network(results: Results, condition: Condition) -> str:
    """Backbone, input size, and the training's ablated settings."""
    detail = results.method(condition).partition(" (")[2]
    name = f"{backbone_name(condition.training.backbone)} {condition.training.input_size}"
    return f"{name} ({detail}" if detail else name
