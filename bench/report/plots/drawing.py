"""A figure with its title, caption and numbers, or the reason why there is none; and what several figures share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

__all__ = [
    "KEYS", "Drawing", "count_rows", "explain_error_bars", "explain_series", "long_form", "measured_and_published",
    "value_headings",
]  # fmt: skip

KEYS: dict[str, str] = {
    "backbone": "backbone", "input_size": "input size (height × width, px)", "full_method": "method",
}  # fmt: skip
"""Headings of the columns that say which row of the tables a number is of."""


@dataclass(frozen=True)
class Drawing:
    """A figure, or the reason why there is none.

    Attributes:
        title: heading over it.
        caption: what it shows, how many rows and seeds, and what its marks mean; without a figure, why there is none.
        figure: the figure.
        problems: parts of the results that could not be drawn.
        images: whether it needs more colors than a plot.
        values: the numbers that the figure shows, see `long_form`.
    """

    title: str
    caption: str
    figure: Figure | None = None
    problems: tuple[str, ...] = ()
    images: bool = False
    values: pd.DataFrame | None = None


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


def long_form(marks: Mapping[str, pd.DataFrame], headings: Mapping[str, str]) -> pd.DataFrame:
    """The numbers of a figure, a line for each mark that is drawn, with a column `mark` in front.

    Args:
        marks: lines by what is drawn of them, such as "measured".
        headings: of the columns to keep, with units, in order.
    """
    parts = [part.assign(mark=mark) for mark, part in marks.items() if not part.empty]
    lines = pd.concat(parts, ignore_index=True).reindex(columns=["mark", *headings])
    return lines.rename(columns=dict(headings))


def value_headings(label: str) -> dict[str, str]:
    """Headings of a value, labelled as on its axis, and of the ends of its interval."""
    return {"mean": label, "low": f"{label}, lower end", "high": f"{label}, upper end"}


def measured_and_published(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The marks of rows that are drawn with error bars and the paper's values, for `long_form`."""
    published = rows.dropna(subset="published").drop(columns=["low", "high", "error_bars"], errors="ignore")
    return {"measured": rows.dropna(subset="mean"), "published": published.assign(mean=published["published"])}
