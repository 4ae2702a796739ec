"""The 73 rows of the paper's result tables, in the order of the project page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.pose.codecs.representation import PostProcess
from bench.pose.input_size import InputSize


@dataclass(frozen=True)
class PublishedTable:
    """What a published table was measured on: dataset, split, and whether boxes are a detector's or annotated."""

    dataset: str
    split: str
    boxes: str = "detector"


TABLES: Mapping[str, PublishedTable] = {
    "coco_val": PublishedTable("coco", "val2017"),
    "coco_val_384x288": PublishedTable("coco", "val2017"),
    "coco_test_dev": PublishedTable("coco", "test-dev2017"),
    "mpii_val": PublishedTable("mpii", "valid", boxes="gt"),
    "crowdpose_test": PublishedTable("crowdpose", "test"),
}
"""The published tables by name."""


@dataclass(frozen=True)
class PublishedTraining:
    """What the paper trains on: a split, and its instances as the reference counts them."""

    split: str
    instances: int


TRAININGS: Mapping[str, PublishedTraining] = {
    "coco": PublishedTraining("train2017", 149_813),
    "mpii": PublishedTraining("train", 22_246),
    # Not counted but inferred: a log of these trainings has 83 batches of 512 an epoch.
    "crowdpose": PublishedTraining("trainval", 42_400),
}
"""The paper's training data by dataset."""

BACKBONES = {
    "SimBa-Res50": "simba_res50",
    "SimBa-Res101": "simba_res101",
    "SimBa-Res152": "simba_res152",
    "HRNet-W32": "hrnet_w32",
    "HRNet-W48": "hrnet_w48",
    "TokenPose-S": "tokenpose_s",
}
"""Our name of each published method."""

REPRESENTATIONS = {"heatmap": "heatmap", "SimDR": "simdr", "SimDR*": "simdr_star"}
"""Our name of each published representation."""

WITHOUT_ROWS = {"coco": ("simba_res50_upsample_free",)}
"""Backbones of the paper's text that no table has, by dataset."""

PERCENT = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AP_E", "AP_M", "AP_H")
"""Metrics that the page prints in percent and records hold in 0..1."""

PCKH = {
    "Hea": "Head",
    "Sho": "Shoulder",
    "Elb": "Elbow",
    "Wri": "Wrist",
    "Hip": "Hip",
    "Kne": "Knee",
    "Ank": "Ankle",
    "Mean": "Mean",
}
"""Our name of each column of the page's MPII table, in percent there and in records."""

PCKH_SUFFIXES = {0.5: "", 0.1: "@0.1"}
"""What the names of our metrics end in at each threshold, in head sizes."""


@dataclass(frozen=True)
class PublishedRow:
    """One row of a published table.

    Attributes:
        id: TABLE/N with N from 1 in the page's order.
        table: name of the table.
        backbone: our name of the method.
        representation: our name of it.
        input_size: of the crops.
        post_process: refinement of heatmap peaks. The page's column "Extra post." says whether there is one, for tables
            without the column the reference's configuration, which refines heatmaps: by a quarter cell, for TokenPose
            by DARK.
        metrics: under the names and in the units of our records: COCO's and CrowdPose's in 0..1, MPII's in percent.
        params_m: millions of parameters, where printed.
        gflops: where printed.
    """

    id: str
    table: str
    backbone: str
    representation: str
    input_size: InputSize
    post_process: PostProcess
    metrics: Mapping[str, float]
    params_m: float | None
    gflops: float | None


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """All rows, tables in the order of the page's file, rows in the page's order."""
    document = json.loads((Path(__file__).parent / "rows.json").read_text(encoding="utf-8"))
    counts: dict[str, int] = {}
    rows = []
    for row in document["rows"]:
        number = counts[row["table"]] = counts.get(row["table"], 0) + 1
        rows.append(_row(row, number))
    return tuple(rows)


def _row(row: dict[str, Any], number: int) -> PublishedRow:
    representation = REPRESENTATIONS[row["representation"]]
    return PublishedRow(
        id=f"{row['table']}/{number}",
        table=row["table"],
        backbone=BACKBONES[row["method"]],
        representation=representation,
        input_size=InputSize.parse(row["input_size"]),
        post_process=_refinement(row["method"]) if row.get("extra_post", representation == "heatmap") else "none",
        metrics=_metrics(row),
        params_m=row.get("params_m"),
        gflops=row.get("gflops"),
    )


def _refinement(method: str) -> PostProcess:
    return "dark" if method == "TokenPose-S" else "quarter"


def _metrics(row: dict[str, Any]) -> dict[str, float]:
    metrics = {name: row[name] / 100 for name in PERCENT if name in row}
    if "pckh_threshold" in row:
        suffix = PCKH_SUFFIXES[row["pckh_threshold"]]
        metrics |= {f"{name}{suffix}": row[column] for column, name in PCKH.items()}
    return metrics
