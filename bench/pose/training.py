"""The training loop.

Everything that decides the weights follows from the seed and the position, so that a training continued from a
checkpoint ends with the same bits as an uninterrupted one (same machine, same number of threads).

In a process group each process computes the gradients of its share of every batch, and all take the same step with
their mean. Losses, history and weights then equal those of one process, up to rounding.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from bench.pose.captured_step import Capture
from bench.pose.codecs.base import Codec
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.instances import Instance
from bench.pose.data.loading import Loaded, Position, training_batches
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.errors import BenchError
from bench.pose.gradients import GradientReducer, ReducedBatch
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.optimizer import DenseAdam, OptimizerConfig, learning_rate
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup
from bench.pose.precision import autocast
from bench.pose.training_state import TrainingState
from bench.pose.training_step import TrainingStep, trained_parameters

__all__ = ["OptimizerConfig", "Progress", "Training", "TrainingError", "learning_rate"]


class TrainingError(BenchError):
    """A training cannot go on."""


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        position: next step to take.
        epochs: number of epochs in all.
        steps: steps per epoch.
        loss: mean loss of the current epoch so far.
        rate: instances/s since `Training.run` was called.
    """

    position: Position
    epochs: int
    steps: int
    loss: float
    rate: float


class Watcher(Protocol):
    """Called after every step. Returns True to stop the training: at once, or in a group after the next step."""

    def __call__(self, progress: Progress, /) -> bool: ...


class _UnreadStep(NamedTuple):
    """A step whose loss may still be on its way from the GPU."""

    position: Position
    batch: Loaded
    result: ReducedBatch


