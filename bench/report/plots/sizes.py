"""The headline metric by input size and method: bars, or points where there are too many methods for bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.analysis.formatting import backbone_name, in_print_units
from bench.report.plots.conditions import common_baseline
from bench.report.plots.drawing import Drawing
from bench.report.plots.layout import PAGE_WIDTH, Layout, lay_out
from bench.report.plots.marks import PUBLISHED, draw_error_bars, draw_published
from bench.report.plots.material import NOTHING, Material, Point, size_text
from bench.report.plots.style import FAINT, INK, plain

__all__ = ["metric_by_size"]

BARS_WIDTH = 0.84
"""Of the bars of one input size; 1 would touch the next size's."""

LABEL_WIDTH, UPRIGHT_LABEL_WIDTH = 0.21, 0.1
"""Of a bar with room for its number, written across it or along it, in inches."""

LABEL_HEIGHT = 0.1
"""Of a bar's number, as a fraction of the highest bar."""

BASELINE: dict[str, Any] = {"color": INK, "linestyle": (0, (4, 2)), "linewidth": 0.9, "zorder": 3}


@dataclass(frozen=True)
class _Slots:
    """Where the bars of a panel stand, and how wide they come out; `top` is the highest value in any panel."""

    material: Material
    names: tuple[str, ...]
    top: float
    inches: float

    @property
    def width(self) -> float:
        """Of one bar; input sizes are 1 apart."""
        return BARS_WIDTH / len(self.names)

    def place(self, point: Point) -> float:
        """Center of a point's bar."""
        offset = self.names.index(point.method) - (len(self.names) - 1) / 2
        return self.material.sizes.index(point.size) + offset * self.width


def metric_by_size(material: Material) -> Drawing:
    """A panel per backbone, a bar per row of the tables; the paper's value where a row measures the same."""
    title = f"{material.name} by input size"
    if not material.measured:
        return Drawing(title, NOTHING)
    layout = _layout(material)
    width, _ = layout.placed(len(material.backbones)).size
    slots = _Slots(material, tuple(material.methods), _top(material), width / len(material.sizes))
    baseline = common_baseline(material.results.records).get(material.metric)
    sheet = lay_out(len(material.backbones), layout, _legend(material, baseline))
    for backbone, axes in zip(material.backbones, sheet.panels, strict=True):
        _draw(axes, slots, [point for point in material.points if point.backbone == backbone])
        if baseline is not None:
            axes.axhline(in_print_units(material.metric, baseline), **BASELINE)
        axes.set_title(backbone_name(backbone))
    sheet.panels[0].set_xticks(range(len(material.sizes)), [size_text(size) for size in material.sizes])
    sheet.panels[0].set_xlim(-0.5, len(material.sizes) - 0.5)
    sheet.panels[0].set_ylim(0, 1.14 * slots.top)
    figure = sheet.finish("input size (height × width, px)", material.label)
    caption = (
        f"{material.name} by input size and method, mean over seeds; {material.counted(material.measured)}."
        f" {material.error_bars(material.measured)}{_published_remark(material)}{material.legend_remark}"
    )
    return Drawing(title, caption, figure)


def _layout(material: Material) -> Layout:
    """Two panels to a line; one, as wide as the page, where there is only one or bars would get too thin."""
    bars = len(material.methods) * len(material.sizes)
    lone = len(material.backbones) == 1 or bars * LABEL_WIDTH > PAGE_WIDTH / 2
    width = min(PAGE_WIDTH, max(3.4, bars * 1.6 * LABEL_WIDTH)) if lone else PAGE_WIDTH / 2
    return Layout(1 if lone else 2, width, 1.75)


def _legend(material: Material, baseline: float | None) -> dict[str, Artist]:
    entries: dict[str, Artist] = {
        method: Patch(**look.area) if material.told_apart else Line2D([], [], linestyle="", **look.point)
        for method, look in material.methods.items()
    }
    if any(point.published is not None for point in material.points):
        entries["published"] = Line2D([], [], **PUBLISHED)
    if baseline is not None:
        entries["mean pose baseline"] = Line2D([], [], **BASELINE)
    return entries


def _draw(axes: Axes, slots: _Slots, points: Sequence[Point]) -> None:
    """The panel of one backbone: bars with error bars and numbers or the word why there is none; the paper's values."""
    material = slots.material
    measured = [point for point in points if point.value is not None]
    for method, look in material.methods.items():
        members = [point for point in measured if point.method == method]
        places, levels = [slots.place(point) for point in members], [point.level for point in members]
        if material.told_apart:
            axes.bar(places, levels, width=0.94 * slots.width, zorder=2, **look.area)
        else:
            axes.plot(places, levels, linestyle="", **look.point, zorder=2)
    draw_error_bars(axes, [slots.place(point) for point in measured], measured)
    draw_published(axes, [slots.place(point) + 0.3 * slots.width for point in points], points)
    if material.told_apart:
        for point in points:
            _write(axes, slots, point)


def _tip(slots: _Slots, point: Point) -> float:
    """Over which a bar's number goes: the error bar, and a published value that the number would hide."""
    tip = max([point.level, *(point.interval or ())])
    if point.published is not None and -0.03 < (point.published - tip) / slots.top < LABEL_HEIGHT:
        return max(tip, point.published + 0.015 * slots.top)
    return tip


def _write(axes: Axes, slots: _Slots, point: Point) -> None:
    """A number over a bar, or in its place the word why there is none; nothing where there is no room."""
    room = slots.inches * slots.width
    if room < UPRIGHT_LABEL_WIDTH:
        return
    if point.value is None:
        text, tip, color = point.condition.measurements[0].reason.partition(":")[0] or "n/a", 0.0, FAINT
    else:
        text, tip, color = point.text, _tip(slots, point), INK
    upright = point.value is None or room < LABEL_WIDTH
    axes.annotate(
        plain(text), (slots.place(point), tip), (0, 2.5), textcoords="offset points", ha="center", va="bottom",
        color=color, fontsize=6, rotation=90 if upright else 0, zorder=6,
    )  # fmt: skip


def _top(material: Material) -> float:
    """The highest value that is drawn, error bars and published values included."""
    return max((point.top for point in material.points), default=0) or 1.0


def _published_remark(material: Material) -> str:
    count = sum(point.published is not None for point in material.points)
    return f" Diamonds: the paper's value, for the {count} rows that measure the same." if count else ""
