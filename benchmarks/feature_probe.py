"""How well keypoints are read from a backbone's frozen features, with ImageNet weights and with random ones.

    python -m benchmarks.feature_probe --data-root DATA_ROOT

A 1x1 convolution from frozen maps at stride 16 to a Gaussian around each keypoint is fitted in closed form (ridge
regression) on the training split, and its maps' highest cells are compared with the keypoints of the other split. No
network is trained. Random networks are drawn as `kaiming` does and get batch statistics of the training images.
The numbers in docs/backbones.md come from here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tabulate import tabulate
from torch import Tensor, nn

from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instance
from bench.pose.data.loading import evaluation_batches
from bench.pose.declared_settings import Settings
from bench.pose.models.build import build_model, initialize
from bench.pose.models.heads import MapModel
from bench.pose.models.trunk_weights import load_imagenet
from bench.pose.models.weights import IMAGENET

STRIDE = 16
SIZE = (256, 192)
SPREAD = 1.0
"""Standard deviation of the Gaussians, in cells."""

PENALTY = 1e-2
"""Weight of the coefficients' squares, relative to the mean square of a feature."""

NEAR = 0.1
"""Distance that counts as found, as a part of the crop's height."""

BATCH = 32
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--dataset", default="lspet")
    parser.add_argument("--splits", nargs=2, default=["train", "val"])
    parser.add_argument("--backbone", default="timm/tf_efficientnet_lite0")
    parser.add_argument("--train", type=int, default=1000, help="instances to fit")
    parser.add_argument("--test", type=int, default=500, help="instances to measure")
    parser.add_argument("--seeds", type=int, default=3, help="random networks")
    arguments = parser.parse_args()
    folder = arguments.data_root / arguments.dataset
    opened = [open_split(arguments.dataset, folder, split) for split in arguments.splits]
    train, test = ([instance for instance in split.instances() if instance.visible.any()] for split in opened)
    splits = train[: arguments.train], test[: arguments.test]
    crops = CropSettings(SIZE, "rgb", opened[0].skeleton)
    torch.manual_seed(0)
    model = network(arguments.backbone, len(train[0].keypoints))
    load_imagenet(model, arguments.backbone, arguments.data_root / IMAGENET)
    rows = [("ImageNet", *probe(model, crops, *splits))]
    for seed in range(arguments.seeds):
        torch.manual_seed(seed)
        initialize(model, scheme="kaiming")
        adapt_statistics(model, splits[0], crops)
        rows.append((f"random, seed {seed}", *probe(model, crops, *splits)))
    rows.append(("none: mean position", *probe(None, crops, *splits)))
    print(f"{arguments.backbone}, {arguments.dataset}: {len(splits[0])} to fit, {len(splits[1])} to measure")
    print(tabulate(rows, headers=["weights", "mean error, px", f"within {NEAR:.0%} of the height"], floatfmt=".3f"))


def network(backbone: str, keypoints: int) -> MapModel:
    """The backbone with maps at stride 16, and a head that is not used."""
    settings = Settings({"output_stride": STRIDE})
    model = build_model(
        backbone,
        "simdr",
        keypoints=keypoints,
        input_size=SIZE,
        split_ratio=1.0,
        upsample=False,
        backbone_settings=settings,
    )
    assert isinstance(model, MapModel)
    return model


def batches(instances: Sequence[Instance], crops: CropSettings) -> Iterator[Batch]:
    for batch in evaluation_batches(instances, crops, batch_size=BATCH):
        if isinstance(batch, Batch):
            yield batch


@torch.no_grad()
def adapt_statistics(model: MapModel, instances: Sequence[Instance], crops: CropSettings) -> None:
    """Give batch normalizations the statistics of the instances' crops."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
    model.train()
    for batch in batches(instances, crops):
        model.feature_maps(batch.normalized(CPU))


@torch.no_grad()
def features(model: MapModel | None, batch: Batch) -> Tensor:
    """Features and a one at each cell, (instances, cells, channels + 1) float64; the one alone without a network."""
    height, width = (side // STRIDE for side in SIZE)
    ones = torch.ones(len(batch.images), height * width, 1, dtype=torch.float64)
    if model is None:
        positions = torch.eye(height * width, dtype=torch.float64)[None].expand(len(batch.images), -1, -1)
        return torch.cat([positions, ones], dim=2)
    maps = model.eval().feature_maps(batch.normalized(CPU))
    return torch.cat([maps.flatten(2).transpose(1, 2).double(), ones], dim=2)


def gaussians(batch: Batch) -> Tensor:
    """Targets (instances, cells, keypoints) around the keypoints."""
    height, width = (side // STRIDE for side in SIZE)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cells = (torch.stack([columns, rows], dim=2).flatten(0, 1) + 0.5) * STRIDE
    squares = (cells[None, :, None] - batch.keypoints[:, None]).square().sum(3) / STRIDE**2
    return torch.exp(-squares / (2 * SPREAD**2)) * batch.visible[:, None]


def probe(
    model: MapModel | None, crops: CropSettings, train: Sequence[Instance], test: Sequence[Instance]
) -> tuple[float, float]:
    """Mean error in px and the share of keypoints that are found, by the best linear map of the features."""
    products = targets = torch.zeros((), dtype=torch.float64)
    for batch in batches(train, crops):
        inputs = features(model, batch).flatten(0, 1)
        products = products + inputs.T @ inputs
        targets = targets + inputs.T @ gaussians(batch).flatten(0, 1)
    penalty = PENALTY * products.diagonal().mean()
    weights = torch.linalg.solve(products + penalty * torch.eye(len(products), dtype=torch.float64), targets)
    errors = []
    width = SIZE[1] // STRIDE
    for batch in batches(test, crops):
        best = (features(model, batch) @ weights).argmax(dim=1)
        found = (torch.stack([best % width, best // width], dim=2) + 0.5) * STRIDE
        errors.append((found - batch.keypoints).norm(dim=2)[batch.visible])
    distances = torch.cat(errors)
    return float(distances.mean()), float((distances <= NEAR * SIZE[0]).double().mean())


if __name__ == "__main__":
    main()
