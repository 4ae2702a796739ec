"""The training loop.

Everything that decides the weights follows from the seed and the position, so that a training continued from a
checkpoint ends with the same bits as one that was never interrupted (same machine, same number of threads).

In a group each process computes the gradients of its share of every batch, and all take the same step with their mean.
Losses, history and weights are then those of one process, up to rounding.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import nn

from bench.pose.codecs.base import Codec
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.instances import Instance
from bench.pose.data.loading import Position, training_batches
from bench.pose.data.pixels.image_source import DECODED, ImageStore
from bench.pose.errors import BenchError
from bench.pose.gradients import BatchResult, Gradients
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.optimizer import DenseAdam
from bench.pose.parallel import ALONE, ProcessGroup
from bench.pose.precision import Precision
from bench.pose.training_state import TrainingState

__all__ = ["OptimizerConfig", "Progress", "Training", "TrainingError", "learning_rate"]


WARMUP_START = 0.001
"""Part of the learning rate that the first step of a warm-up has."""


class TrainingError(BenchError):
    """A training that cannot go on."""


@dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are found: Adam without weight decay (behaviour T3) and a stepped learning rate.

    Attributes:
        epochs: passes over the instances.
        batch_size: instances per step, over all replicas and processes.
        learning_rate: at the start.
        learning_rate_factor: by which it drops at each milestone.
        milestones: epochs, from 0, of the drops as configured.
        milestone_timing: "reference" drops one epoch early (behaviour T1), "exact" at the milestone.
        warmup_steps: over which the learning rate rises linearly from a thousandth, counted from the very first step.
        seed: of initial weights, order and augmentation.
        precision: of the network's arithmetic.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    learning_rate_factor: float
    milestones: tuple[int, ...]
    milestone_timing: Literal["reference", "exact"]
    warmup_steps: int
    seed: int
    precision: Precision = "float32"


def learning_rate(settings: OptimizerConfig, epoch: int, steps: int | None = None) -> float:
    """Learning rate of an epoch, counted from 0; during warm-up, of the step after so many steps since the start."""
    early = 1 if settings.milestone_timing == "reference" else 0
    drops = sum(epoch >= milestone - early for milestone in settings.milestones)
    rate = settings.learning_rate * settings.learning_rate_factor**drops
    if steps is None or steps >= settings.warmup_steps:
        return rate
    return rate * (WARMUP_START + (1 - WARMUP_START) * steps / settings.warmup_steps)


@dataclass(frozen=True)
class Progress:
    """How far a training is, for whoever watches: `loss` is the epoch's mean so far, `rate` is in instances/s."""

    position: Position
    epochs: int
    steps: int
    loss: float
    rate: float


class Watcher(Protocol):
    """Hears of every step. Returns True to have the training stopped after it, in a group after the next one."""

    def __call__(self, progress: Progress) -> bool: ...


class _Step(NamedTuple):
    """A step that was taken: where, with which batch, and what came of it."""

    position: Position
    batch: Batch | tuple[str, ...]
    result: BatchResult


