"""What hides behind a headline number: the same measure threshold by threshold, and keypoint by keypoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.report.plots.drawing import Drawing
from bench.report.plots.groups import PANEL_WIDTH, Panel, absence, arrange, name_rows, readings, room
from bench.report.plots.layout import Layout, lay_out
from bench.report.plots.material import Material, Point

__all__ = ["measure_by_keypoint", "measure_by_threshold"]

SIDES = ("left_", "right_")
"""What the names of keypoints that come in pairs begin with."""

THRESHOLDS = {"AP": "object keypoint similarity (OKS)", "PCKh": "threshold (head sizes)"}


def measure_by_threshold(material: Material) -> Drawing | None:
    """A panel per backbone and input size, a line per row; None where annotations are not public."""
    if not material.annotated:
        return None
    title = "PCKh curves" if material.measure == "PCKh" else "Average precision by OKS threshold"
    curves = {point: curve for point in material.measured if (curve := _curve(point, material.measure))}
    problems = _unreadable(material.measured)
    if not curves:
        return Drawing(title, absence(material), problems=problems)
    arranged = arrange(list(curves))
    layout = Layout(arranged.across, PANEL_WIDTH, 1.2 if len(arranged.shown) > 1 else 2.0)
    sheet = lay_out(len(arranged.shown), layout, _lines(material, arranged.points))
    for panel, axes in zip(arranged.shown, sheet.panels, strict=True):
        axes.set_title(panel.title)
        for point in panel.points:
            look = material.methods[point.method].line | {"markersize": 3}
            axes.plot(list(curves[point]), list(curves[point].values()), **look)
    sheet.panels[0].set_ylim(0, 104)
    figure = sheet.finish(THRESHOLDS[material.measure], f"{material.measure} (%)")
    caption = (
        f"{material.measure} over all keypoints by {THRESHOLDS[material.measure]}, a line per row of the tables, mean"
        f" over seeds; {material.counted(arranged.points)}. The higher, the better; the further a line stays up, the"
        f" more exact are its keypoints.{arranged.remark}{material.legend_remark}"
    )
    return Drawing(title, caption, figure, problems)


def measure_by_keypoint(material: Material) -> Drawing | None:
    """A panel per backbone and input size, a dot per keypoint and row; None where annotations are not public."""
    if not material.annotated:
        return None
    title = f"{material.measure} by keypoint"
    keypoints = {point: found for point in material.measured if (found := _keypoints(point, material.measure))}
    if not keypoints:
        return Drawing(title, absence(material))
    arranged = arrange(list(keypoints))
    names = list(dict.fromkeys(name for found in keypoints.values() for name in found))
    left = room(names)
    layout = Layout(arranged.across, PANEL_WIDTH, 0.115 * len(names) + 0.1, left=left)
    sheet = lay_out(len(arranged.shown), layout, _dots(material, arranged.points))
    for panel, axes in zip(arranged.shown, sheet.panels, strict=True):
        _draw_keypoints(axes, material, panel, keypoints, names)
    name_rows(sheet.panels[0], names)
    figure = sheet.finish(f"{material.measure} (%)", "", grid="both")
    caption = (
        f"{material.measure} of single keypoints, mean over seeds; {material.counted(arranged.points)}. Those that come"
        f" in pairs are the mean of left and right.{arranged.remark}{material.legend_remark}"
    )
    return Drawing(title, caption, figure)


def _curve(point: Point, measure: str) -> Mapping[float, float]:
    """A row's measure by threshold, in the order of thresholds; what is no threshold is left out."""
    found = ((_number(name), value) for name, value in readings(point, "curve", measure).items())
    return dict(sorted((threshold, value) for threshold, value in found if math.isfinite(threshold)))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _unreadable(points: Iterable[Point]) -> tuple[str, ...]:
    """Names of thresholds that are no numbers, and the records that have them."""
    return tuple(
        f"record {record.id}: {name!r} is no threshold of a curve"
        for point in points
        for record in point.condition.records
        if record.diagnostics is not None
        for name in record.diagnostics.curve
        if not math.isfinite(_number(name))
    )


def _keypoints(point: Point, measure: str) -> Mapping[str, float]:
    """A row's measure by keypoint in words; the mean of left and right of keypoints that come in pairs."""
    found = readings(point, "joints", measure)
    sums: dict[str, list[float]] = {}
    for name, value in found.items():
        side = next((side for side in SIDES if name.startswith(side)), "")
        other = SIDES[side == SIDES[0]] + name.removeprefix(side)
        paired = bool(side) and other in found
        sums.setdefault(name.removeprefix(side) if paired else name, []).append(value)
    return {name.replace("_", " ").strip() or name: sum(values) / len(values) for name, values in sums.items()}


def _draw_keypoints(
    axes: Axes, material: Material, panel: Panel, keypoints: Mapping[Point, Mapping[str, float]], names: Sequence[str]
) -> None:
    axes.set_title(panel.title)
    for method, look in material.methods.items():
        found = [keypoints[point] for point in panel.points if point.method == method]
        dots = [(values[name], row) for values in found for row, name in enumerate(names) if name in values]
        axes.plot(
            [x for x, _ in dots], [y for _, y in dots], linestyle="", **look.point | {"markersize": 3.4}, zorder=3
        )


def _lines(material: Material, points: Sequence[Point]) -> dict[str, Artist]:
    drawn = {point.method for point in points}
    return {name: Line2D([], [], **look.line) for name, look in material.methods.items() if name in drawn}


def _dots(material: Material, points: Sequence[Point]) -> dict[str, Artist]:
    drawn = {point.method for point in points}
    return {
        name: Line2D([], [], linestyle="", **look.point) for name, look in material.methods.items() if name in drawn
    }
