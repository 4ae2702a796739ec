"""`bench diff`: the differences of two cells, and their known effects."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.options import AsJson, Results
from bench.files import printable

if TYPE_CHECKING:
    from bench.compare.diff import CellComparison, Difference
    from bench.paper.effects import Effect


Cell = Annotated[str, typer.Argument(metavar="ID", help="Id of a training or evaluation, or its beginning.")]

WIDTH = 60
"""Characters per line of an explanation."""

VALUE_WIDTH = 24
UNKNOWN = "unknown"


def diff(first: Cell, second: Cell, results: Results = Path("results"), as_json: AsJson = False) -> None:
    """Rank the differences between two trainings or evaluations by their known effect on AP.

    Effects are those of going from the first to the second: differences of published rows, the spread over seeds in the
    results, and the entries of bench/paper/effects.yaml with their sources. Differences of unknown effect come last.
    """
    from bench.compare.diff import compare_cells
    from bench.store.folders import Store

    found = compare_cells(Store(results), first, second)
    typer.echo(json.dumps(_document(found), indent=2) if as_json else printable("\n".join(_lines(found))))


def _lines(found: CellComparison) -> Iterator[str]:
    from tabulate import tabulate

    one, other = found.cells
    for name, cell in (("A", one), ("B", other)):
        training = cell.training
        mark = "  SIMULATED: made up, nothing was measured" if cell.simulated else ""
        yield f"{name} {cell.id}: {training.backbone} {training.representation} {training.input_size}{mark}"
    yield ""
    if not found.differences:
        yield "nothing differs but their names"
    rows = [_row(difference) for difference in found.differences]
    if rows:
        yield tabulate(rows, headers=("differs", "A", "B", "points of AP", "what is known"), disable_numparse=True)
    if not found.same_data:
        yield "\nmeasured on different instances: these metrics cannot be compared"
    if found.metrics:
        yield ""
        metrics = [(name, *_metric(a, b)) for name, (a, b) in found.metrics.items()]
        yield tabulate(metrics, headers=("metric", "A", "B", "B - A"), disable_numparse=True)
    else:
        yield "\nno metric is in both records"


def _metric(*values: float | None) -> tuple[str, ...]:
    """Both values of a metric and their difference."""
    from bench.pose.metrics.catalog import NOBODY

    difference = _difference(*values)
    texts = (NOBODY if value is None else f"{value:.4f}" for value in values)
    return *texts, "" if difference is None else f"{difference:+.4f}"


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _row(difference: Difference) -> tuple[str, ...]:
    return (
        "\n".join(difference.settings),
        _values(difference.before),
        _values(difference.after),
        _points(difference.effect),
        textwrap.fill(_known(difference.effect), WIDTH),
    )


def _values(values: Mapping[str, Any]) -> str:
    return "\n".join(
        textwrap.shorten(json.dumps(value).strip('"'), VALUE_WIDTH, placeholder="…") for value in values.values()
    )


def _points(effect: Effect) -> str:
    if effect.points is None:
        return "some" if effect.matters else UNKNOWN
    low, high = effect.points
    return f"{low:+.1f}" if low == high else f"{low:+.1f} to {high:+.1f}"


def _known(effect: Effect) -> str:
    return f"{effect.known} [{effect.source}]" if effect.source else effect.known


def _document(found: CellComparison) -> dict[str, Any]:
    return {
        "cells": [{"id": cell.id, "training": cell.training.id, "simulated": cell.simulated} for cell in found.cells],
        "same_data": found.same_data,
        "differences": [
            {
                "settings": list(difference.settings),
                "a": difference.before,
                "b": difference.after,
                **vars(difference.effect),
            }
            for difference in found.differences
        ],
        "metrics": {name: {"a": a, "b": b, "difference": _difference(a, b)} for name, (a, b) in found.metrics.items()},
    }
