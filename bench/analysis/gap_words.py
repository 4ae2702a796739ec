"""What a learning curve and the trend of a gap say, as tables and captions print it."""

from __future__ import annotations

from bench.analysis.curves import AXES, GapTrend, held_words
from bench.analysis.formatting import format_difference, format_interval
from bench.statistics.estimate import EffectEstimate

DIGITS = 3
"""Significant digits of a crossing."""


def slope_text(metric: str, slope: EffectEstimate) -> str:
    """A slope per doubling with its interval, such as "+1.2 [0.4, 2.0]"."""
    interval = slope.interval()
    text = format_difference(metric, slope.value)
    return text if interval is None else f"{text} {format_interval(metric, interval)}"


def crossing_text(gap: GapTrend) -> str:
    """Where the line of a gap crosses zero, and whether that was measured; in words, if it cannot be told."""
    if gap.crossing is None:
        return "no crossing can be told"
    value, low, high = (_number(one) for one in (gap.crossing.value, gap.crossing.low, gap.crossing.high))
    return f"{value} [{low}, {high}]" + ", extrapolated" * gap.is_extrapolated


def trend_text(gap: GapTrend) -> str:
    """What becomes of a gap."""
    interval = gap.slope.interval()
    if interval is None:
        return "no trend can be told (unknown error)"
    if interval[0] <= 0 <= interval[1]:
        return "no trend can be told"
    if gap.crossing is not None and not gap.is_extrapolated:
        return "the line crosses zero"
    return "the gap closes" if gap.slope.value * gap.height(gap.ends[1]).value < 0 else "the gap widens"


def gap_sentence(metric: str, gap: GapTrend) -> str:
    """The trend of a gap with its numbers, for a caption."""
    line = f"{slope_text(metric, gap.slope)} per doubling of {AXES[gap.curve.axis]}"
    crossing = crossing_text(gap) if gap.crossing is None else f"zero at {crossing_text(gap)}"
    return f"{gap.curve.method}, {held_words(gap.curve.held)}: {line}; {trend_text(gap)}; {crossing}."


def _number(value: float) -> str:
    """A number of instances with a few significant digits."""
    return f"{float(f'{value:.{DIGITS}g}'):,.12g}"
