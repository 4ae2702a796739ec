"""How long trainings are: the instances that they see in all, which follow from the settings of some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LENGTH = "instances_seen"
"""Name of the length, as claims and the results frame use it."""

FACTORS = ("train_subset", "epochs")
"""Settings whose product it is."""


def planned_length(settings: Mapping[str, Any]) -> int | None:
    """Instances that a training sees in all; None where it takes all instances of its split, whose number is not set.

    Args:
        settings: of a training, by name.
    """
    subset, epochs = (settings[name] for name in FACTORS)
    if epochs == 0:
        return 0
    return None if subset is None else int(subset) * int(epochs)
