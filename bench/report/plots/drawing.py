"""A figure with its title and caption, or the reason why there is none; and the sentences that captions share."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

__all__ = ["Drawing", "count_rows", "explain_error_bars", "explain_series"]


@dataclass(frozen=True)
class Drawing:
    """A figure, or the reason why there is none.

    Attributes:
        title: heading over it.
        caption: what it shows, how many rows and seeds, and what its marks mean; without a figure, why there is none.
        figure: the figure.
        problems: parts of the results that could not be drawn.
        images: whether it needs more colors than a plot.
    """

    title: str
    caption: str
    figure: Figure | None = None
    problems: tuple[str, ...] = ()
    images: bool = False


def count_rows(rows: pd.DataFrame) -> str:
    """How many rows are drawn, and of how many seeds, such as "n = 4 rows of 2 seeds each"."""
    few, many = int(rows["seeds"].min()), int(rows["seeds"].max())
    seeds = f"{few} seed{'s' * (few > 1)}" if few == many else f"{few} to {many} seeds"
    return f"n = {len(rows)} rows of {seeds} each" if len(rows) > 1 else f"n = 1 row of {seeds}"


def explain_error_bars(rows: pd.DataFrame) -> str:
    """A sentence on what the error bars of these rows are; `error_bars` names each row's."""
    kinds = [kind for kind in rows["error_bars"].unique() if kind]
    if not kinds:
        return "There are no error bars: a single seed, and no per-instance results."
    return f"Error bars: {'; elsewhere '.join(kinds)}."


def explain_series(rows: pd.DataFrame) -> str:
    """What a reader must know where several rows look the same, as there are too many methods to tell apart."""
    alike = rows.duplicated(["backbone", "input_size", "method"]).any()
    return " Rows that differ in other settings look the same; the tables tell which." if alike else ""
