"""What evaluations are called in baselines and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.suite.schema import Suite
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["cell_words"]

KNOWN_ALONE = frozenset({"backbone", "representation", "input_size", "initialization"})
"""Settings whose values say which setting they are of."""

ALWAYS_SAID = frozenset({"boxes", "flip_test", "post_process", "split"})


def cell_words(suite: Suite, training: TrainSpec, evaluation: EvalSpec, seeds: Sequence[int] = ()) -> str:
    """A cell by its values on the suite's axes and how it is measured; the same whatever else the suite has.

    Args:
        suite: that has it.
        training: of the cell.
        evaluation: of the training.
        seeds: of several trainings that are spoken of as one; the training's own if not given.
    """
    names = {digest: name for name, digest in suite.weights.items()}
    words = []
    for axis in suite.axes:
        value = getattr(training, axis)
        if axis == "seed":
            words.append(f"seed {value}" if len(seeds) < 2 else f"seeds {', '.join(map(str, seeds))}")
        elif value is not None:
            text = names.get(value, value) if axis == "weights" else _text(value)
            words.append(text if axis in KNOWN_ALONE else f"{axis} {text}")
    return f"{', '.join(words)}; {', '.join(_ways(suite, training, evaluation))}"


def _ways(suite: Suite, training: TrainSpec, evaluation: EvalSpec) -> list[str]:
    """How it is measured: what is always of interest, and what the suite sets."""
    ways = [
        f"{'annotated' if evaluation.boxes == 'gt' else 'detected'} boxes",
        "flip test" if evaluation.flip_test else "no flip test",
    ]
    if training.representation == "heatmap":
        ways.append("not refined" if evaluation.post_process == "none" else f"refined by {evaluation.post_process}")
    named = dict.fromkeys(name for rule in suite.evaluations for name in rule.settings if name not in ALWAYS_SAID)
    return ways + [f"{name} {_text(getattr(evaluation, name))}" for name in named]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
