"""The paper's printed parameters and GFLOPs against bench's counts, for every published row. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from bench.paper.published import TABLES, PublishedRow, published_rows
from bench.planning.plan import BINARY_GIGA, MILLION
from bench.planning.predicted_complexity import predict
from bench.pose.data.datasets import dataset_info
from bench.pose.models.network import Complexity
from bench.suite.expansion import complete_cell
from bench.suite.recipe import load_recipe

FIXED_EMBEDDING = 49_152
"""Number of values in TokenPose-S's untrained position embedding at 256x192."""

EXPLANATIONS = {
    ("simba_res101", "simdr", "256x192", "params"): (
        "a misprint: the configuration gives 55.7M; the row's heatmap has 53.0M and the heads add 2.75M"
    ),
    ("simba_res50", "heatmap", "256x192", "gflops"): (
        "the paper's own counter gives 8.99; 8.9 is what it gives without the 7x7 stem, and what the earlier Simple"
        " Baselines paper printed"
    ),
    ("simba_res50", "heatmap", "384x288", "gflops"): (
        "the paper's own counter gives 20.23; 20.0 is what it gives without the 7x7 stem, and what the earlier Simple"
        " Baselines paper printed"
    ),
}
"""Explanations of known disagreements, each checked by counting."""

TOKENPOSE_PARAMS = f"agrees without the fixed position embedding ({FIXED_EMBEDDING:,} entries), which is not trained"


@dataclass(frozen=True)
class SizeComparison:
    """One published row beside bench's counts.

    Attributes:
        row: the published row.
        complexity: bench's counts.
        disagreements: for each printed column that bench's count does not round to, the reason; empty if unknown.
    """

    row: PublishedRow
    complexity: Complexity
    disagreements: dict[str, str]


def compare_sizes() -> list[SizeComparison]:
    """Compare every published row, in the order of the paper."""
    return [_compare(row) for row in published_rows()]


def _compare(row: PublishedRow) -> SizeComparison:
    complexity = _count(row)
    counted = {
        "params": (row.params_m, complexity.params / MILLION),
        "gflops": (row.gflops, complexity.published_convention / BINARY_GIGA),
    }
    disagreements = {
        column: _explain(row, column, complexity)
        for column, (printed, ours) in counted.items()
        if printed is not None and round(ours, 1) != printed
    }
    return SizeComparison(row, complexity, disagreements)


def _count(row: PublishedRow) -> Complexity:
    table = TABLES[row.table]
    cell = {
        "dataset": table.dataset,
        "backbone": row.backbone,
        "representation": row.representation,
        "input_size": row.input_size,
    }
    return predict(
        row.backbone,
        row.representation,
        keypoints=dataset_info(table.dataset).skeleton.size,
        input_size=row.input_size,
        split_ratio=complete_cell(load_recipe("paper").train, cell).get("split_ratio"),
    )


def _explain(row: PublishedRow, column: str, complexity: Complexity) -> str:
    trained = (complexity.params - FIXED_EMBEDDING) / MILLION
    if (row.backbone, column, str(row.input_size)) == ("tokenpose_s", "params", "256x192") and round(
        trained, 1
    ) == row.params_m:
        return TOKENPOSE_PARAMS
    return EXPLANATIONS.get((row.backbone, row.representation, str(row.input_size), column), "")