@dataclass
class Training:
    """A model on its way through training.

    Attributes:
        model: the network, changed in place.
        codec: of the representation.
        instances: to train on.
        crops: how they are cropped.
        augmentation: how the crops vary.
        settings: of the optimization.
        device: where the model lives.
        position: next step to take.
        validate: scores the model after every epoch, higher is better; None to train blind. It runs in every process of
            the group, and rank 0's score counts.
        history: one entry per finished epoch: epoch, loss, learning_rate, instances, and validation if scored.
        broken: what was wrong with instances whose image cannot be read, each once.
        group: processes that train the same model together; each has all of this, but its own device. The model must be
            built for the group's size. `run` is for all of them; everything else works in each as in a single process.
            Before the end of an epoch the running statistics of `model` are right on rank 0 only.
        images: where the pixels of the crops come from, which makes no difference to them.

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
    history: list[dict[str, float]] = field(default_factory=list)
    broken: dict[str, None] = field(default_factory=dict)
    group: ProcessGroup = ALONE
    images: ImageStore = DECODED

    def __post_init__(self) -> None:
        channels_side_by_side(self.model)
        self._gradients = Gradients(
            self.model, self.codec, self.device, self.crops.size, self.group, self.settings.precision
        )
        self.optimizer = DenseAdam(list(self.model.parameters()))
        self._loss_sum = 0.0
        self._seen = 0
        # A GPU's loss is read when the next step has been handed to it, so that it need not wait for the host. A group
        # has read it when it has exchanged gradients, and all of it must refuse a loss at once, not rank 0 in a save.
        self._lag = 1 if self.device.type == "cuda" and self.group.size == 1 else 0
        self._unread: deque[_Step] = deque()
        self._best: dict[str, Any] = {"validation": -math.inf, "model": {}}

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch, the last one possibly smaller."""
        return math.ceil(len(self.instances) / self.settings.batch_size)

    @property
    def finished(self) -> bool:
        """Whether every epoch is done."""
        return self.position.epoch >= self.settings.epochs

    @property
    def weights(self) -> dict[str, torch.Tensor]:
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
            "optimizer": self.optimizer.state_dict(),
            "position": list(self.position),
            "history": self.history,
            "broken": list(self.broken),
            "epoch_loss": (self._loss_sum, self._seen),
            "best": self._best,
            "random_state": torch.get_rng_state(),
        }

    def load_state_dict(self, state: TrainingState) -> None:
        """Continue where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.position = Position(*state["position"])
        self.history = state["history"]
        self.broken = dict.fromkeys(state["broken"])
        self._loss_sum, self._seen = state["epoch_loss"]
        self._unread.clear()
        self._best = state["best"]
        torch.set_rng_state(state["random_state"])

    def run(self, watch: Watcher, *, save: Callable[[], None], save_every: float = math.inf, workers: int = 0) -> bool:
        """Train until the end, or until `watch` asks to stop. A group starts from rank 0's state.

        Args:
            watch: hears of every step. In a group any process may ask to stop.
            save: called to store `state_dict()`, at the latest every `save_every` seconds and before stopping early; in
                a group on rank 0 only.
            save_every: seconds.
            workers: processes that load crops.

        Returns:
            Whether the training is finished.

        Raises:
            TrainingError: the loss is not finite, the weights at the end of an epoch are not, or no image of it can be
                read.
            ProcessGroupError: another process is gone.
        """
        settings = self.settings
        self._start_from_rank_0()
        self.model.train()
        saved = started = time.monotonic()
        instances = 0
        batches = training_batches(
            self.instances,
            self.crops,
            self.augmentation,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            seed=settings.seed,
            start=self.position,
            workers=workers,
            share=self._gradients.share,
            images=self.images,
            pinned=self.device.type == "cuda",
        )
        wish = False
        # Weights that are no numbers take no checkpoint's place: the next loss refuses them, a retry goes on from it.
        for batch in batches:
            result = self._take_step(batch, wish)
            instances += result.instances
            now = time.monotonic()
            wish = watch(self._progress(instances / max(now - started, 1e-9)))
            stop = wish if self.group.size == 1 else result.stop
            if self.group.rank == 0 and (stop or now - saved >= save_every) and self._sound():
                save()
                saved = now
            if stop:
                return self.finished
        return True

    def _start_from_rank_0(self) -> None:
        if self.group.size > 1:
            state = self.group.broadcast(self.state_dict() if self.group.rank == 0 else None)
            if self.group.rank > 0:
                self.load_state_dict(state)

    def _take_step(self, batch: Batch | tuple[str, ...], wish: bool) -> BatchResult:
        self.optimizer.zero_grad()
        epoch, step = self.position
        size = min(self.settings.batch_size, len(self.instances) - step * self.settings.batch_size)
        result = self._gradients.compute(batch, batch_size=size, stop=wish, known=self.broken)
        self.broken |= dict.fromkeys(result.broken)
        if result.instances:
            self._unread.append(_Step(self.position, batch, result))
            self._read_losses(self._lag)
            self.optimizer.step(learning_rate(self.settings, epoch, epoch * self.steps_per_epoch + step))
        if step + 1 < self.steps_per_epoch:
            self.position = Position(epoch, step + 1)
        else:
            self._finish_epoch(epoch)
            self.position = Position(epoch + 1, 0)
        return result

    def _read_losses(self, lag: int = 0) -> None:
        """Account for all steps but the last so many."""
        while len(self._unread) > lag:
            step = self._unread.popleft()
            loss, instances = float(step.result.loss), step.result.instances
            self._check(loss, step)
            self._loss_sum += loss * instances
            self._seen += instances

    def _check(self, loss: float, step: _Step) -> None:
        """Refuse a loss that is not finite. It is everybody's loss, so the whole group gets here."""
        if math.isfinite(loss):
            return
        indices = step.batch.indices.tolist() if isinstance(step.batch, Batch) else []
        instances = [self.instances[index] for share in self.group.gather(indices) for index in share]
        found = sorted({f"{instance.image.name} (instance {instance.annotation_id})" for instance in instances})
        raise TrainingError(
            f"the loss is {loss} at epoch {step.position.epoch}, step {step.position.step};"
            f" the batch's images: {', '.join(found)}"
        )

    def _sound(self) -> bool:
        """Whether the weights are numbers; a finite loss may have had gradients that are none."""
        return all(bool(value.isfinite().all()) for value in self.model.parameters())

    def _finish_epoch(self, epoch: int) -> None:
        self._read_losses()
        if not self._seen:
            raise TrainingError(f"no image of epoch {epoch} can be read; the first: {next(iter(self.broken))}")
        if not self._sound():
            raise TrainingError(f"the weights are no finite numbers any more after epoch {epoch}")
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
            self._share_statistics()
            self._compare(self.group.broadcast(self.validate(self.model)))

    def _share_statistics(self) -> None:
        if self.group.size > 1:
            buffers = self.group.broadcast(dict(self.model.named_buffers()))
            self.model.load_state_dict(buffers, strict=False)

    def _compare(self, validation: float) -> None:
        self.model.train()
        self.history[-1]["validation"] = validation
        if validation >= self._best["validation"]:
            weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self._best = {"validation": validation, "model": weights}

    def _progress(self, rate: float) -> Progress:
        loss = self._loss_sum / self._seen if self._seen else self.history[-1]["loss"] if self.history else math.nan
        return Progress(self.position, self.settings.epochs, self.steps_per_epoch, loss, rate)
