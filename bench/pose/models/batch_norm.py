"""Batch normalisation as data-parallel training on several devices performs it, on one device."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["NormLayer", "ReplicaBatchNorm2d"]

NormLayer = Callable[[int], nn.Module]
"""Makes the normalisation that follows a convolution of that many channels."""


class ReplicaBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the statistics of `nn.DataParallel` over a number of replicas.

    In training the batch is split as `torch.chunk(replicas)` splits it; each part is normalised with its own
    statistics, and the running statistics follow the first part only, because `DataParallel` discards the
    buffers of the other replicas (behaviour T4: the reference trains on 4 devices x 32 images). In
    evaluation, and for one replica, it is `nn.BatchNorm2d`. Weights have the same names, so they are
    interchangeable.

    Raises:
        ValueError: `replicas` is less than 1; or, in training, a part has a single value per channel.
    """

    def __init__(self, num_features: int, *, replicas: int) -> None:
        super().__init__(num_features)
        if replicas < 1:
            raise ValueError(f"replicas must be at least 1, got {replicas}")
        self.replicas = replicas

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [B, C, H, W]."""
        if not self.training or self.replicas == 1:
            return super().forward(input)
        first, *others = input.chunk(self.replicas)
        return torch.cat([super().forward(first), *map(self._normalise_by_own_statistics, others)])

    def _normalise_by_own_statistics(self, part: Tensor) -> Tensor:
        return F.batch_norm(part, None, None, self.weight, self.bias, training=True, eps=self.eps)
