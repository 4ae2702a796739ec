"""What evaluations are called in baselines and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.formatting import is_post_processed
from bench.planning.plan import describe_subset
from bench.suite.schema import Suite
from bench.suite.specs import evaluation_key

KNOWN_ALONE = frozenset({"backbone", "representation", "input_size", "initialization"})
"""Settings whose values say which setting they are of."""

ALWAYS_SAID = frozenset({"boxes", "flip_test", "post_process", "split"})


def cell_words(suite: Suite, values: Mapping[str, Any], seeds: Sequence[int] = ()) -> str:
    """A cell by its values on the suite's axes and how it is measured; the same whatever else the suite has.

    Args:
        suite: that has it.
        values: a line of the results frame.
        seeds: of several trainings that are spoken of as one; the line's own if not given.
    """
    names = {digest: name for name, digest in suite.weights.items()}
    words = []
    for axis in suite.axes:
        value = values[axis]
        if axis == "seed":
            words.append(f"seed {value}" if len(seeds) < 2 else f"seeds {', '.join(map(str, seeds))}")
        elif value is not None:
            text = names.get(value, value) if axis == "weights" else _text(value)
            words.append(text if axis in KNOWN_ALONE else f"{axis} {text}")
    words += [describe_subset([values[name]]) for name in ("subset",) if values[name] is not None]
    return f"{', '.join(words)}; {', '.join(_ways(suite, values))}"


def _ways(suite: Suite, values: Mapping[str, Any]) -> list[str]:
    """How it is measured: what is always of interest, and what the suite sets."""
    ways = [
        f"{'annotated' if values['boxes'] == 'gt' else 'detected'} boxes",
        "flip test" if values["flip_test"] else "no flip test",
    ]
    if values["representation"] == "heatmap":
        refinement = values["post_process"]
        ways.append(f"refined by {refinement}" if is_post_processed(refinement) else "not refined")
    named = dict.fromkeys(name for rule in suite.evaluations for name in rule.settings if name not in ALWAYS_SAID)
    return ways + [f"{name} {_text(values[evaluation_key(name)])}" for name in named]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
