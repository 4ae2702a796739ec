"""How figures look: legible at column width, in grey print, and with any common color-vision deficiency.

Series are told apart by color and by marker, hatch or dashes. Text is text: nothing in it is read as mathematics, and
no settings of the user's apply. Pyplot does not know of these figures, and its state stays as it was.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from matplotlib import style as mpl_style
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from PIL import Image

__all__ = [
    "FAINT", "GRID", "INK", "OTHERS", "Look", "looks", "mark_simulated", "new_figure", "plain", "print_style",
    "text_width", "to_png",
]  # fmt: skip

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
"""Okabe and Ito's colors, which the common color-vision deficiencies keep apart; the palest last."""

MARKERS = ("o", "s", "^", "v", "P", "X", "p")
"""Diamonds are left to published values."""

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))
"""As many of each as share no divisor with the others: 280 series differ in some combination."""

OTHERS = 3
"""Place of the first look of what are no methods, so that they are not taken for the methods of the next figure."""

INK, FAINT, GRID = "#222222", "#666666", "#DDDDDD"
FONT = "DejaVu Sans"
SIZE = 7.5
"""Of letters, in points, on a page at the figure's own size."""

DPI, COLORS = 200, 256

LONGEST = 60
"""Characters of a name that are drawn."""

STYLE: dict[str, Any] = {
    "text.parse_math": False,
    "text.color": INK,
    "font.family": [FONT],
    "font.size": SIZE,
    "axes.titlesize": SIZE + 0.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    # Titles stay where they are put: making room for ticks over them is most of their time.
    "axes.titley": 1.0,
    "axes.titlecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelpad": 3,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SIZE - 0.5,
    "ytick.labelsize": SIZE - 0.5,
    "xtick.bottom": False,
    "ytick.left": False,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Look:
    """How one series is drawn, whatever the kind of plot."""

    color: str
    marker: str
    hatch: str
    dashes: Any

    @property
    def line(self) -> dict[str, Any]:
        """Of a line with markers."""
        return {"color": self.color, "linestyle": self.dashes, **self.point}

    @property
    def point(self) -> dict[str, Any]:
        """Of markers."""
        return {"marker": self.marker, "markerfacecolor": self.color, "markeredgecolor": INK, "markeredgewidth": 0.5}

    @property
    def area(self) -> dict[str, Any]:
        """Of a bar."""
        return {"facecolor": self.color, "hatch": self.hatch, "edgecolor": INK, "linewidth": 0.6}


def looks(names: Sequence[str], first: int = 0) -> dict[str, Look]:
    """A look for each name, by its place; `first` is that of the first."""
    return {
        name: Look(
            PALETTE[number % len(PALETTE)],
            MARKERS[number % len(MARKERS)],
            HATCHES[number % len(HATCHES)],
            DASHES[number % len(DASHES)],
        )
        for number, name in enumerate(names, start=first)
    }


@contextmanager
def print_style() -> Iterator[None]:
    """The style of all figures made within; the settings of before come back after."""
    with mpl_style.context(["default", STYLE]):
        yield


def new_figure(width: float, height: float, *, sharpness: float = 1) -> Figure:
    """An empty figure of whole pixels, in inches, that pyplot does not know of.

    Args:
        width: in inches.
        height: in inches.
        sharpness: pixels per inch as a part of what lines and letters need.
    """
    dpi = round(DPI * sharpness)
    return Figure(figsize=(round(width * dpi) / dpi, round(height * dpi) / dpi), dpi=dpi)


def to_png(figure: Figure, *, images: bool = False) -> bytes:
    """The figure as a PNG file at its own size; equal figures are equal files.

    All but images are reduced to the 256 colors that a palette holds, which makes files a third as large.
    """
    pixels, stream = io.BytesIO(), io.BytesIO()
    figure.savefig(pixels, format="rgba")
    width, height = map(round, figure.bbox.size)
    image = Image.frombytes("RGBA", (width, height), pixels.getvalue()).convert("RGB")
    (image if images else _few_colors(image)).save(stream, format="png", dpi=(figure.dpi, figure.dpi))
    return stream.getvalue()


def plain(text: str, length: int = LONGEST) -> str:
    """A name from data as a figure can draw it: one line, not too long, and only characters that the font has."""
    words = "".join(character if _has_glyph(character) else "\N{REPLACEMENT CHARACTER}" for character in text).split()
    line = " ".join(words)
    line = line if len(line) <= length else f"{line[: length - 1]}…"
    # Legends leave out what begins with an underscore.
    return f"\N{NO-BREAK SPACE}{line}" if line.startswith("_") else line


def text_width(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Width of a line of text in inches; its size is in points."""
    font = _font("bold" if bold else "normal")
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64 / 72


def mark_simulated(figure: Figure, text: str) -> None:
    """Write across every panel that its numbers are made up."""
    for axes in figure.axes:
        box = axes.get_position()
        width, height = box.width * figure.get_figwidth(), box.height * figure.get_figheight()
        size = min(30.0, 72 * 0.8 * width / text_width(text, 72, bold=True), 72 * 0.5 * height)
        axes.text(
            0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=size, fontweight="bold",
            color=INK, alpha=0.13, rotation=min(20.0, 40 * height / width), zorder=10,
        )  # fmt: skip


def _few_colors(image: Image.Image) -> Image.Image:
    """The image with a palette of the commonest colors; that of its corner, the paper, stays as it is."""
    reduced = image.quantize(COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette, place = reduced.getpalette() or [], 3 * cast(int, reduced.getpixel((0, 0)))
    palette[place : place + 3] = cast(tuple[int, int, int], image.getpixel((0, 0)))
    reduced.putpalette(palette)
    return reduced


def _has_glyph(character: str) -> bool:
    return character.isspace() or (character.isprintable() and bool(_font().get_char_index(ord(character))))


@cache
def _font(weight: str = "normal") -> FT2Font:
    return FT2Font(findfont(FontProperties(family=FONT, weight=weight)))
