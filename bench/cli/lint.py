"""`bench lint`: compare the paper's printed sizes with bench's counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from bench.cli.exits import Exit
from bench.cli.options import AsJson

if TYPE_CHECKING:
    from bench.planning.printed_sizes import SizeComparison


def lint(as_json: AsJson = False) -> None:
    """Print the published parameters and GFLOPs beside ours, with explanations. Ends 1 if one is unexplained."""
    from bench.planning.printed_sizes import compare_sizes

    comparisons = compare_sizes()
    if as_json:
        typer.echo(json.dumps([_document(item) for item in comparisons], indent=2))
    else:
        _print(comparisons)
    if any("" in item.disagreements.values() for item in comparisons):
        raise typer.Exit(Exit.FAILED)


def _document(item: SizeComparison) -> dict[str, object]:
    from bench.planning.plan import BINARY_GIGA, GIGA

    row, ours = item.row, item.complexity
    return {
        "row": row.id,
        "backbone": row.backbone,
        "representation": row.representation,
        "input_size": str(row.input_size),
        "published": {"params_m": row.params_m, "gflops": row.gflops},
        "params": ours.params,
        "gflops": {
            "multiply_adds": ours.multiply_adds / GIGA,
            "published_convention": ours.published_convention / BINARY_GIGA,
        },
        "disagreements": dict(item.disagreements),
    }


def _print(comparisons: Sequence[SizeComparison]) -> None:
    from tabulate import tabulate

    from bench.planning.plan import BINARY_GIGA, GIGA, MILLION

    rows = [
        (
            item.row.id,
            item.row.backbone,
            item.row.representation,
            str(item.row.input_size),
            item.row.params_m,
            item.complexity.params / MILLION,
            item.row.gflops,
            item.complexity.published_convention / BINARY_GIGA,
            item.complexity.multiply_adds / GIGA,
            "; ".join(f"{column}: {reason or 'NOT EXPLAINED'}" for column, reason in item.disagreements.items()),
        )
        for item in comparisons
    ]
    headers = ("row", "backbone", "representation", "input", "#params M", "ours", "GFLOPs", "ours", "true", "")
    typer.echo(tabulate(rows, headers=headers, floatfmt=("", "", "", "", ".1f", ".3f", ".1f", ".3f", ".3f", "")))
    printed = sum((item.row.params_m is not None) + (item.row.gflops is not None) for item in comparisons)
    differing = [reason for item in comparisons for reason in item.disagreements.values()]
    typer.echo(f"\n{printed} printed numbers, {len(differing)} disagree, {differing.count('')} of them unexplained")
    typer.echo("GFLOPs: the paper's convention over 2^30; true: multiply-adds over 1e9")
