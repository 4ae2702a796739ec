"""The look of figures: a seaborn theme for print, and how series are told apart.

Series differ in color (seaborn's colorblind palette) and in marker, dashes or hatch, so that they stay apart in grey
print and for color-blind readers. Names from data are drawn as text, never read as mathematics.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import seaborn as sns
from cycler import cycler
from matplotlib import style as mpl_style
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from bench.pose.errors import BenchError, nearest

__all__ = ["FAINT", "INK", "MOST_SERIES", "Looks", "mark_simulated", "plain", "plot_style", "to_png"]

MOST_SERIES = 8
"""More series are too many to tell apart in one figure."""

MARKERS = ("o", "s", "^", "v", "P", "X", "p")
"""Markers of series; diamonds are left to published values."""

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++")
DASHES: tuple[Any, ...] = ("", (4, 1.5), (1, 1.2), (5, 1.5, 1, 1.5), (8, 2))

INK, FAINT = "#222222", "#666666"
SIZE = 7.5
"""Size of text in points, on a page that shows the figure at its own size."""

DPI = 200

THEME: dict[str, Any] = {
    "text.parse_math": False,
    "text.color": INK,
    "font.family": ["DejaVu Sans"],
    "font.size": SIZE,
    "axes.titlesize": SIZE + 0.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.titley": 1.0,  # searching for a place takes a sixth of the time of a report's plots
    "axes.labelsize": SIZE,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=sns.color_palette("colorblind").as_hex()),
    "figure.labelsize": SIZE,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "patch.linewidth": 0.6,
    "xtick.labelsize": SIZE - 0.5,
    "ytick.labelsize": SIZE - 0.5,
    "legend.fontsize": SIZE,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
}
"""What differs from seaborn's "whitegrid" style in its "paper" context."""


def plot_style(user: Path | None = None) -> AbstractContextManager[None]:
    """The style of all figures that are made within; the session's own style comes back afterwards.

    Args:
        user: a style file of matplotlib (`*.mplstyle`) that is applied on top of ours. Its `axes.prop_cycle` gives the
            colors of the series.

    Raises:
        BenchError: the file cannot be used.
    """
    theme = {**sns.axes_style("whitegrid"), **sns.plotting_context("paper"), **THEME, "savefig.dpi": DPI}
    return mpl_style.context(["default", theme, {} if user is None else _read_style(user)])


def _read_style(file: Path) -> dict[str, Any]:
    """The settings of a style file. Matplotlib itself only warns of lines that it cannot use."""
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            name, colon, _ = line.partition("#")[0].partition(":")
            if name.strip() and not (colon and name.strip() in mpl.rcParams):
                hint = nearest(name.strip(), map(str, mpl.rcParams))
                raise BenchError(f"{file}:{number}: {name.strip()!r} is not a setting of matplotlib{hint}")
        settings = mpl.rc_params_from_file(file, fail_on_error=True, use_default_template=False)
    except (OSError, ValueError) as error:
        raise BenchError(f"{file}: not a usable style file of matplotlib: {error}") from None
    return {str(name): value for name, value in settings.items()}


@dataclass(frozen=True)
class Looks:
    """How each series of a figure is drawn; its place among the names decides.

    Attributes:
        names: of the series. The same names in the same order look the same in every figure.
    """

    names: tuple[str, ...]

    @cached_property
    def colors(self) -> dict[str, Any]:
        """Color of each series: that of the style's color cycle."""
        return dict(zip(self.names, sns.color_palette(n_colors=len(self.names)), strict=True))

    @cached_property
    def markers(self) -> dict[str, str]:
        """Marker of each series."""
        return dict(zip(self.names, cycle(MARKERS), strict=False))

    @cached_property
    def hatches(self) -> dict[str, str]:
        """Hatch of each series where it is an area."""
        return dict(zip(self.names, cycle(HATCHES), strict=False))

    @cached_property
    def dots(self) -> dict[str, Any]:
        """Arguments for seaborn's scatterplot with the series as hue and style."""
        order = list(self.names)
        marks = {"hue_order": order, "style_order": order, "palette": self.colors, "markers": self.markers}
        return {**marks, "edgecolor": INK, "linewidth": 0.4, "s": 20}

    @cached_property
    def lines(self) -> dict[str, Any]:
        """Arguments for seaborn's lineplot with the series as hue and style."""
        dashes = dict(zip(self.names, cycle(DASHES), strict=False))
        marks = {name: value for name, value in self.dots.items() if name not in {"edgecolor", "linewidth", "s"}}
        return {**marks, "dashes": dashes, "markeredgecolor": INK, "markeredgewidth": 0.4}

    def handles(self, kind: Literal["area", "dot", "line", "bare line"]) -> dict[str, Artist]:
        """Entries of a legend; a bare line has no markers."""
        return {name: self._handle(kind, name) for name in self.names}

    def _handle(self, kind: str, name: str) -> Artist:
        if kind == "area":
            return Patch(facecolor=self.colors[name], hatch=self.hatches[name], edgecolor=INK)
        dashes: Any = "none" if kind == "dot" else self.lines["dashes"][name] or "-"
        line = Line2D([], [], color=self.colors[name], linestyle=(0, dashes) if isinstance(dashes, tuple) else dashes)
        if kind != "bare line":
            line.set(marker=self.markers[name], markeredgecolor=INK, markeredgewidth=0.4)
        return line


def plain(text: str, width: int = 56, lines: int = 2) -> str:
    """A name from data as figures show it: a few lines at most, without characters that cannot be printed."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    printable = re.sub(r"[^\s,()]{25,}", lambda word: f"{word[0][:12]}…", printable)  # such as a hash
    wrapped = textwrap.wrap(printable, width, max_lines=lines, placeholder=" …")
    # Legends leave out what begins with an underscore.
    return "\n".join(wrapped if not printable.startswith("_") else ["\N{NO-BREAK SPACE}" + wrapped[0], *wrapped[1:]])


def mark_simulated(figure: Figure, mark: str) -> None:
    """Write across every panel that its numbers are made up."""
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        rows, columns = axes.get_gridspec().get_geometry()  # type: ignore[union-attr]
        size = min(30.0, 72 * width / columns / len(mark), 30 * height / rows)
        axes.text(
            0.5, 0.5, mark, transform=axes.transAxes, ha="center", va="center", fontsize=size, fontweight="bold",
            color=INK, alpha=0.13, rotation=min(20.0, 30 * height * columns / width / rows), zorder=10, clip_on=True,
        ).set_in_layout(False)  # fmt: skip


def to_png(figure: Figure, *, images: bool = False) -> bytes:
    """The figure as a PNG file; equal figures give equal files.

    All but images are reduced to 256 colors, which makes files a third as large.
    """
    stream, reduced = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        # A name may have characters that no font has; a box stands in their place.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(stream, format="png", dpi="figure" if images else None, metadata={"Software": None})
    if images:
        return stream.getvalue()
    with Image.open(stream) as image:
        few = image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, dither=Image.Dither.NONE)
        few.save(reduced, format="png", dpi=image.info["dpi"])
    return reduced.getvalue()
