"""The state of a training in its folder, to go on from."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import torch
from pydantic import BaseModel, NonNegativeInt

from bench.files import write_atomically
from bench.pose.checkpoints import load_file
from bench.pose.errors import CheckpointError
from bench.pose.training import Training
from bench.pose.training_state import TrainingState
from bench.store.documents import EpochEntry
from bench.suite.specs import TrainSpec

__all__ = ["Checkpoint", "resume", "save"]

CHECKPOINT_FORMAT = 2
"""Raised whenever older checkpoints can no longer be continued."""


class _Plain(BaseModel):
    """What of a training's state is no tensor, nor of one: see `Training.state_dict`."""

    position: tuple[NonNegativeInt, NonNegativeInt]
    history: list[EpochEntry]
    broken: list[str]
    epoch_loss: tuple[float, int]


class Checkpoint(TypedDict):
    """What `checkpoint.pt` holds, as a torch file of tensors and plain values.

    Attributes:
        format: version of the format; checkpoints of another are refused.
        spec: id of the training.
        seconds: spent on it so far.
        training: the state of the training.
    """

    format: int
    spec: str
    seconds: float
    training: TrainingState


def save(training: Training, file: Path, spec: TrainSpec, seconds: float) -> None:
    """Store the state of a training on which so much time was spent."""
    state: Checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "spec": spec.id,
        "seconds": seconds,
        "training": training.state_dict(),
    }
    write_atomically(file, lambda stream: torch.save(state, stream))


def resume(training: Training, file: Path, spec: TrainSpec) -> float:
    """Load the checkpoint if there is one; seconds spent before it was taken.

    Raises:
        CheckpointError: it is unreadable, damaged, of another training or by another version. What it was to fill is
            of no use then.
    """
    if not file.exists():
        return 0.0
    state, expected = load_file(file), (CHECKPOINT_FORMAT, spec.id)
    # Compared as texts: that of a tensor in their place is neither right nor wrong, but an error.
    if not isinstance(state, dict) or str((state.get("format"), state.get("spec"))) != str(expected):
        raise CheckpointError(
            f"{file}: not a checkpoint of training {spec.id} by this version of bench; remove it to start anew"
        )
    try:
        _Plain.model_validate(state["training"])
        training.load_state_dict(state["training"])
        return float(state["seconds"])
    except Exception as error:  # what is missing or of another kind makes torch raise anything
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"{file}: damaged ({said:.200}); remove it to start anew") from error
