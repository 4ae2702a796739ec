"""The state of a training in a checkpoint."""

from __future__ import annotations

from typing import Any, TypedDict

from torch import Tensor

__all__ = ["TrainingState"]


class TrainingState(TypedDict):
    """Everything that the rest of a training depends on, as tensors and plain values.

    Attributes:
        model: weights and running statistics by name.
        loss_module: weights of what the loss trains beside the model, by name; none of most representations.
        optimizer: state of torch's Adam: its moments and step counts.
        position: epoch and step, from 0, of the next step.
        history: finished epochs.
        broken: positions of instances that were left out, and what is wrong with the image of each.
        epoch_loss: sum of the losses of the current epoch, and its number of instances so far.
        best: validation score and weights of the best epoch so far, where those are kept.
        random_state: state of torch's random generator.
    """

    model: dict[str, Tensor]
    loss_module: dict[str, Tensor]
    optimizer: dict[str, Any]
    position: list[int]
    history: list[dict[str, Any]]
    broken: dict[int, str]
    epoch_loss: tuple[float, int]
    best: dict[str, Any]
    random_state: Tensor
