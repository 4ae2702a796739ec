"""Checkpoints: the state of a training in its folder."""

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

CHECKPOINT_FORMAT = 3
"""Version of the format, increased whenever older checkpoints cannot be continued."""


class _PlainState(BaseModel):
    """The fields of a training's state without tensors; see `Training.state_dict`."""

    position: tuple[NonNegativeInt, NonNegativeInt]
    history: list[EpochEntry]
    broken: dict[NonNegativeInt, str]
    epoch_loss: tuple[float, int]


class Checkpoint(TypedDict):
    """Contents of `checkpoint.pt`, a torch file of tensors and plain values.

    Attributes:
        format: version of the format; checkpoints of another version are refused.
        spec: id of the training.
        seconds: wall time of the training so far.
        training: state of the training.
    """

    format: int
    spec: str
    seconds: float
    training: TrainingState


def save(training: Training, file: Path, spec: TrainSpec, seconds: float) -> None:
    """Store the state of a training after `seconds` of wall time."""
    state: Checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "spec": spec.id,
        "seconds": seconds,
        "training": training.state_dict(),
    }
    write_atomically(file, lambda stream: torch.save(state, stream))


def resume(training: Training, file: Path, spec: TrainSpec) -> float:
    """Load the checkpoint, if there is one; returns the wall time in seconds before it was taken.

    Raises:
        CheckpointError: it is unreadable, damaged, of another training or of another version. `training` must not be
            used then.
    """
    if not file.exists():
        return 0.0
    state, expected = load_file(file), (CHECKPOINT_FORMAT, spec.id)
    # Compared as text: comparing a tensor in their place would raise.
    if not isinstance(state, dict) or str((state.get("format"), state.get("spec"))) != str(expected):
        raise CheckpointError(
            f"{file}: not a checkpoint of training {spec.id} by this version of bench; remove it to start anew"
        )
    try:
        _PlainState.model_validate(state["training"])
        training.load_state_dict(state["training"])
        return float(state["seconds"])
    except Exception as error:  # torch raises all kinds of errors for missing or wrong values
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"{file}: damaged ({said:.200}); remove it to start anew") from error
