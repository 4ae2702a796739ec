"""Decoding on CPUs, compiled: outputs for both views are read once or little more, where torch makes many passes.

Everything compiled is in this file, with its constants: numba keeps what it compiled until the file changes. Loops run
over one row of numbers, without jumps, for numba to use all lanes of a vector. A NaN in an output gives a NaN as
confidence; what else is in that row then means nothing. Shapes are not checked (see `bench.pose.compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

__all__ = ["ROWS_AT_ONCE", "coordinate_peaks", "heatmap_peaks", "to_image"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer[Any]]
Views = tuple[Floats, ...]
Lanes = tuple[Integers, ...]
How = tuple[Any, ...]
Span = tuple[int, int]

ROWS_AT_ONCE = 4
"""Rows of a heatmap that are read in one pass."""


def compiled(*freedoms: str, kept: bool = False, parallel: bool = False) -> Callable[[FunctionT], FunctionT]:
    """Compile a function at its first call.

    Args:
        freedoms: what may be rounded otherwise: the terms of a sum ("reassoc"), a product that is added ("contract").
        kept: for other processes, beside the code or in the user's cache, where one of the two can be written.
        parallel: spread `prange` over threads.
    """
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": set(freedoms), "parallel": parallel}

    def decorate(function: FunctionT) -> FunctionT:
        try:
            return cast(FunctionT, njit(cache=kept, **options)(function))
        except RuntimeError:  # there is nowhere to keep it
            return cast(FunctionT, njit(**options)(function))

    return decorate


def _larger(_context: Any, one: Any, other: Any) -> Any:
    """The larger of two float32, compiled as the vector instruction; means nothing where one is NaN."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        no_nan = ("nnan", "nsz")
        return builder.select(builder.fcmp_ordered(">", *arguments, flags=no_nan), *arguments, flags=no_nan)

    return types.float32(one, other), generate


def _two_to(_context: Any, shifted: Any) -> Any:
    """2**n of n + SHIFT, whose last bits are the exponent of the result."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        bits = ir.IntType(32)
        exponent = builder.shl(builder.bitcast(arguments[0], bits), ir.Constant(bits, np.finfo(np.float32).nmant))
        return builder.bitcast(exponent, ir.FloatType())

    return types.float32(shifted), generate


def _fused(_context: Any, one: Any, other: Any, added: Any) -> Any:
    """`one * other + added`, rounded once."""
    return types.float32(one, other, added), lambda _target, builder, _signature, arguments: builder.fma(*arguments)


larger: Callable[..., Any] = intrinsic(_larger)
two_to: Callable[..., Any] = intrinsic(_two_to)
fused: Callable[..., Any] = intrinsic(_fused)

LOG2_E = np.float32(math.log2(math.e))
HALF = np.float32(0.5)
LOWEST = np.float32(-120)
"""Binary logarithm of the smallest part of the largest that is told apart: float32 ends at -126."""

SHIFT, LARGEST = np.float32(1.5 * 2**23 + 127), np.float32(2**22)
"""What is added to it, up to LARGEST, is rounded to a whole number; 127 is a float32's exponent of 2**0."""

POLYNOMIAL = np.polynomial.Chebyshev.interpolate(np.exp2, 5, (-0.5, 0.5)).convert(kind=np.polynomial.Polynomial)
C0, C1, C2, C3, C4, C5 = POLYNOMIAL.coef.astype(np.float32)
"""Of 2**x between -0.5 and 0.5, to 1.2e-7."""


@compiled("contract")
def power(value: np.float32, unit: np.float32, base: np.float32) -> Any:
    """2**(value * unit - (SHIFT - base)), a normal number, to 3e-7."""
    shifted = fused(value, unit, base)
    rest = fused(value, unit, base - shifted)
    factor = ((((C5 * rest + C4) * rest + C3) * rest + C2) * rest + C1) * rest + C0
    return factor * two_to(shifted)


@compiled()
def highest(row: Floats) -> Any:
    """Its maximum."""
    top = np.float32(-np.inf)
    for i in range(row.size):
        top = larger(row[i], top)
    return top


@compiled()
def first(row: Floats, value: np.float32) -> Any:
    """Index of the first that has a value."""
    size = np.int32(row.size)
    index = size
    for i in range(size):
        index = min(index, np.int32(i) if row[i] == value else size)
    return index


@compiled("reassoc", "contract", "nsz")
def powers(row: Floats, unit: np.float32, out: Floats) -> Any:
    """Write 2**(x * unit) for each x, in parts of about the largest, and return the sum of what was written."""
    top = highest(row)
    base = SHIFT - np.rint(top * unit)
    low = top + LOWEST / unit
    total = np.float32(0 if abs(top * unit) < LARGEST else np.nan)
    for i in range(row.size):
        part = power(low if row[i] < low else row[i], unit, base)
        out[i] = part
        total += part
    return total


