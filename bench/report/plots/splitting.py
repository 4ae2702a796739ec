"""The headline metric by splitting factor: how many bins per pixel a representation needs."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.lines import Line2D

from bench.analysis.formatting import backbone_name, representation_name, setting_name, setting_text
from bench.report.plots.drawing import Drawing
from bench.report.plots.groups import columns
from bench.report.plots.layout import Layout, lay_out
from bench.report.plots.marks import PUBLISHED, draw_error_bars, draw_published
from bench.report.plots.material import NOTHING, Material, Point, size_text
from bench.report.plots.style import OTHERS, looks

__all__ = ["metric_by_splitting"]


def metric_by_splitting(material: Material) -> Drawing | None:
    """A panel per backbone and representation, a line per input size; None for suites that do not vary the factor."""
    if len(material.results.plan.suite.axes.get("split_ratio", ())) < 2:
        return None
    title = f"{material.name} by splitting factor"
    points = [point for point in material.measured if point.condition.training.split_ratio is not None]
    if not points:
        return Drawing(title, NOTHING)
    lines = _lines(material, points)
    styles = looks(list(dict.fromkeys(name for members in lines.values() for name in members)), OTHERS)
    legend = {name: Line2D([], [], **look.line) for name, look in styles.items()}
    if any(point.published is not None for point in points):
        legend["published"] = Line2D([], [], **PUBLISHED)
    kinds = len(dict.fromkeys(representation for _, representation in lines))
    layout = Layout(columns(len(lines), kinds), 3.4, 2.0)
    sheet = lay_out(len(lines), layout, legend)
    for ((backbone, representation), members), axes in zip(lines.items(), sheet.panels, strict=True):
        axes.set_title(f"{backbone_name(backbone)}, {representation_name(representation)}")
        for name, series in members.items():
            factors = [_factor(point) for point in series]
            axes.plot(factors, [point.level for point in series], **styles[name].line)
            draw_error_bars(axes, factors, series)
            draw_published(axes, factors, series)
    factors = sorted({_factor(point) for point in points})
    sheet.panels[0].set_xscale("log")
    sheet.panels[0].set_xticks(factors, [f"{factor:g}" for factor in factors])
    sheet.panels[0].set_xticks([], minor=True)
    sheet.panels[0].margins(x=0.06, y=0.12)
    figure = sheet.finish("splitting factor k (bins per px)", material.label)
    caption = (
        f"{material.name} by splitting factor, a line per input size, mean over seeds; {material.counted(points)}."
        f" {material.error_bars(points)}"
    )
    diamonds = " Diamonds: the paper's value, where a row measures the same." * ("published" in legend)
    return Drawing(title, caption + diamonds, figure)


def _lines(material: Material, points: list[Point]) -> Mapping[tuple[str, str], dict[str, list[Point]]]:
    """Points by panel and line, each line in the order of the factor."""
    others = [name for name in material.results.ablated if name != "split_ratio"]
    lines: dict[tuple[str, str], dict[str, list[Point]]] = {}
    for point in sorted(points, key=_factor):
        settings = point.condition.settings
        details = [f"{setting_name(name)} {setting_text(settings[name])}" for name in others]
        name = ", ".join([size_text(point.size), *details])
        panel = lines.setdefault((point.backbone, point.condition.training.representation), {})
        panel.setdefault(name, []).append(point)
    return lines


def _factor(point: Point) -> float:
    return point.condition.training.split_ratio or 0.0
