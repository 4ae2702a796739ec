"""A figure with its words, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

__all__ = ["Drawing"]


@dataclass(frozen=True)
class Drawing:
    """A figure, or the reason why there is none.

    Attributes:
        title: heading over it.
        caption: what it shows, of how many, and what its error bars are; without a figure, why there is none.
        figure: as drawn.
        problems: what of the results could not be drawn.
        images: whether it needs more colors than a plot.
    """

    title: str
    caption: str
    figure: Figure | None = None
    problems: tuple[str, ...] = ()
    images: bool = False
