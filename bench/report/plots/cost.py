"""The headline metric against what a network costs: multiply-adds, counted truly and as the paper counts, and size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from bench.analysis.formatting import backbone_name
from bench.paper.rows import PublishedRow
from bench.planning.plan import BINARY_GIGA, GIGA
from bench.pose.models.network import Complexity
from bench.report.plots.drawing import Drawing
from bench.report.plots.layout import Layout, lay_out, log_axis
from bench.report.plots.material import NOTHING, Material, Point
from bench.report.plots.style import INK, plain, text_width

__all__ = ["metric_by_parameters", "metric_by_work"]

MILLION = 1e6

PRINTED: dict[str, Any] = {"color": INK, "marker": "x", "markersize": 4.5, "markeredgewidth": 0.9, "linestyle": ":",
                           "linewidth": 0.8, "zorder": 4}  # fmt: skip
PRINTED_NAME = "as the paper prints it, where that differs"

NAME_SIZE = 6.5
"""Of a backbone's name, in points."""

NAMES_ROOM = 0.1
"""Under the lowest point, as a part of the axis."""


@dataclass(frozen=True)
class _Cost:
    """A way to say what a network costs: its axis, our count, and the paper's number where it means the same."""

    label: str
    ours: Callable[[Complexity], float]
    printed: Callable[[PublishedRow], float | None]


WORK = (
    _Cost("multiply-adds per image (10⁹)", lambda size: size.multiply_adds / GIGA, lambda _: None),
    _Cost(
        "GFLOPs per image as the paper counts (2³⁰)",
        lambda size: size.published_convention / BINARY_GIGA,
        lambda row: row.gflops,
    ),
)
PARAMETERS = (_Cost("parameters (millions)", lambda size: size.params / MILLION, lambda row: row.params_m),)


def metric_by_work(material: Material) -> Drawing:
    """Two panels: multiply-adds as they are, and GFLOPs as the paper counts them."""
    return _draw(material, f"{material.name} against GFLOPs", WORK)


def metric_by_parameters(material: Material) -> Drawing:
    """One panel: the number of parameters."""
    return _draw(material, f"{material.name} against parameters", PARAMETERS)


def _draw(material: Material, title: str, costs: tuple[_Cost, ...]) -> Drawing:
    if not material.measured:
        return Drawing(title, NOTHING)
    differ = any(_misprints(point, cost) for point in material.measured for cost in costs)
    layout = Layout(len(costs), 4.2, 2.6, left=0.5, title=0.08, same_x=False, same_y=False)
    sheet = lay_out(len(costs), layout, _legend(material, differ=differ))
    for cost, axes in zip(costs, sheet.panels, strict=True):
        _draw_panel(axes, material, cost)
    figure = sheet.finish("", material.label)
    for cost, axes in zip(costs, sheet.panels, strict=True):
        axes.set_xlabel(cost.label)
    caption = (
        f"{material.name} against {' and '.join(cost.label for cost in costs)}; logarithmic. A point per row of the"
        f" tables, mean over seeds; {material.counted(material.measured)}."
        f"{_joined(material)}"
    )
    if differ:
        caption += " Crosses: the size that the paper prints for the same row, where ours does not round to it."
    return Drawing(title, caption + material.legend_remark, figure)


def _joined(material: Material) -> str:
    joined = material.told_apart and len(material.sizes) > 1
    return " Lines join the input sizes of a backbone, whose name is under its lowest point." * joined


def _legend(material: Material, *, differ: bool) -> dict[str, Artist]:
    lines = material.told_apart and len(material.sizes) > 1
    entries: dict[str, Artist] = {
        method: Line2D([], [], **(look.line if lines else look.point | {"linestyle": ""}))
        for method, look in material.methods.items()
    }
    return entries | ({PRINTED_NAME: Line2D([], [], **PRINTED)} if differ else {})


def _draw_panel(axes: Axes, material: Material, cost: _Cost) -> None:
    for (_, method), points in _series(material).items():
        look = material.methods[method]
        places = sorted((cost.ours(point.planned.complexity), point.level) for point in points)
        x, y = [x for x, _ in places], [y for _, y in places]
        if material.told_apart:
            axes.plot(x, y, color=look.color, linestyle=look.dashes, linewidth=0.8, alpha=0.7, zorder=2)
        axes.plot(x, y, linestyle="", **look.point, zorder=3)
    for point in material.measured:
        for printed in _misprints(point, cost):
            x, y = [cost.ours(point.planned.complexity), printed], [point.level, point.level]
            axes.plot(x, y, markevery=[1], **PRINTED)
    axes.margins(x=0.12, y=0.12)
    log_axis(axes, "x")
    if len(material.backbones) > 1:
        _write_names(axes, _lowest(material, cost))


def _series(material: Material) -> Mapping[tuple[str, str], list[Point]]:
    """Measured points by backbone and method."""
    series: dict[tuple[str, str], list[Point]] = {}
    for point in material.measured:
        series.setdefault((point.backbone, point.method), []).append(point)
    return series


def _misprints(point: Point, cost: _Cost) -> list[float]:
    """Sizes that the paper prints for a row, to one decimal, and that ours does not round to."""
    ours = round(cost.ours(point.planned.complexity), 1)
    printed = (cost.printed(row) for row in point.condition.measurements[0].evaluation.published)
    return sorted({value for value in printed if value is not None and value != ours})


def _lowest(material: Material, cost: _Cost) -> dict[str, tuple[float, float]]:
    """Where each backbone's lowest point is."""
    lowest: dict[str, tuple[float, float]] = {}
    for point in material.measured:
        if point.level < lowest.get(point.backbone, (0, math.inf))[1]:
            lowest[point.backbone] = cost.ours(point.planned.complexity), point.level
    return lowest


def _write_names(axes: Axes, places: Mapping[str, tuple[float, float]]) -> None:
    """Names of backbones under their lowest points, each lowered until it hides no other."""
    axes.autoscale_view()
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom - NAMES_ROOM * (top - bottom), top)
    points = 72 / axes.figure.dpi
    left, right = points * axes.bbox.x0, points * axes.bbox.x1
    written: list[tuple[float, float, float]] = []
    for backbone, (x, y) in sorted(places.items(), key=lambda item: -item[1][1]):
        name = plain(backbone_name(backbone))
        half, under = 36 * text_width(name, NAME_SIZE, bold=True) + 1, -4.0
        place, up = (points * axes.transData.transform((x, y))).tolist()
        across = min(max(place, left + half), right - half)
        while any(abs(across - a) < half + h and abs(up + under - u) < NAME_SIZE + 1 for a, u, h in written):
            under -= 1
        written.append((across, up + under, half))
        axes.annotate(
            name, (x, y), (across - place, under), textcoords="offset points", ha="center", va="top", color=INK,
            fontsize=NAME_SIZE, fontweight="bold", path_effects=[withStroke(linewidth=1.5, foreground="white")],
            zorder=6,
        )  # fmt: skip
