"""The look of figures: a seaborn theme for print, and how series are told apart.

Series differ in color (seaborn's colorblind palette) and in marker, dashes or hatch, so that they stay apart in grey
print and for color-blind readers. Names from data are drawn as text, never read as mathematics.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from cycler import cycler
from matplotlib import style as mpl_style
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from bench.pose.errors import BenchError, nearest
from bench.report.figure_options import REPORT, FigureKind, VenueStyle

__all__ = [
    "FAINT", "INK", "MOST_SERIES", "Look", "Looks", "current_venue", "mark_simulated", "plain",
    "plot_style", "render_figure", "small_print", "text_scale",
]  # fmt: skip

MOST_SERIES = 8
"""More series are too many to tell apart in one figure."""

MARKERS = ("o", "s", "^", "v", "P", "X", "p")
"""Markers of series; diamonds are left to published values."""

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))

INK, FAINT = "#222222", "#666666"

DPI = 200

LAYOUT_DPI = 300
"""Resolution at which text is measured: at low ones letters snap to pixels, and text is wider in PDF."""

Look = Callable[[str], dict[str, Any]]
"""Arguments of matplotlib for a series by its name, such as `looks.dot`."""

THEME: dict[str, Any] = {
    "text.parse_math": False,
    "text.color": INK,
    "font.family": ["DejaVu Sans"],
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.titley": 1.0,  # searching for a place takes a sixth of the time of a report's plots
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=sns.color_palette("colorblind").as_hex()),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "patch.linewidth": 0.6,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # TrueType: venues refuse matplotlib's Type 3
    "svg.fonttype": "path",  # a page that shows the file may lack the font
}
"""What differs from seaborn's "whitegrid" style in its "paper" context, but for sizes of text."""

_VENUE: ContextVar[VenueStyle] = ContextVar("venue", default=REPORT)


def _text_sizes(size: float) -> dict[str, float]:
    """Settings of all text, where most of it has this size in points."""
    same = ("font.size", "axes.labelsize", "figure.labelsize", "legend.fontsize")
    return dict.fromkeys(same, size) | {
        "axes.titlesize": size + 0.5, "xtick.labelsize": size - 0.5, "ytick.labelsize": size - 0.5,
    }  # fmt: skip


def plot_style(user: Path | None = None, venue: VenueStyle = REPORT) -> AbstractContextManager[None]:
    """The style of all figures that are made within; the session's own style comes back afterwards.

    Args:
        user: a style file of matplotlib (`*.mplstyle`) that is applied on top of ours. Its `axes.prop_cycle` gives the
            colors of the series.
        venue: widths and text size of the figures.

    Raises:
        BenchError: the file cannot be used.
    """
    theme = {**sns.axes_style("whitegrid"), **sns.plotting_context("paper"), **THEME, **_text_sizes(venue.font_size)}
    return _apply({**theme, "savefig.dpi": DPI} | ({} if user is None else _read_style(user)), venue)


@contextmanager
def _apply(theme: Mapping[str, Any], venue: VenueStyle) -> Iterator[None]:
    token = _VENUE.set(venue)
    try:
        with mpl_style.context(["default", dict(theme)]):
            yield
    finally:
        _VENUE.reset(token)


def current_venue() -> VenueStyle:
    """The venue of the `plot_style` around the caller; that of our own reports where there is none."""
    return _VENUE.get()


def text_scale() -> float:
    """Size of text as a multiple of that in our own reports: sizes in inches that hold text grow with it."""
    return current_venue().font_size / REPORT.font_size


