"""A training of a network of a dozen weights, on nobody."""

from __future__ import annotations

import torch
from torch import nn

from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.skeletons import COCO_17
from bench.pose.training import OptimizerConfig, Training

__all__ = ["tiny_training"]

SIZE = (64, 64)


def tiny_training() -> Training:
    """A training of two epochs that has not begun, whose optimizer has taken a step."""
    torch.manual_seed(0)
    training = Training(
        model=nn.Conv2d(3, 4, 1),
        codec=HeatmapCodec(SIZE, COCO_17.flip_indices, sigma=1),
        instances=[],
        crops=CropSettings(SIZE, "rgb", COCO_17),
        augmentation=Augmentation(),
        settings=OptimizerConfig(
            epochs=2,
            batch_size=8,
            learning_rate=1e-3,
            learning_rate_factor=0.1,
            milestones=(),
            milestone_timing="exact",
            warmup_steps=0,
            seed=0,
        ),
        device=torch.device("cpu"),
    )
    training.model(torch.ones(1, 3, 8, 8)).sum().backward()
    training.optimizer.step(1e-3)
    training.history = [{"epoch": 1, "loss": 0.5, "learning_rate": 1e-3, "instances": 8}]
    return training
