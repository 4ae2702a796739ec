"""Gradients of the mean loss of a batch, in one process or in a group that divides the batch."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench.pose.codecs.base import Codec
from bench.pose.data.crops import Batch
from bench.pose.geometry import Size
from bench.pose.models.batch_norm import distribute
from bench.pose.parallel import ProcessGroup
from bench.pose.precision import Precision, computing, single
from bench.pose.shares import Share

__all__ = ["BatchResult", "Gradients"]


class Reading:
    """A number of a device that the host gets to know while the device goes on."""

    def __init__(self, value: Tensor | float) -> None:
        self._value = value
        self._arrived: torch.cuda.Event | None = None
        if isinstance(value, Tensor) and value.is_cuda:
            self._value = torch.empty((), dtype=value.dtype, pin_memory=True).copy_(value, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    def __float__(self) -> float:
        if self._arrived is not None:
            self._arrived.synchronize()
        return float(self._value)


class BatchResult(NamedTuple):
    """What came of a batch, over the whole group.

    Attributes:
        loss: mean over the instances, still on its way from a GPU.
        instances: whose image can be read; with none, there is no gradient.
        stop: whether some process wants to stop.
        broken: what was wrong with the others, in the order of the batch.
    """

    loss: Reading
    instances: int
    stop: bool
    broken: tuple[str, ...]


@dataclass
class Gradients:
    """Computes gradients, the same in all processes of the group.

    Attributes:
        model: the network; built for the group's size.
        codec: with a loss that is a mean over instances, as all are.
        device: where the model lives.
        input_size: height and width of the crops in px.
        group: the processes that divide each batch.
        precision: of the network's arithmetic.

    Raises:
        ValueError: the group cannot divide the batches of this model, see `Share`.
    """

    model: nn.Module
    codec: Codec[Any, Any]
    device: torch.device
    input_size: Size
    group: ProcessGroup
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        self._division = distribute(self.model, self.group)

    @property
    def share(self) -> Share:
        """What this process takes of a batch."""
        return self._division.share

    def compute(
        self, batch: Batch | tuple[str, ...], *, batch_size: int, stop: bool = False, known: Container[str] = ()
    ) -> BatchResult:
        """Add the gradients of a batch's mean loss to those of the model, which must be cleared in a group.

        Takes one exchange in a group, and another if something is newly broken.

        Args:
            batch: this process's share as `training_batches` gives it.
            batch_size: instances in the whole batch, readable or not.
            stop: whether this process wants to stop.
            known: what everybody knows to be broken and need not hear again.
        """
        instances, broken = (len(batch), batch.broken) if isinstance(batch, Batch) else (0, batch)
        if self.group.size == 1:
            return BatchResult(Reading(self._backward(batch) if instances else 0.0), instances, stop, broken)
        self._division.part_size = self.share.part_size(batch_size)
        loss = self._backward(batch, weight=instances)
        news = tuple(problem for problem in broken if problem not in known)
        loss_sum, stops, reports, instances_sum = self._average([loss, stop, len(news)], instances)
        if reports:
            news = tuple(problem for told in self.group.gather(news) for problem in told)
        return BatchResult(Reading(loss_sum / max(instances_sum, 1)), int(instances_sum), stops > 0, news)

    def _backward(self, batch: Batch | tuple[str, ...], weight: int = 1) -> Tensor:
        """Weighted mean loss of the instances of a share, a scalar, its gradients added to those of the model."""
        if isinstance(batch, Batch):
            with computing(self.precision, self.device):
                output = self.model(batch.normalized(self.device))
            keypoints, visible = (
                values.to(self.device, non_blocking=True) for values in (batch.keypoints, batch.visible)
            )
            loss = self.codec.loss(single(output), self.codec.encode(keypoints, visible)) * weight
            loss.backward()
            return loss.detach()
        if self._division.partners.size > 1:
            # Nobody's images, so that the partners can exchange the statistics of theirs.
            with computing(self.precision, self.device):
                output = self.model(torch.zeros(0, 3, *self.input_size, device=self.device))
            parts = output if isinstance(output, tuple) else (output,)
            torch.stack([part.sum() for part in parts]).sum().backward()
        return torch.zeros(())

    def _average(self, numbers: Sequence[Tensor | float], instances: int) -> list[float]:
        """From gradients of sums over each process's instances to those of the mean over all; sums of some numbers.

        The number of all instances comes last. The numbers travel with the gradients: they are as exact as those.
        """
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        tail = [torch.as_tensor(number).to(gradients[0]).reshape(1) for number in (*numbers, instances)]
        *sums, totals = self.group.sum_(torch.cat([*(one.flatten() for one in gradients), *tail])).split(
            [*(one.numel() for one in gradients), len(tail)]
        )
        for parameter, total in zip(parameters, sums, strict=True):
            parameter.grad = total.view_as(parameter) / totals[-1].clamp(min=1)
        return totals.tolist()
