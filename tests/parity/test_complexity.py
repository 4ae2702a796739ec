"""Counts of parameters and of work against the reference's, for every published configuration."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.planning.predicted_complexity import Complexity, predict
from bench.planning.trunk_tables import TRUNKS_FILE
from bench.pose.complexity import measure
from bench.pose.models.build import build_model
from benchmarks.trunks import as_json, measure_trunks

FACTS = json.loads((Path(__file__).parents[1] / "fixtures" / "models.json").read_text())
CONFIGURATIONS = FACTS["configurations"]

MEASURED = [
    "coco/resnet/heatmap/res50_128x128_d256x3_adam_lr1e-3.yaml",
    "coco/resnet/simdr/original/nmt_res101_64x64_d256x3_adam_lr1e-3_split_3_deconv3.yaml",
    "coco/hrnet/sa_simdr/w48_384x288_adam_lr1e-3_split1_5_sigma4.yaml",
    "mpii/hrnet/simdr/norm_w32_64x64_adam_lr1e-3_ls2e1_split3.yaml",
    "coco/resnet/simdr/upsample_free/nmt_res50_256x192_d256x3_adam_lr1e-3_split_2_cpj28.yaml",
    "tokenpose_s_v1/simdr_64x64_patch11_k3.0_ln",
    "tokenpose_s_v1/heatmap_128x128_patch22",
    "tokenpose_s_v1/heatmap_256x192_patch43",
]

EINSUM_ROUNDING = 24 * (14_310_000 - 192 * 273**2)
"""What the facts count too much for TokenPose's attention.

They were counted where the 2 products of its 12 layers are `einsum`, whose work fvcore reads from a text of four
digits: 1.431e7 for 192 * 273**2. Here they are matrix products, which it counts exactly.
"""


def published(name: str) -> Complexity:
    facts = CONFIGURATIONS[name]
    rounding = EINSUM_ROUNDING if facts["backbone"] == "tokenpose_s" else 0
    return Complexity(facts["params"], facts["multiply_adds"] - rounding, facts["published_convention"])


def sizes(name: str) -> dict[str, object]:
    facts = CONFIGURATIONS[name]
    return {
        "keypoints": facts["joints"],
        "input_size": tuple(facts["input_size"]),
        "split_ratio": facts["split_ratio"],
    }


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_prediction_is_exact(name: str) -> None:
    facts = CONFIGURATIONS[name]
    assert predict(facts["backbone"], facts["representation"], **sizes(name)) == published(name)


@pytest.mark.parametrize("name", MEASURED)
def test_measurement_is_exact(name: str) -> None:
    facts = CONFIGURATIONS[name]
    with torch.device("meta"):
        model = build_model(facts["backbone"], facts["representation"], **sizes(name))
    assert measure(model.to_empty(device="cpu"), tuple(facts["input_size"])) == published(name)


@pytest.mark.parametrize("representation", ["heatmap", "simdr_star"])
def test_tokenpose_of_other_keypoints_is_predicted_exactly(representation: str) -> None:
    settings = {"keypoints": 14, "input_size": (64, 64), "split_ratio": None if representation == "heatmap" else 1.5}
    with torch.device("meta"):
        model = build_model("tokenpose_s", representation, **settings)
    assert predict("tokenpose_s", representation, **settings) == measure(model.to_empty(device="cpu"), (64, 64))


@pytest.mark.parametrize(
    ("backbone", "representation", "form"),
    [
        ("simba_res18", "regression", {}),
        ("simba_tiny", "rle", {}),
        ("hrnet_w32", "rle", {}),
        ("simba_res18", "simdr", {"split_ratio": 2.0, "upsample": False, "maps_per_keypoint": 3}),
        ("simba_tiny", "simcc", {"split_ratio": 2.0, "upsample": False, "maps_per_keypoint": 1}),
        ("timm/tf_efficientnet_lite0", "simdr", {"split_ratio": 2.0, "upsample": False, "maps_per_keypoint": 2}),
        ("timm/tf_efficientnet_lite0", "rle", {}),
    ],
)
def test_points_and_networks_without_upsampling_are_predicted_exactly(
    backbone: str, representation: str, form: dict[str, Any]
) -> None:
    model = build_model(backbone, representation, keypoints=14, input_size=(64, 96), **form)
    found = predict(backbone, representation, keypoints=14, input_size=(64, 96), **form)
    assert found == measure(model, (64, 96))


def test_without_upsampling_it_is_the_paper_s_upsample_free_network() -> None:
    sizes = {"keypoints": 17, "input_size": (64, 64), "split_ratio": 3.0}
    free = predict("simba_res50_upsample_free", "simdr", **sizes)
    assert predict("simba_res50", "simdr", upsample=False, maps_per_keypoint=32, **sizes) == free


@pytest.mark.conformance
def test_committed_trunks_are_what_the_backbones_measure() -> None:
    committed = TRUNKS_FILE.read_text(encoding="utf-8")
    assert committed == as_json(measure_trunks())