@compiled("contract")
def add(row: Floats, other: Floats, factor: np.float32) -> Any:
    """Add the other row times a factor; the new maximum."""
    top = np.float32(-np.inf)
    for i in range(row.size):
        value = row[i] + other[i] * factor
        row[i] = value
        top = larger(value, top)
    return top


@compiled("contract")
def add_backwards(row: Floats, other: Floats, factor: np.float32) -> Any:
    """Add the other row, its last value first, times a factor; the new maximum."""
    top = np.float32(-np.inf)
    for i in range(row.size):
        # Only an unsigned index is known not to count from the end.
        value = row[i] + other[np.uint64(row.size - 1 - i)] * factor
        row[i] = value
        top = larger(value, top)
    return top


@compiled()
def copy_shifted(row: Floats, shift: int, out: Floats) -> None:
    """Copy a row, moved towards lower indices, with its border repeated where nothing moved to."""
    left, right = min(max(-shift, 0), row.size), min(max(shift, 0), row.size)
    for i in range(row.size - left - right):
        out[np.uint64(i + left)] = row[np.uint64(i + right)]
    out[:left] = row[0]
    out[row.size - right :] = row[row.size - 1]


@compiled()
def average_peaks(views: Views, partner: Integers, of_logits: bool, shift: int | None, peaks: Floats) -> None:
    """Index and probability (keypoints, 2) of an instance's highest averages on an axis, x if it has a shift."""
    output, flipped = views
    size = output.shape[1]
    here, there, moved = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    for keypoint in range(output.shape[0]):
        other = flipped[partner[keypoint]]
        if shift is not None:
            copy_shifted(other, shift, moved)
            other = moved
        if of_logits:
            here[:] = output[keypoint]
            there[:] = other
            factor, total = np.float32(1), np.float32(1)
        else:
            total = powers(output[keypoint], LOG2_E, here)
            factor = total / powers(other, LOG2_E, there)
        top = add(here, there, factor) if shift is None else add_backwards(here, there, factor)
        peaks[keypoint, 0] = first(here, top)
        if of_logits:
            total = powers(here, HALF * LOG2_E, there)
            top = 2 * highest(there)
        peaks[keypoint, 1] = np.nan if np.isnan(factor) else HALF * top / total


@compiled()
def coordinates_of_instances(instances: Views, partner: Integers, how: How, rows: Floats, some: Span) -> None:
    """Some instances of `coordinate_peaks`."""
    x, y, flipped_x, flipped_y = instances
    of_logits, shift, split_ratio = how
    peaks = np.empty((2, rows.shape[1], 2), np.float32)
    for instance in range(*some):
        average_peaks((x[instance], flipped_x[instance]), partner, of_logits, shift, peaks[0])
        average_peaks((y[instance], flipped_y[instance]), partner, of_logits, None, peaks[1])
        for keypoint in range(rows.shape[1]):
            row = rows[instance, keypoint]
            row[0], row[1] = peaks[0, keypoint, 0] / split_ratio, peaks[1, keypoint, 0] / split_ratio
            on_x, on_y = peaks[0, keypoint, 1], peaks[1, keypoint, 1]
            row[2] = min(on_x, on_y) if of_logits else max(on_x, on_y)
            if np.isnan(on_x + on_y):  # which comparisons lose
                row[2] = np.nan


