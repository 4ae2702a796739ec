"""`bench lint`: the paper's printed sizes against ours."""

from __future__ import annotations

import typer

__all__ = ["lint"]

UNEXPLAINED = 1


def lint() -> None:
    """Print the published parameters and GFLOPs beside ours and explain each disagreement. Ends 1 if one is open."""
    from tabulate import tabulate

    from bench.lint import BINARY_GIGA, MILLION, compare_sizes

    comparisons = compare_sizes()
    rows = [
        (
            item.row.id,
            item.row.backbone,
            item.row.representation,
            item.row.input_size,
            item.row.params_m,
            item.complexity.params / MILLION,
            item.row.gflops,
            item.complexity.published_convention / BINARY_GIGA,
            item.complexity.multiply_adds / 1e9,
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
    if "" in differing:
        raise typer.Exit(UNEXPLAINED)
