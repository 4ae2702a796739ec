"""What a protocol's headline number hides: joint by joint, threshold by threshold, and the kinds of errors made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Instruments"]


@dataclass(frozen=True)
class Instruments:
    """Finer readings of the same predictions that the metrics of a record come from.

    Attributes:
        measure: "AP" (0..1) or "PCKh" (percent), what `joints` and `curve` hold.
        joints: the measure of each joint alone, by its name.
        curve: the measure over all joints at each threshold: OKS for AP, head sizes for PCKh; keys such as "0.50".
        errors: part of the labelled joints of matched people that is good, jitter, inversion, swap or miss; they add up
            to 1. Empty where the protocol has no per-joint falloff.
    """

    measure: str
    joints: Mapping[str, float]
    curve: Mapping[str, float]
    errors: Mapping[str, float]
