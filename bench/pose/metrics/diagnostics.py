"""Details behind a protocol's headline number: values by keypoint and by threshold, and the kinds of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Diagnostics"]


@dataclass(frozen=True)
class Diagnostics:
    """Finer readings of the same predictions that the metrics of a record come from.

    Attributes:
        measure: "AP" (0..1) or "PCKh" (percent), what `keypoints` and `curve` hold.
        keypoints: the measure of each keypoint alone, by its name.
        curve: the measure over all keypoints at each threshold: OKS for AP, head sizes for PCKh; keys such as "0.50".
        errors: fraction of the labelled keypoints of matched instances that are good, jitter, inversion, swap or miss;
            their sum is 1. Empty where the protocol has no per-keypoint falloff.
    """

    measure: str
    keypoints: Mapping[str, float]
    curve: Mapping[str, float]
    errors: Mapping[str, float]
