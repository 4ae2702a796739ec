"""Checkpoints: the state of a training in its folder."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated, TypedDict

import torch
from pydantic import BaseModel, Field, NonNegativeInt

from bench.files import write_atomically
from bench.pose.checkpoints import load_file
from bench.pose.errors import CheckpointError
from bench.pose.machine import processor
from bench.pose.training import Training
from bench.pose.training_state import TrainingState
from bench.store.documents import EpochEntry
from bench.suite.specs import TrainSpec

CHECKPOINT_FORMAT = 4
"""Version of the format, increased whenever older checkpoints cannot be continued."""


class _PlainState(BaseModel):
    """The fields of a training's state without tensors; see `Training.state_dict`."""

    position: tuple[NonNegativeInt, NonNegativeInt]
    history: list[EpochEntry]
    broken: dict[NonNegativeInt, str]
    epoch_loss: tuple[float, int]


class _Origin(BaseModel):
    """What a training was begun with."""

    build: dict[str, str]
    threads: Annotated[int, Field(ge=1, le=1024)]


class Checkpoint(TypedDict):
    """Contents of `checkpoint.pt`, a torch file of tensors and plain values.

    Attributes:
        format: version of the format; checkpoints of another version are refused.
        spec: id of the training.
        build: what its bits depend on, see `build_of`.
        threads: torch's threads, on which they depend too.
        seconds: wall time of the training so far.
        training: state of the training.
    """

    format: int
    spec: str
    build: dict[str, str]
    threads: int
    seconds: float
    training: TrainingState


def build_of(device: torch.device) -> dict[str, str]:
    """The build of torch and the kind of machine, on which the bits of a training depend."""
    build = {"torch": str(torch.__version__), "machine": f"{platform.system()} {platform.machine()}"}
    build["device"] = device.type
    if device.type == "cuda":
        build["CUDA"] = str(torch.version.cuda or torch.version.hip)
        build["cuDNN"] = str(torch.backends.cudnn.version())
        build["GPU"] = torch.cuda.get_device_name(device)
    elif device.type == "cpu":
        build["instructions"] = torch.backends.cpu.get_cpu_capability()
    else:
        build["processor"] = processor()
    return build


def save(training: Training, file: Path, spec: TrainSpec, seconds: float) -> None:
    """Store the state of a training after `seconds` of wall time."""
    state: Checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "spec": spec.id,
        "build": build_of(training.device),
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "training": training.state_dict(),
    }
    write_atomically(file, lambda stream: torch.save(state, stream))


def resume(training: Training, file: Path, spec: TrainSpec) -> float:
    """Load the checkpoint, if there is one; returns the wall time in seconds before it was taken.

    The rest of the training takes as many threads of torch as it began with: with others it would not end with the same
    bits.

    Raises:
        CheckpointError: it is unreadable, damaged, of another training or version, or was begun with another build or
            on another kind of machine. `training` must not be used then.
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
        origin = _Origin.model_validate(state)
        _check_build(file, origin.build, build_of(training.device))
        _PlainState.model_validate(state["training"])
        training.load_state_dict(state["training"])
        torch.set_num_threads(origin.threads)
        return float(state["seconds"])
    except CheckpointError:
        raise
    except Exception as error:  # torch raises all kinds of errors for missing or wrong values
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"{file}: damaged ({said:.200}); remove it to start anew") from error


def _check_build(file: Path, begun: dict[str, str], here: dict[str, str]) -> None:
    """Raise `CheckpointError` if the training would not end with the bits that it would have ended with there."""
    names = [name for name in {**begun, **here} if begun.get(name) != here.get(name)]
    if names:
        there, now = (", ".join(f"{name} {build.get(name, '-'):.80}" for name in names) for build in (begun, here))
        raise CheckpointError(
            f"{file}: begun with {there}; here: {now}. The training would not end with the same bits:"
            " resume it there, or remove the file to start anew here"
        )