def small_print() -> float:
    """Size in points of numbers within a panel."""
    return 0.8 * float(mpl.rcParams["font.size"])


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
        palette: of seaborn; None for the style's color cycle.
    """

    names: tuple[str, ...]
    palette: str | None = None

    @classmethod
    def of(cls, series: pd.Series) -> Looks:
        """Looks of the values of a column; of all its categories, drawn or not, if it is categorical."""
        return cls(tuple(series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else series.unique()))

    @cached_property
    def colors(self) -> dict[str, Any]:
        """Color of each series."""
        return dict(zip(self.names, sns.color_palette(self.palette, len(self.names)), strict=True))

    def area(self, name: str) -> dict[str, Any]:
        """How the bars of a series are drawn."""
        return {"facecolor": self.colors[name], "hatch": self._of(HATCHES, name), "edgecolor": INK}

    def dot(self, name: str) -> dict[str, Any]:
        """How the single points of a series are drawn."""
        return {**self.line(name), "linestyle": "none", "markersize": 4.5}

    def line(self, name: str) -> dict[str, Any]:
        """How the line of a series is drawn, with a marker at each point."""
        return {**self.bare_line(name), "marker": self._of(MARKERS, name)}

    def bare_line(self, name: str) -> dict[str, Any]:
        """How a line of too many points for markers is drawn."""
        edge = {"markeredgecolor": INK, "markeredgewidth": 0.4}
        return {"color": self.colors[name], "linestyle": self._of(DASHES, name), **edge}

    def handles(self, look: Look) -> dict[str, Artist]:
        """Entries of a legend for all series, such as `looks.handles(looks.dot)`."""
        return {
            name: Patch(**marks) if "hatch" in (marks := look(name)) else Line2D([], [], **marks) for name in self.names
        }

    def _of(self, kinds: Sequence[Any], name: str) -> Any:
        return kinds[self.names.index(name) % len(kinds)]


def plain(text: str, width: int = 56, lines: int = 2) -> str:
    """A name from data as figures show it: a few lines at most, without characters that cannot be printed."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    printable = re.sub(r"[^\s,()]{33,}", lambda word: f"{word[0][:12]}…", printable)  # such as a hash
    wrapped = textwrap.wrap(printable, width, max_lines=lines, placeholder=" …")
    # Legends leave out what begins with an underscore.
    return "\n".join(wrapped if not printable.startswith("_") else ["\N{NO-BREAK SPACE}" + wrapped[0], *wrapped[1:]])


def mark_simulated(figure: Figure, mark: str) -> None:
    """Write across every panel that its numbers are made up, or whatever else the mark says."""
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        rows, columns = axes.get_gridspec().get_geometry()  # type: ignore[union-attr]
        size = min(30.0, 72 * width / columns / len(mark), 30 * height / rows)
        axes.text(
            0.5, 0.5, mark, transform=axes.transAxes, ha="center", va="center", fontsize=size, fontweight="bold",
            color=INK, alpha=0.13, rotation=min(20.0, 30 * height * columns / width / rows), zorder=10, clip_on=True,
        ).set_in_layout(False)  # fmt: skip


def render_figure(figure: Figure, kind: FigureKind, *, images: bool = False) -> bytes:
    """The figure as a file; equal figures give equal PDF and PNG files.

    PDF and SVG are vector graphics. PDF embeds its fonts, SVG draws letters as paths.

    Args:
        figure: to render, within the `plot_style` that it was made in.
        kind: of the file.
        images: whether it needs more colors than a plot.
    """
    with warnings.catch_warnings():
        # A name may have characters that no font has; a box stands in their place.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
            # Sizes are in points whatever the resolution: the layout is found once for all kinds of files.
            dpi = figure.dpi
            figure.set_dpi(LAYOUT_DPI)
            engine.execute(figure)
            figure.set_dpi(dpi)
            figure.set_layout_engine("none")
        if kind == "png":
            return _to_png(figure, images=images)
        stream = io.BytesIO()
        undated = {"CreationDate": None} if kind == "pdf" else {"Date": None}
        figure.savefig(stream, format=kind, dpi="figure", metadata=undated)
        return stream.getvalue()


def _to_png(figure: Figure, *, images: bool) -> bytes:
    """All but images are reduced to 256 colors, which makes files a third as large."""
    dpi: Any = "figure" if images else mpl.rcParams["savefig.dpi"]
    canvas: Any = FigureCanvasAgg(figure)
    if dpi != "figure":
        figure.set_dpi(dpi)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if not images:
        image = image.quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        # The octree makes white paper a shade darker.
        image.putpalette([255 if value > 252 else value for value in image.getpalette() or ()])
    stream = io.BytesIO()
    # Of images, more effort takes three times as long and saves a tenth.
    image.save(stream, format="png", compress_level=3 if images else 6, dpi=(figure.dpi, figure.dpi))
    return stream.getvalue()