@dataclass
class Training:
    """A model and the state of its training.

    Attributes:
        model: the network, changed in place.
        codec: codec of the representation.
        instances: instances to train on.
        crops: how the instances are cropped.
        augmentation: how the crops vary.
        settings: optimizer and schedule.
        device: where the model lives.
        position: next step to take.
        validate: scores the model after every epoch, higher is better; None keeps the last weights instead of the best.
            It runs in every process of the group, and rank 0's score counts. A score of None, where there is nobody to
            judge, is the worst: if all are, the last weights are kept.
        history: one entry per finished epoch: epoch, loss, learning_rate, instances, and validation if scored.
        broken: positions of instances whose image cannot be read, and what is wrong with it.
        group: processes that train the same model together. Each has all of these attributes, but its own device. The
            model must be built for the group's size. All processes must call `run` together. Before the end of an epoch
            the running statistics of `model` are right on rank 0 only.
        images: source of the crops' pixels, which does not change them.
        capture: records a step and replays it, which changes no bit, see `CapturedStep`; None to run each step.
            Smaller batches, and those of a group, are run anyway.

    Raises:
        ValueError: the group cannot divide the batches of this model, see `Share`.
    """

    model: nn.Module
    codec: Codec[Any, Any]
    instances: Sequence[Instance]
    crops: CropSettings
    augmentation: Augmentation
    settings: OptimizerConfig
    device: torch.device
    validate: Callable[[nn.Module], float | None] | None = None
    position: Position = field(default_factory=Position)
    history: list[dict[str, Any]] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    group: ProcessGroup = SINGLE_PROCESS
    images: ImageStore = DECODED
    capture: Capture | None = None

    def __post_init__(self) -> None:
        channels_side_by_side(self.model)
        if self.codec.loss_module is not None:
            self.codec.loss_module.to(self.device)
        self._reducer = GradientReducer(self.model, self.group, self._parameters())
        self.optimizer = DenseAdam(list(self._parameters()))
        self._step = TrainingStep(
            self.model,
            self.codec,
            self.optimizer,
            batch_size=self.settings.batch_size,
            precision=self.settings.precision,
            device=self.device,
            capture=self.capture if self.group.size == 1 else None,
        )
        self._loss_sum = 0.0
        self._seen = 0
        # On one GPU a loss is read after the next step was launched, so that the GPU never waits for the host. A group
        # has every loss at once, and all its processes must refuse a loss at the same step.
        self._lag = 1 if self.device.type == "cuda" and self.group.size == 1 else 0
        self._unread: deque[_UnreadStep] = deque()
        self._best: dict[str, Any] = {"validation": -math.inf, "model": {}}

    def run(self, watch: Watcher, *, save: Callable[[], None], save_every: float = math.inf, workers: int = 0) -> bool:
        """Train until the end, or until `watch` asks to stop. A group starts from rank 0's state.

        Args:
            watch: called after every step. In a group any process may ask to stop.
            save: stores `state_dict()`. Called every `save_every` seconds and before stopping early, on rank 0 only.
            save_every: seconds between two saves.
            workers: processes that load crops.

        Returns:
            Whether the training is finished.

        Raises:
            TrainingError: the loss is not finite, the weights at the end of an epoch are not, or no image of an epoch
                can be read.
            ProcessGroupError: another process is gone.
        """
        self._load_state_of_rank_0()
        self.model.train()
        started = saved = time.monotonic()
        instances, stop = 0, False
        for batch in self._batches(workers):
            epoch, step = self.position
            rate = learning_rate(self.settings, epoch, epoch * self.steps_per_epoch + step)
            self._reducer.begin(min(self.settings.batch_size, len(self.instances) - step * self.settings.batch_size))
            recorded = self._step.update(batch, rate)
            loss = self._compute_gradients(batch) if recorded is None else recorded
            result = self._reducer.reduce(loss, batch, stop=stop, known=self.broken)
            self.broken |= dict(result.broken)
            if result.instances:
                self._unread.append(_UnreadStep(self.position, batch, result))
                self._read_losses(self._lag)
                if recorded is None:
                    self.optimizer.step(rate)
            if step + 1 < self.steps_per_epoch:
                self.position = Position(epoch, step + 1)
            else:
                self._finish_epoch(epoch)
                self.position = Position(epoch + 1, 0)
            instances += result.instances
            now = time.monotonic()
            stop = watch(self._progress(instances / max(now - started, 1e-9)))
            stopping = stop if self.group.size == 1 else result.stop
            # Weights that are not finite are never saved: the next loss is refused, and a retry starts before them.
            if self.group.rank == 0 and (stopping or now - saved >= save_every) and self._weights_finite():
                save()
                saved = now
            if stopping:
                return self.finished
        return True

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch, the last one possibly smaller."""
        return math.ceil(len(self.instances) / self.settings.batch_size)

    @property
    def finished(self) -> bool:
        """Whether every epoch is done."""
        return self.position.epoch >= self.settings.epochs

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights to keep: the last, or those of the best validation, the later of equals (behaviour T15)."""
        return self.model.state_dict() if self.validate is None else self._best["model"]

    def state_dict(self) -> TrainingState:
        """Everything that the rest of the training depends on, as tensors and plain values.

        Raises:
            TrainingError: the last loss was not finite.
        """
        self._read_losses()
        return {
            "model": self.model.state_dict(),
            "loss_module": {} if self.codec.loss_module is None else self.codec.loss_module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "position": list(self.position),
            "history": self.history,
            "broken": dict(self.broken),
            "epoch_loss": (self._loss_sum, self._seen),
            "best": self._best,
            "random_state": torch.get_rng_state(),
        }

    def load_state_dict(self, state: TrainingState) -> None:
        """Continue where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        if self.codec.loss_module is not None:
            self.codec.loss_module.load_state_dict(state["loss_module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._step.reset()
        self.position = Position(*state["position"])
        self.history = state["history"]
        self.broken = dict(state["broken"])
        self._loss_sum, self._seen = state["epoch_loss"]
        self._unread.clear()
        self._best = state["best"]
        torch.set_rng_state(state["random_state"])

    def _parameters(self) -> Iterator[nn.Parameter]:
        return trained_parameters(self.model, self.codec)

    def _load_state_of_rank_0(self) -> None:
        if self.group.size > 1:
            state = self.group.broadcast(self.state_dict() if self.group.rank == 0 else None)
            if self.group.rank > 0:
                self.load_state_dict(state)

    def _batches(self, workers: int) -> Iterator[Loaded]:
        """This process's share of every batch from `position` on."""
        return training_batches(
            self.instances,
            self.crops,
            self.augmentation,
            batch_size=self.settings.batch_size,
            epochs=self.settings.epochs,
            seed=self.settings.seed,
            start=self.position,
            workers=workers,
            share=self._reducer.share,
            images=self.images,
            pinned=self.device.type == "cuda",
        )

    def _compute_gradients(self, batch: Loaded) -> Tensor:
        """Gradients of this process's share; returns its weighted loss."""
        self.optimizer.zero_grad()
        if isinstance(batch, Batch):
            loss = self._step.loss(batch) * self._reducer.weight(batch)
        else:
            loss = self._loss_without_images()
        loss.backward()
        return loss.detach()

    def _loss_without_images(self) -> Tensor:
        """Zero loss of a share without readable images, after a forward pass if other processes wait for its part."""
        if not self._reducer.forward_without_images:
            return torch.zeros((), requires_grad=True)
        with autocast(self.settings.precision, self.device):
            output = self.model(torch.zeros(0, 3, *self.crops.size, device=self.device))
        return torch.stack([part.sum() for part in (output if isinstance(output, tuple) else (output,))]).sum()

    def _read_losses(self, lag: int = 0) -> None:
        """Add the losses of all steps but the last `lag` to the epoch's sum."""
        while len(self._unread) > lag:
            step = self._unread.popleft()
            loss, instances = float(step.result.loss), step.result.instances
            if not math.isfinite(loss):
                raise self._loss_error(loss, step)
            self._loss_sum += loss * instances
            self._seen += instances

    def _loss_error(self, loss: float, step: _UnreadStep) -> TrainingError:
        """Error that names the images of a batch. All processes of a group have the same loss, so all get here."""
        indices = step.batch.indices.tolist() if isinstance(step.batch, Batch) else []
        instances = [self.instances[index] for share in self.group.all_gather(indices) for index in share]
        found = sorted({f"{instance.image.name} (instance {instance.annotation_id})" for instance in instances})
        return TrainingError(
            f"the loss is {loss} at epoch {step.position.epoch}, step {step.position.step};"
            f" the batch's images: {', '.join(found)}"
        )

    def _weights_finite(self) -> bool:
        """Whether the weights are finite: even a finite loss may have gradients that are not."""
        return all(bool(value.isfinite().all()) for value in self._parameters())

    def _finish_epoch(self, epoch: int) -> None:
        """Log the epoch and, if the best weights are kept, validate the model."""
        self._read_losses()
        if not self._seen:
            raise TrainingError(f"no image of epoch {epoch} can be read; the first: {next(iter(self.broken.values()))}")
        if not self._weights_finite():
            raise TrainingError(f"the weights are not finite after epoch {epoch}")
        self.history.append(
            {
                "epoch": epoch,
                "loss": self._loss_sum / self._seen,
                "learning_rate": learning_rate(self.settings, epoch),
                "instances": self._seen,
            }
        )
        self._loss_sum, self._seen = 0.0, 0
        if self.validate is not None:
            self._broadcast_running_statistics()
            self._keep_best(self.group.broadcast(self.validate(self.model)))
            self.model.train()

    def _broadcast_running_statistics(self) -> None:
        if self.group.size > 1:
            buffers = self.group.broadcast(dict(self.model.named_buffers()))
            self.model.load_state_dict(buffers, strict=False)

    def _keep_best(self, validation: float | None) -> None:
        self.history[-1]["validation"] = validation
        score = -math.inf if validation is None else validation
        if score >= self._best["validation"]:
            weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self._best = {"validation": score, "model": weights}

    def _progress(self, rate: float) -> Progress:
        loss = self._loss_sum / self._seen if self._seen else self.history[-1]["loss"] if self.history else math.nan
        return Progress(self.position, self.settings.epochs, self.steps_per_epoch, loss, rate)
