"""What is lost to the representation alone: the score of a network without any error, beside those measured."""

from __future__ import annotations

import statistics
from typing import Any

from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from bench.analysis.formatting import backbone_name, in_print_units
from bench.report.plots.drawing import Drawing
from bench.report.plots.groups import absence
from bench.report.plots.layout import PAGE_WIDTH, Layout, lay_out
from bench.report.plots.material import Material, Point, size_text
from bench.report.plots.style import INK

__all__ = ["metric_under_ceiling"]

SLOTS_WIDTH = 0.84
"""Of the methods of one input size; 1 would touch the next size's."""

CEILING: dict[str, Any] = {"color": INK, "linewidth": 1.6, "zorder": 3}


def metric_under_ceiling(material: Material) -> Drawing | None:
    """A slot per input size and method, with its ceiling and a point per row; None where there can be no ceiling."""
    if not material.annotated:
        return None
    title = f"Ceiling of the representation and measured {material.name}"
    ceilings = {point: ceiling for point in material.measured if (ceiling := _ceiling(point, material.metric))}
    if not ceilings:
        return Drawing(title, absence(material))
    names = list(dict.fromkeys(point.method for point in ceilings))
    sizes = [size for size in material.sizes if any(point.size == size for point in ceilings)]
    slot = SLOTS_WIDTH / len(names)
    width = min(PAGE_WIDTH, max(3.4, 0.45 * len(names) * len(sizes)))
    legend: dict[str, Artist] = {"ceiling": Line2D([], [], **CEILING)}
    legend |= {name: Line2D([], [], linestyle="", **material.methods[name].point) for name in names}
    sheet = lay_out(1, Layout(1, width, 2.2, title=0.08), legend)
    (axes,) = sheet.panels
    for method in names:
        points = [point for point in ceilings if point.method == method]
        centers = [sizes.index(point.size) + (names.index(method) - (len(names) - 1) / 2) * slot for point in points]
        axes.hlines([ceilings[point] for point in points], [center - 0.46 * slot for center in centers],
                    [center + 0.46 * slot for center in centers], **CEILING)  # fmt: skip
        steps = [(material.backbones.index(point.backbone) + 0.5) / len(material.backbones) - 0.5 for point in points]
        places = [center + 0.8 * slot * step for center, step in zip(centers, steps, strict=True)]
        axes.plot(places, [point.level for point in points], linestyle="", **material.methods[method].point, zorder=4)
    axes.set_xticks(range(len(sizes)), [size_text(size) for size in sizes])
    axes.set_xlim(-0.5, len(sizes) - 0.5)
    axes.margins(y=0.08)
    figure = sheet.finish("input size (height × width, px)", material.label)
    backbones = ", ".join(map(backbone_name, material.backbones))
    order = f", from left to right of {backbones}" if len(material.backbones) > 1 else ""
    caption = (
        f"Bars: {material.name} of outputs without any error, encoded and decoded as the row does it: what the"
        f" representation itself allows. Points: {material.name} as measured, one per row of the tables, mean over"
        f" seeds{order}; {material.counted(list(ceilings))}.{material.legend_remark}"
    )
    return Drawing(title, caption, figure)


def _ceiling(point: Point, metric: str) -> float | None:
    """A row's ceiling in printed units, mean over seeds; None where no seed has it."""
    found = [record.ceiling[metric] for record in point.condition.records if record.ceiling.get(metric, -1) >= 0]
    return in_print_units(metric, statistics.fmean(found)) if found else None
