"""The state of a training in its folder, to go on from."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.files import write_atomically
from bench.pose.checkpoints import load_file
from bench.pose.errors import CheckpointError
from bench.pose.training import Training
from bench.suite.specs import TrainSpec

__all__ = ["resume", "save"]

CHECKPOINT_FORMAT = 2
"""Raised whenever older checkpoints can no longer be continued."""


def save(training: Training, file: Path, spec: TrainSpec, seconds: float) -> None:
    """Store the state of a training on which so much time was spent."""
    state = {"format": CHECKPOINT_FORMAT, "spec": spec.id, "seconds": seconds, "training": training.state_dict()}
    write_atomically(file, lambda stream: torch.save(state, stream))


def resume(training: Training, file: Path, spec: TrainSpec) -> float:
    """Load the checkpoint if there is one; seconds spent before it was taken.

    Raises:
        CheckpointError: it is unreadable, damaged, of another training or by another version. What it was to fill is
            of no use then.
    """
    if not file.exists():
        return 0.0
    state = load_file(file)
    if not isinstance(state, dict) or (state.get("format"), state.get("spec")) != (CHECKPOINT_FORMAT, spec.id):
        raise CheckpointError(
            f"{file}: not a checkpoint of training {spec.id} by this version of bench; remove it to start anew"
        )
    training.load_state_dict(state["training"])
    return float(state["seconds"])
