"""Measure the trunk of every backbone, for the planner's cost formulas.

    python -m benchmarks.trunks            print the table
    python -m benchmarks.trunks --write    write it and that of timm's models into bench/planning/

Networks are built without weights, so this takes seconds. Run it after a change to a backbone; a test
compares the committed file with a fresh measurement.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from math import prod
from typing import Any

import torch
from torch import nn

from bench.planning.predicted_complexity import without_upsampling
from bench.planning.trunk_tables import SIZED_FILE, TRUNKS_FILE, Trunk, sized_json, sized_key
from bench.planning.trunk_tables import measure_trunk as measure_sized_trunk
from bench.pose.complexity import measure
from bench.pose.declared_settings import Settings
from bench.pose.input_size import CELL, InputSize
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.build import build_model
from bench.pose.models.heads import PoseModel
from bench.pose.models.network import NetworkShape
from bench.pose.models.stem import STEM_LAYERS
from bench.pose.models.tokenpose import TokenPose

SIZED = (
    "resnet18",
    "resnet50",
    "mobilenetv3_large_100",
    "convnext_tiny",
    "tf_efficientnet_lite0",
    "vit_small_patch16_224",
    "hrnet_w32",
)
"""timm's models that plans know without measuring them."""

LSPET_BACKBONE = "timm/tf_efficientnet_lite0"
LSPET_SETTINGS = Settings({"feature_stride": 16, "upsampling_channels": 128})
"""The network of suites/lspet.yaml, likewise."""

SIZES = (InputSize(64, 64), InputSize(128, 128), InputSize(256, 192))


def measure_sized_trunks() -> dict[str, Trunk]:
    """The trunks of timm's models in common use, with and without upsampling."""
    shapes = [NetworkShape(1, size, upsample=upsample) for size in SIZES for upsample in (True, False)]
    named = [(f"timm/{model}", shape) for model in SIZED for shape in shapes]
    named += [(LSPET_BACKBONE, NetworkShape(1, size, settings=LSPET_SETTINGS)) for size in SIZES[:2]]
    return {sized_key(backbone, shape): measure_sized_trunk(backbone, shape) for backbone, shape in named}


def measure_trunks() -> dict[str, Trunk]:
    """The trunk of each backbone, per cell."""
    trunks = {}
    for name, backbone in BACKBONES.items():
        trunks[name] = measure_trunk(name)
        if backbone.upsamples:
            trunks[without_upsampling(name)] = measure_trunk(name, upsample=False, maps_per_keypoint=1)
    return trunks


def measure_trunk(backbone: str, **form: Any) -> Trunk:
    """What comes before the final convolution or, of TokenPose, the tokens, measured on the smallest input there is."""
    size = (BACKBONES[backbone].input_sizes or ((CELL, CELL),))[0]
    with torch.device("meta"):  # spends no time on weights, which do not matter
        trunk = trunk_of(build_model(backbone, "simdr", keypoints=1, input_size=size, split_ratio=1, **form))
    trunk.eval()  # one position at the coarsest resolution has no batch statistics
    _, channels, height, _ = trunk(torch.zeros(1, 3, *size, device="meta")).shape
    whole = measure(trunk.to_empty(device="cpu"), size)
    cells = prod(side // CELL for side in size)
    return Trunk(
        params=whole.params,
        multiply_adds=whole.multiply_adds // cells,
        published_convention=whole.published_convention // cells,
        channels=channels,
        stride=size[0] // height,
    )


def trunk_of(model: PoseModel) -> nn.Module:
    """The part of a network whose work is proportional to the number of cells; activations may lack."""
    if isinstance(model, TokenPose):
        return nn.Sequential(*(model.get_submodule(name) for name in STEM_LAYERS))
    model.final_layer = nn.Identity()
    model.register_module("mlp_head_x", None)
    model.register_module("mlp_head_y", None)
    return model


def as_json(trunks: dict[str, Trunk]) -> str:
    """The content of the committed file."""
    return json.dumps({backbone: asdict(trunk) for backbone, trunk in trunks.items()}, indent=2) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into the package")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the maps of one cell are too small to share
    table = as_json(measure_trunks())
    if arguments.write:
        TRUNKS_FILE.write_text(table, encoding="utf-8")
        SIZED_FILE.write_text(sized_json(measure_sized_trunks()), encoding="utf-8")
    else:
        print(table, end="")


if __name__ == "__main__":
    main()
