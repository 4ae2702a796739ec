"""RealNVP (Dinh et al., ICLR 2017): a distribution of points in the plane as an invertible map of a normal one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["RealNVP"]

STEPS = 6
WIDTH = 64


class RealNVP(nn.Module):
    """A flow of six affine coupling steps, each of which moves one coordinate by a function of the other.

    The names in its state dict are those of mmpose's: `loc` and `cov` of the normal distribution, `mask` (which
    coordinate each step keeps), and the scaling and translating networks `s.STEP.LAYER` and `t.STEP.LAYER`.
    """

    loc: Tensor
    cov: Tensor
    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("loc", torch.zeros(2))
        self.register_buffer("cov", torch.eye(2))
        self.register_buffer("mask", torch.tensor([[0.0, 1.0], [1.0, 0.0]] * (STEPS // 2)))
        self.s = nn.ModuleList(_network(nn.Tanh()) for _ in range(STEPS))
        self.t = nn.ModuleList(_network() for _ in range(STEPS))

    def forward(self, points: Tensor) -> Tensor:
        """Logarithm of the density at points (..., 2)."""
        latent, log_determinant = self.latent(points)
        return -0.5 * (latent**2).sum(dim=-1) - math.log(2 * math.pi) + log_determinant

    def latent(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Latent points (..., 2) and the logarithm of the map's determinant (...)."""
        log_determinant = points.new_zeros(points.shape[:-1])
        for mask, scaling, translation in reversed([*zip(self.mask, self.s, self.t, strict=True)]):
            kept = mask * points
            s, t = scaling(kept) * (1 - mask), translation(kept) * (1 - mask)
            points = (1 - mask) * (points - t) * torch.exp(-s) + kept
            log_determinant = log_determinant - s.sum(dim=-1)
        return points, log_determinant


def _network(*last: nn.Module) -> nn.Sequential:
    """Three linear layers, started so close to zero that the flow starts near the identity."""
    layers = nn.Linear(2, WIDTH), nn.LeakyReLU(), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(), nn.Linear(WIDTH, 2)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
    return nn.Sequential(*layers, *last)
