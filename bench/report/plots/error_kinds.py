"""What kinds of errors were made: jitter, inversion, swap and miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.report.plots.drawing import Drawing
from bench.report.plots.groups import PANEL_WIDTH, absence, arrange, name_rows, readings, room
from bench.report.plots.layout import Layout, lay_out
from bench.report.plots.material import Material
from bench.report.plots.style import OTHERS, Look, looks

__all__ = ["errors_by_kind"]

KINDS = ("jitter", "inversion", "swap", "miss")
"""Of errors, in the order in which they are stacked; the rest is good."""

GOOD = "good"


def errors_by_kind(material: Material) -> Drawing | None:
    """A panel per backbone and input size, a stacked bar per method; None where there is no such reading."""
    if not material.annotated:
        return None
    title = "Kinds of errors"
    errors = {point: found for point in material.measured if (found := readings(point, "errors", material.measure))}
    if not errors:
        # PCKh has no falloff per keypoint by which to tell errors apart.
        return None if material.measure == "PCKh" else Drawing(title, absence(material))
    arranged = arrange(list(errors))
    methods = list(dict.fromkeys(point.method for point in arranged.points))
    kinds = dict.fromkeys([*KINDS, *(kind for found in errors.values() for kind in found if kind != GOOD)])
    styles = looks(list(kinds), OTHERS)
    legend: dict[str, Artist] = {kind: Patch(**look.area) for kind, look in styles.items()}
    legend[f"number: {GOOD} (%)"] = Line2D([], [], linestyle="")
    layout = Layout(arranged.across, PANEL_WIDTH, 0.17 * len(methods) + 0.1, left=room(methods))
    sheet = lay_out(len(arranged.shown), layout, legend)
    longest = 0.0
    for panel, axes in zip(arranged.shown, sheet.panels, strict=True):
        axes.set_title(panel.title)
        rows = {
            row: _mean([errors[point] for point in panel.points if point.method == method])
            for row, method in enumerate(methods)
        }
        longest = max(longest, _stack(axes, {row: found for row, found in rows.items() if found}, styles))
    sheet.panels[0].set_xlim(0, 1.22 * (longest or 1.0))
    name_rows(sheet.panels[0], methods)
    figure = sheet.finish("labelled keypoints (%)", "", grid="x")
    caption = (
        "Keypoints of matched instances by kind of error: jitter (near the keypoint, but off), inversion (at the same"
        " instance's flipped keypoint), swap (at another instance's), miss (nowhere near). The number beside each bar"
        f" is the rest, which is good. Mean over seeds; {material.counted(arranged.points)}.{arranged.remark}"
    )
    averaged = "" if material.told_apart else " Rows that differ in other settings only are averaged."
    return Drawing(title, caption + averaged, figure)


def _stack(axes: Axes, rows: Mapping[int, Mapping[str, float]], styles: Mapping[str, Look]) -> float:
    """Bars of one panel, with the good part as a number beside each; how long the longest is."""
    starts = dict.fromkeys(rows, 0.0)
    for kind, look in styles.items():
        parts = [found.get(kind, 0.0) for found in rows.values()]
        axes.barh(list(rows), parts, left=list(starts.values()), height=0.78, **look.area)
        starts = {row: start + part for (row, start), part in zip(starts.items(), parts, strict=True)}
    for row, found in rows.items():
        if GOOD in found:
            axes.annotate(f"{found[GOOD]:.1f}", (starts[row], row), (2.5, 0), textcoords="offset points", va="center",
                          fontsize=6)  # fmt: skip
    return max(starts.values(), default=0.0)


def _mean(found: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    names = dict.fromkeys(name for item in found for name in item)
    return {name: sum(item.get(name, 0.0) for item in found) / len(found) for name in names}
