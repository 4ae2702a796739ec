"""Gradients of the mean loss of a batch, in one process or averaged over a process group."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.pose.data.crops import Batch, Unread
from bench.pose.data.loading import Loaded
from bench.pose.models.batch_norm import distribute
from bench.pose.parallel import ProcessGroup
from bench.pose.shares import Share

__all__ = ["DeferredFloat", "GradientReducer", "ReducedBatch"]


class DeferredFloat:
    """A scalar that is copied from the GPU in the background; `float()` waits for it."""

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


class ReducedBatch(NamedTuple):
    """What the whole group computed for a batch.

    Attributes:
        loss: mean over the instances.
        instances: number of instances with a readable image; if 0, there is no gradient.
        stop: whether any process wants to stop.
        broken: newly found instances whose image cannot be read, in batch order.
    """

    loss: DeferredFloat
    instances: int
    stop: bool
    broken: Unread


class GradientReducer:
    """Turns the gradients of each process's share into those of the whole batch's mean loss.

    Unlike `DistributedDataParallel`, it weights shares by their number of instances, so that any division of a batch
    gives the gradients of one process, up to rounding.

    Attributes:
        group: processes that divide each batch.
        share: part of each batch that this process takes.

    Raises:
        ValueError: the group cannot divide the batches of this model, see `Share`.
    """

    def __init__(self, model: nn.Module, group: ProcessGroup, parameters: Iterable[nn.Parameter]) -> None:
        """`parameters` are those that are trained, of the model and beside it."""
        self.group = group
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._division = distribute(model, group)

    @property
    def share(self) -> Share:
        """Part of each batch that this process takes."""
        return self._division.share

    @property
    def forward_without_images(self) -> bool:
        """Whether an empty share needs a forward pass: processes that share a part exchange BatchNorm statistics."""
        return self._division.partners.size > 1

    def begin(self, batch_size: int) -> None:
        """Prepare BatchNorm for a batch of `batch_size` instances, readable or not."""
        self._division.part_size = self.share.part_size(batch_size)

    def weight(self, batch: Batch) -> int:
        """Factor for the mean loss of this process's share before its backward pass."""
        return 1 if self.group.size == 1 else len(batch)

    def reduce(self, loss: Tensor, batch: Loaded, *, stop: bool, known: Container[int]) -> ReducedBatch:
        """Replace the model's gradients by those of the whole batch's mean loss.

        This takes one exchange in a group, and a second one if an image is newly found broken.

        Args:
            loss: weighted loss of this process's share.
            batch: this process's share.
            stop: whether this process wants to stop.
            known: positions of broken instances that all processes know already.
        """
        instances, broken = (len(batch), batch.broken) if isinstance(batch, Batch) else (0, batch)
        if self.group.size == 1:
            return ReducedBatch(DeferredFloat(loss), instances, stop, broken)
        news = tuple(one for one in broken if one[0] not in known)
        loss_sum, stops, reports, instances_sum = self._average([loss, stop, len(news)], instances)
        if reports:
            news = tuple(one for told in self.group.all_gather(news) for one in told)
        return ReducedBatch(DeferredFloat(loss_sum / max(instances_sum, 1)), int(instances_sum), stops > 0, news)

    def _average(self, numbers: Sequence[Tensor | float], instances: int) -> list[float]:
        """Sum gradients over the group and divide them by the total number of instances.

        Returns:
            Sums of `numbers` and, last, of `instances`. They travel in the same message, in the gradients' type.
        """
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        tail = [torch.as_tensor(number).to(gradients[0]).reshape(1) for number in (*numbers, instances)]
        *sums, totals = self.group.all_reduce(torch.cat([*(one.flatten() for one in gradients), *tail])).split(
            [*(one.numel() for one in gradients), len(tail)]
        )
        for parameter, total in zip(self._parameters, sums, strict=True):
            parameter.grad = total.view_as(parameter) / totals[-1].clamp(min=1)
        return totals.tolist()
