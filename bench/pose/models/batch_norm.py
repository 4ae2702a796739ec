"""Batch normalization as data-parallel training on several devices performs it, on however many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.pose.parallel import ProcessGroup
from bench.pose.shares import Share

__all__ = ["Division", "NormLayer", "ReplicaBatchNorm2d", "distribute"]

NormLayer = Callable[[int], nn.Module]
"""Makes the normalization that follows a convolution of that many channels."""


@dataclass
class Division:
    """How a group divides the current batch, as all normalizations of a network must know.

    Attributes:
        share: what this process takes of a batch.
        partners: the processes that divide a part of the batch with this one; a group of one where parts are whole.
        part_size: instances in a part of the current batch; to be set before each step.
    """

    share: Share
    partners: ProcessGroup
    part_size: int = 1


class ReplicaBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the statistics of `nn.DataParallel` over a number of replicas.

    In training the batch is split as `torch.chunk(replicas)` splits it; each part is normalized with its own
    statistics, and the running statistics follow the first part only, because `DataParallel` discards the
    buffers of the other replicas (behaviour T4: the reference trains on 4 devices x 32 images). In
    evaluation, and for one replica, it is `nn.BatchNorm2d`. Weights have the same names, so they are
    interchangeable.

    In a group each process has a share of the batch, as `division` says; the statistics are the same as in one
    process. (Where an image cannot be read and there are several parts, its part is a little smaller, while one process
    cuts the parts anew.) The running statistics are those of the process's first part, so those of the batch are on
    rank 0.

    Attributes:
        replicas: parts of a batch.
        division: of the batch over a group, see `distribute`; None where one process has all of it.

    Raises:
        ValueError: `replicas` is less than 1; or, in training, a whole part has a single value per channel.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, *, replicas: int) -> None:
        super().__init__(num_features)
        if replicas < 1:
            raise ValueError(f"replicas must be at least 1, got {replicas}")
        self.replicas = replicas
        self.division: Division | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Normalize [B, C, H, W]; B may be 0 in training where a part is divided."""
        if not self.training or (self.replicas == 1 and self.division is None):
            return super().forward(input)
        if self.division is None:
            return self._normalize_parts(input.chunk(self.replicas))
        if self.division.partners.size == 1:
            return self._normalize_parts(input.split(self.division.part_size))
        return self._normalize_together(input, self.division.partners)

    def _normalize_parts(self, parts: tuple[Tensor, ...]) -> Tensor:
        first, *others = parts
        return torch.cat([super().forward(first), *map(self._normalize_by_own_statistics, others)])

    def _normalize_by_own_statistics(self, part: Tensor) -> Tensor:
        return F.batch_norm(part, None, None, self.weight, self.bias, training=True, eps=self.eps)

    def _normalize_together(self, input: Tensor, group: ProcessGroup) -> Tensor:
        normalized, mean, variance, count = _Standardise.apply(input, group, self.eps)  # type: ignore[no-untyped-call]
        self._follow(mean, variance, count)
        return normalized * self.weight[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics towards those of a part, unless nothing of it could be read."""
        unbiased = variance * (count / (count - 1).clamp(min=1))
        step = self.momentum * (count > 0).to(count)
        self.running_mean.lerp_(mean, step)
        self.running_var.lerp_(unbiased, step)
        self.num_batches_tracked += count > 0


class _Standardise(torch.autograd.Function):
    """Mean 0 and variance 1 over the values of a channel in all processes of a group. Collective both ways.

    Returns the result and, not differentiable, the channels' mean and biased variance, and the number of values.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, group: ProcessGroup, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, count = _keypoint_moments(input, group)
        scale = (variance + eps).rsqrt()
        normalized = (input - mean[:, None, None]) * scale[:, None, None]
        ctx.group = group
        ctx.save_for_backward(normalized, scale, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return normalized, mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0]
        normalized, scale, count = ctx.saved_tensors
        sums = torch.stack([gradient.sum((0, 2, 3)), (gradient * normalized).sum((0, 2, 3))])
        shift, slope = ctx.group.all_reduce(sums)[:, :, None, None] / count.clamp(min=1)
        return (gradient - shift - normalized * slope) * scale[:, None, None], None, None


def _keypoint_moments(input: Tensor, group: ProcessGroup) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance [C] of [B, C, H, W] over a group, and the number of values per channel, a scalar.

    Each process tells its own moments in one exchange. They are merged by the squared distances of the means (Chan et
    al., 1979), which loses no precision where means are large, as a mean of squares would.
    """
    batch, channels, height, width = input.shape
    own = batch * height * width
    table = input.new_zeros(group.size, 2 * channels + 1)
    if own:
        variance, mean = torch.var_mean(input, (0, 2, 3), correction=0)
        table[group.rank] = torch.cat([mean, variance, mean.new_tensor([own])])
    means, variances, counts = group.all_reduce(table).split([channels, channels, 1], dim=1)
    count = counts.sum()
    parts = counts / count.clamp(min=1)
    keypoint_mean = (parts * means).sum(0)
    return keypoint_mean, (parts * (variances + (means - keypoint_mean) ** 2)).sum(0), count


def distribute(model: nn.Module, group: ProcessGroup) -> Division:
    """Make the normalizations of a network work on shares of a batch. All processes of the group must call it.

    Returns:
        The division of the batch that the network's layers share.

    Raises:
        ValueError: the group cannot divide batches of so many replicas, or a layer knows nothing of groups.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    able = [layer for layer in layers if isinstance(layer, ReplicaBatchNorm2d)]
    share = Share(able[0].replicas if able else 1, group.rank, group.size)
    division = Division(share, group.subgroup(share.partners))
    if group.size > 1:
        if len(able) < len(layers):
            raise ValueError("the network has BatchNorm layers for one process; build it for the group's size")
        for layer in able:
            layer.division = division
    return division
