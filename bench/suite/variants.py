"""Variants of an evaluation: one choice of the protocol changed at a time, the weights the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from bench.pose.codecs.representation import REPRESENTATIONS, FlipShift
from bench.pose.evaluator_names import EVALUATORS
from bench.suite.specs import EvalSpec, TrainSpec

THRESHOLDS: Mapping[str, tuple[float, ...]] = {
    "score_threshold": (0.0, 0.05, 0.2, 0.4),
    "nms_threshold": (0.5, 0.7, 0.9, 1.0),
}
"""Thresholds as papers and their code use them: 0.2 is HRNet's, SimDR's are smaller; an OKS of 1 suppresses none."""

SCORED_BY_OKS = frozenset({"coco", "crowdpose"})
"""Protocols that rank instances by a score and suppress duplicates."""


@dataclass(frozen=True)
class VariantSpec:
    """An evaluation that differs from another in one setting.

    Attributes:
        setting: its name.
        value: its value.
        spec: the evaluation.
    """

    setting: str
    value: Any
    spec: EvalSpec

    @property
    def words(self) -> str:
        """The value in words."""
        return choice_words(self.value)


def choice_words(value: Any) -> str:
    """The value of a choice in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def variants_of(training: TrainSpec, base: EvalSpec) -> tuple[VariantSpec, ...]:
    """All variants that can be measured from the network's outputs, and the one with the other boxes.

    Left out is what makes no difference: shifts without a flip test, refinements that the representation lacks, and
    rules for scores where the protocol uses none.

    Args:
        training: whose weights are measured.
        base: the evaluation to vary.
    """
    return tuple(
        VariantSpec(setting, value, base.model_copy(update={setting: value}))
        for setting, values in _choices(training, base)
        for value in values
        if value != getattr(base, setting)
    )


def _choices(training: TrainSpec, base: EvalSpec) -> Iterator[tuple[str, tuple[Any, ...]]]:
    representation, protocol = REPRESENTATIONS[training.representation], training.data.protocol
    yield "flip_test", (True, False)
    if base.flip_test:
        shifts: tuple[str, ...] = get_args(FlipShift)
        if representation.output == "maps":  # they shift by a cell, or not at all
            shifts = ("reference",) if base.flip_shift == "none" else ("none",)
        yield "flip_shift", shifts
    refinements = representation.decoding.get("post_process", ())
    yield "post_process", tuple(refinements)
    if protocol in SCORED_BY_OKS:
        yield "instance_score", ("mean", "rle")
        yield from THRESHOLDS.items()
    yield "evaluator", EVALUATORS[protocol]
    yield "boxes", ("gt", "detector")
