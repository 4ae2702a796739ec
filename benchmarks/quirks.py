"""What each quirk of the reference changes, measured without training anything.

    python -m benchmarks.quirks --dataset lspet --split val --data-root DATA_ROOT

The numbers in docs/recipes.md come from here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tabulate import tabulate

from bench.pose.ceiling import ideal_predictions
from bench.pose.codecs.base import Codec
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.representation import FlipShift
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instance
from bench.pose.data.loading import Position, evaluation_batches, training_batches
from bench.pose.geometry import Size
from bench.pose.metrics.coco import evaluate, load_ground_truth
from bench.pose.metrics.nms import to_results

SIZES: tuple[Size, ...] = ((64, 64), (128, 128), (256, 192))
BATCH = 256


def batches(instances: Sequence[Instance], crops: CropSettings) -> list[Batch]:
    """All instances, unaugmented."""
    return [batch for batch in evaluation_batches(instances, crops, batch_size=BATCH) if isinstance(batch, Batch)]


def ceiling(split: CocoKeypoints, instances: Sequence[Instance], codec: Codec[Any, Any], size: Size) -> float:
    """AP of perfect outputs: what is lost by representing keypoints at all."""
    predictions = ideal_predictions(codec, instances, size)
    assert predictions is not None, "nobody is labelled"
    results = to_results(predictions, split.skeleton.sigmas, score_threshold=0.0, nms_threshold=1.0)
    return evaluate(load_ground_truth(split.annotations), results, split.skeleton.sigmas)["AP"] or 0.0


def print_ceilings(split: CocoKeypoints, instances: Sequence[Instance]) -> None:
    flip_indices = split.skeleton.flip_indices
    rows = []
    for size in SIZES:
        sigma = 2 if size == (256, 192) else 1
        codecs: list[Codec[Any, Any]] = [HeatmapCodec(size, flip_indices, sigma=sigma, post_process="none")]
        codecs += [SimDRCodec(size, flip_indices, split_ratio=k) for k in (1, 1.5, 2, 3)]
        rows.append((f"{size[0]}x{size[1]}", *(ceiling(split, instances, codec, size) for codec in codecs)))
    print("\nQuantization ceilings: AP of perfect outputs")
    print(tabulate(rows, headers=("input", "heatmap", "k=1", "k=1.5", "k=2", "k=3"), floatfmt=".3f"))


def flip_residual(split_ratio: float, shift: FlipShift) -> float:
    """Mean distance in px of the flipped view's x from the plain view's, over keypoints spread over the crop."""
    size = (64, 64)
    codec = SimDRCodec(size, (0,), split_ratio=split_ratio, flip_shift=shift)
    x = torch.linspace(8, 55, 471, dtype=torch.float64)
    keypoints = torch.stack([x, x], dim=-1).unsqueeze(1)
    flipped_keypoints = keypoints.clone()
    flipped_keypoints[..., 0] = size[1] - 1 - keypoints[..., 0]
    visible = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    view, flipped = (codec.ideal_output(codec.encode(where, visible)) for where in (keypoints, flipped_keypoints))
    restored = codec.merge(view, flipped).x * 2 - view.x.softmax(-1)
    found = (restored * torch.arange(codec.bins[0])).sum(-1) / restored.sum(-1) / split_ratio
    plain = view.x.argmax(-1) / split_ratio
    return float((found - plain).mean())


def print_flip_residuals() -> None:
    rows = [
        (k, flip_residual(k, "none"), flip_residual(k, "reference"), flip_residual(k, "exact")) for k in (1, 1.5, 2, 3)
    ]
    print("\nE2: mean offset of the flipped view, px")
    print(tabulate(rows, headers=("k", "no shift", "reference", "exact"), floatfmt="+.3f"))


def print_half_body_coin() -> None:
    rng = np.random.default_rng(0)
    draws = {"normal": rng.standard_normal(1_000_000), "uniform": rng.random(1_000_000)}
    shares = ", ".join(f"{name} {np.mean(values < 0.5):.4f}" for name, values in draws.items())
    print(f"\nD1: share of coins that prefer the upper body: {shares}")


def print_color_order(split: CocoKeypoints, instances: Sequence[Instance]) -> None:
    (first, *_) = batches(instances, CropSettings((64, 64), "rgb", split.skeleton))
    (second, *_) = batches(instances, CropSettings((64, 64), "bgr", split.skeleton))
    device = torch.device("cpu")
    difference = (first.normalized(device) - second.normalized(device)).abs().mean(dim=(0, 2, 3))
    values = ", ".join(f"{value:.3f}" for value in difference)
    print(f"\nD18: mean absolute difference of the network's input, standard deviations per channel: {values}")


def print_weight_bounds(split: CocoKeypoints, instances: Sequence[Instance]) -> None:
    """How many keypoints SimDR* trains towards almost nothing under each reading of the margin."""
    size, k, sigma = (256, 192), 2.0, 4.0
    loaded = training_batches(
        instances,
        CropSettings(size, "rgb", split.skeleton),
        Augmentation(),
        batch_size=BATCH,
        epochs=1,
        seed=0,
        start=Position(),
    )
    kept: dict[Literal["reference", "exact"], int] = {"reference": 0, "exact": 0}
    empty = dict(kept)
    for batch in loaded:
        assert isinstance(batch, Batch), batch
        for bounds in kept:
            codec = SimDRStarCodec(size, split.skeleton.flip_indices, split_ratio=k, sigma=sigma, weight_bounds=bounds)
            target = codec.encode(batch.keypoints, batch.visible)
            mass = torch.minimum(target.x.sum(-1), target.y.sum(-1))
            kept[bounds] += int(target.weight.sum())
            empty[bounds] += int(((mass < 0.01) & (target.weight > 0)).sum())
    print("\nD24: keypoints with weight in augmented 256x192 crops, and those whose target holds under 1% of its mass")
    print(tabulate([(name, kept[name], empty[name]) for name in kept], headers=("bounds", "joints", "empty")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="synthetic")
    parser.add_argument("--split", default="val400")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    split = open_split(arguments.dataset, arguments.data_root / arguments.dataset, arguments.split)
    if not isinstance(split, CocoKeypoints):
        parser.error("--dataset must have annotations in COCO's format")
    instances = split.instances()
    print(f"{arguments.dataset} {arguments.split}: {len(instances)} instances")
    print_ceilings(split, instances)
    print_flip_residuals()
    print_half_body_coin()
    print_color_order(split, instances)
    print_weight_bounds(split, instances)


if __name__ == "__main__":
    main()