@compiled(kept=True, parallel=True)
def coordinate_peaks(instances: Views, partner: Integers, how: How, rows: Floats, parts: int) -> None:
    """The likeliest bins of both views' average.

    Args:
        instances: (instances, keypoints, bins) logits of x and y and those for the flipped crops, as put out.
        partner: (keypoints) the keypoint that each one is in the flipped crop.
        how: whether to average logits, as SimDR* does, with the smaller of both axes' peaks as confidence, or
            probabilities, with the larger; bins that the flipped x is moved right after flipping; bins per px.
        rows: (instances, keypoints, 3) x and y in crop px and confidence, written here.
        parts: in which instances are dealt out to threads.
    """
    for part in prange(parts):
        some = (part * len(rows) // parts, (part + 1) * len(rows) // parts)
        coordinates_of_instances(instances, partner, how, rows, some)


@compiled("reassoc", "nsz")
def lift(rows: Floats, crest: Floats) -> Any:
    """Raise each lane's maximum to those of some rows; the sum of these."""
    total = np.float32(0)
    for lane in range(crest.size):
        top = crest[lane]
        for row in range(ROWS_AT_ONCE):
            value = rows[row, lane]
            total += value
            top = larger(value, top)
        crest[lane] = top
    return total


@compiled()
def column_peak(here: Floats, there: Floats, lane: int, other: int) -> Any:
    """The highest average of a lane of one view and one of the other, and its row; the first of equal ones."""
    top, at = np.float32(-np.inf), 0
    for row in range(here.shape[0]):
        value = (here[row, lane] + there[row, other]) * HALF
        at = row if value > top else at
        top = value if value > top else top
    return top, at


@compiled()
def summit(here: Floats, there: Floats, crests: Views, lanes: Lanes, bounds: Floats) -> Any:
    """The highest average of a joint's lanes of both views, its row and its column; the first of equal ones.

    No average is above that of the maxima of its lanes, so that most lanes need not be read again.
    """
    mine, others = lanes
    likeliest = 0
    for x in range(mine.size):
        bounds[x] = (crests[0][mine[x]] + crests[1][others[x]]) * HALF
        likeliest = x if bounds[x] > bounds[likeliest] else likeliest
    top, row = column_peak(here, there, mine[likeliest], others[likeliest])
    column = likeliest
    for x in range(mine.size):
        if bounds[x] >= top and x != likeliest:
            value, at = column_peak(here, there, mine[x], others[x])
            if value > top or (value == top and (at, x) < (row, column)):
                top, row, column = value, at, x
    return top, row, column


@compiled()
def averaged(here: Floats, there: Floats, lanes: Lanes, row: int, column: int) -> Any:
    """The average of both views at a cell of the keypoint that has these lanes."""
    return (here[row, lanes[0][column]] + there[row, lanes[1][column]]) * HALF


@compiled()
def heatmaps_of_instances(instances: Views, routes: Lanes, refined: bool, rows: Floats, some: Span) -> None:
    """Some instances of `heatmap_peaks`."""
    partner, mine, others = routes
    planes, height, size = instances[0].shape[1:]
    beside, width = mine.shape
    crests = np.empty(size, np.float32), np.empty(size, np.float32)
    bounds = np.empty(width, np.float32)
    for instance in range(*some):
        for plane in range(planes):
            here, there = instances[0][instance, plane], instances[1][instance, partner[plane]]
            crests[0][:], crests[1][:] = -np.inf, -np.inf
            total = np.float32(0)
            for y in range(0, height, ROWS_AT_ONCE):
                total += lift(here[y : y + ROWS_AT_ONCE], crests[0]) + lift(there[y : y + ROWS_AT_ONCE], crests[1])
            for keypoint in range(beside):
                row, lanes = rows[instance, plane * beside + keypoint], (mine[keypoint], others[keypoint])
                top, y, x = summit(here, there, crests, lanes, bounds)
                row[2] = np.nan if np.isnan(total) else top
                x, y = (x, y) if top > 0 else (0, 0)
                row[0], row[1] = x, y
                if refined and 1 < x < width - 1 and 1 < y < height - 1:
                    right, left = averaged(here, there, lanes, y, x + 1), averaged(here, there, lanes, y, x - 1)
                    below, above = averaged(here, there, lanes, y + 1, x), averaged(here, there, lanes, y - 1, x)
                    row[0] += np.float32(0.25) * ((right > left) - (right < left))
                    row[1] += np.float32(0.25) * ((below > above) - (below < above))


@compiled(kept=True, parallel=True)
def heatmap_peaks(instances: Views, routes: Lanes, refined: bool, rows: Floats, parts: int) -> None:
    """The highest cells of both views' average.

    Args:
        instances: (instances, planes, height, lanes) maps and those of the flipped crops, of which ROWS_AT_ONCE divides
            the height. Keypoints are planes, with a lane for each column, or lie side by side in the lanes of one
            plane.
        routes: partner (planes), the plane of the flipped maps that belongs to each one; the lanes of each column of
            the keypoints that lie side by side (keypoints, width); the lanes of the flipped maps that belong to these.
        refined: move each peak a quarter cell towards its higher neighbour (behaviour E7).
        rows: (instances, keypoints, 3) x and y in cells and confidence, written here.
        parts: in which instances are dealt out to threads.
    """
    for part in prange(parts):
        some = (part * len(rows) // parts, (part + 1) * len(rows) // parts)
        heatmaps_of_instances(instances, routes, refined, rows, some)


@compiled(kept=True)
def to_image(rows: Floats, unit: int, centers: Floats, half_widths: Floats, size: Span) -> Any:
    """What `bench.pose.locating.crop_to_image` does, in place; whether all confidences are numbers.

    Args:
        rows: (instances, keypoints, 3) x and y in units of so many crop px, and confidence.
        unit: see `rows`.
        centers: (instances, 2) image px.
        half_widths: (instances) of the crops in image px.
        size: height and width of the crops in px.
    """
    doubt, (height, width) = np.float32(0), size
    for instance in range(len(rows)):
        x, y = centers[instance]
        rise = y - (y - half_widths[instance])
        run = x - (x - rise)
        for row in rows[instance]:
            row[0] = x + (np.float64(row[0]) * unit - width / 2) * (run / (width / 2))
            row[1] = y + (np.float64(row[1]) * unit - height / 2) * (rise / (width / 2))
            doubt += row[2]
    return not np.isnan(doubt)
