"""One step of a training in one process: from a batch to gradients, or to updated weights in a recorded step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.pose.captured_step import Capture, CapturedStep
from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch
from bench.pose.data.loading import Loaded
from bench.pose.optimizer import DenseAdam
from bench.pose.precision import Precision, autocast, copy_to, to_float32

__all__ = ["TrainingStep", "trained_parameters"]


class TrainingStep:
    """What a step computes.

    Args:
        model: the network.
        codec: codec of the representation.
        optimizer: of all that is trained.
        batch_size: instances of the batches whose step is recorded.
        precision: arithmetic of the network.
        device: where the model lives.
        capture: see `Training`.
    """

    def __init__(
        self,
        model: nn.Module,
        codec: Codec[Any, Any],
        optimizer: DenseAdam,
        *,
        batch_size: int,
        precision: Precision,
        device: torch.device,
        capture: Capture | None,
    ) -> None:
        self._model, self._codec, self._optimizer = model, codec, optimizer
        self._batch_size, self._precision, self._device = batch_size, precision, device
        self.captured = None if capture is None else CapturedStep(self._update, capture, self._changed)

    @property
    def replays(self) -> bool:
        """Whether whole steps are replayed by now."""
        return self.captured is not None and self.captured.replays

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, with its graph."""
        return self._loss(*self._inputs(batch))

    def update(self, batch: Loaded, learning_rate: float) -> Tensor | None:
        """Take a whole step as a recorded one; returns its loss, or None for batches whose steps are not recorded."""
        if self.captured is None or not isinstance(batch, Batch) or len(batch) != self._batch_size:
            return None
        self._optimizer.set_learning_rate(learning_rate)
        return self.captured(*self._inputs(batch))

    def reset(self) -> None:
        """Tell that the optimizer's state was replaced."""
        if self.captured is not None:
            self.captured.reset()

    def _inputs(self, batch: Batch) -> tuple[Tensor, Any]:
        """Images as the network takes them, and targets, on the device."""
        keypoints, visible = (copy_to(self._device, tensor) for tensor in (batch.keypoints, batch.visible))
        return batch.normalized(self._device), self._codec.encode(keypoints, visible)

    def _loss(self, images: Tensor, targets: Any) -> Tensor:
        with autocast(self._precision, self._device):
            output = self._model(images)
        return self._codec.loss(to_float32(output), targets)

    def _update(self, images: Tensor, targets: Any) -> Tensor:
        self._optimizer.zero_grad()
        loss = self._loss(images, targets)
        loss.backward()
        self._optimizer.update()
        return loss.detach()

    def _changed(self) -> Iterator[Tensor]:
        """All that `_update` changes."""
        yield from trained_parameters(self._model, self._codec)
        for module in (self._model, self._codec.loss_module):
            yield from () if module is None else module.buffers()
        yield from self._optimizer.tensors()


def trained_parameters(model: nn.Module, codec: Codec[Any, Any]) -> Iterator[nn.Parameter]:
    """All that is trained: the network's parameters and those of the loss."""
    yield from model.parameters()
    if codec.loss_module is not None:
        yield from codec.loss_module.parameters()
