"""The evaluators by name. Imports nothing heavy, as plans name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["EVALUATORS", "EvaluatorName"]

EvaluatorName = Literal[
    "pycocotools", "hotcoco", "box_areas", "visible_keypoints", "crowdpose", "whole_box_areas", "pckh"
]
"""Who computes the metrics, and by which truth; `bench.pose.metrics.evaluators` says what each does."""

EVALUATORS: Mapping[str, tuple[EvaluatorName, ...]] = {
    "coco": ("pycocotools", "hotcoco", "box_areas", "visible_keypoints"),
    "crowdpose": ("crowdpose", "whole_box_areas", "visible_keypoints"),
    "mpii": ("pckh",),
}
"""Those of each protocol of datasets, first the one of record."""
