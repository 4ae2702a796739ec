"""Weights of mmpose: the entries of its networks, by its own list of them, are those of bench's."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.pose.input_size import InputSize
from bench.pose.models.build import build_model
from bench.pose.models.foreign_weights import translate
from bench.pose.models.network_facts import NetworkFacts, read_facts

FIXTURES = Path(__file__).parents[3] / "fixtures" / "golden_mmpose"
CONFIGS: dict[str, Any] = json.loads((FIXTURES / "heads.json").read_text(encoding="utf-8"))["configs"]
KEYPOINTS = {"coco": 17, "mpii": 16, "crowdpose": 14}
REPRESENTATIONS = {"td-hm": "heatmap", "ipr": "integral", "simcc": "simcc", "td-reg": "regression", "rle": "rle"}


def network_of(config: str) -> tuple[str, str, int]:
    """Backbone, representation and number of keypoints of a config, by its name."""
    method, backbone, *_ = config.split("_")
    representation = "rle" if "_rle_" in config else REPRESENTATIONS[method]
    keypoints = next(count for dataset, count in KEYPOINTS.items() if f"_{dataset}_" in config)
    return backbone.replace("res", "simba_res").replace("hrnet-", "hrnet_"), representation, keypoints


def form_of(config: str) -> dict[str, Any]:
    form: dict[str, Any] = {"input_size": tuple(CONFIGS[config]["input_size"])}
    if config.startswith("simcc"):
        form |= {"split_ratio": 2.0}
    if "wo-deconv" in config:
        form |= {"upsample": False, "maps_per_keypoint": 1}
    return form


def empty(config: str, form: dict[str, Any] | None = None) -> dict[str, Tensor]:
    """The state dict of bench's network of a config, without values."""
    return _empty(*network_of(config), **(form or form_of(config)))


@cache
def _empty(backbone: str, representation: str, keypoints: int, **form: Any) -> dict[str, Tensor]:
    with torch.device("meta"):
        return build_model(backbone, representation, keypoints=keypoints, **form).state_dict()


def of_mmpose(config: str) -> dict[str, Tensor]:
    """The state dict of mmpose's network, without values: its head is a list, its trunk has bench's names."""
    head = {name: torch.empty(shape, device="meta") for name, shape in CONFIGS[config]["head"].items()}
    trunk = {name: value for name, value in empty(config).items() if not name.startswith(HEADS)}
    return {f"backbone.{name}": value for name, value in trunk.items()} | head


HEADS = ("deconv_layers.", "final_layer.", "mlp_head", "fc.")


def older(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As version 0.x named them."""
    return {
        name.replace("head.loss_module.", "head.loss.").replace("head.", "keypoint_head.", 1)
        if name.startswith("head.")
        else name: value
        for name, value in state.items()
    }


@pytest.mark.parametrize("version", ["mmpose 1.x", "mmpose 0.x"])
@pytest.mark.parametrize("config", CONFIGS)
def test_every_entry_has_its_place(config: str, version: str) -> None:
    state = of_mmpose(config)
    found = translate(state if version == "mmpose 1.x" else older(state))
    wanted = {
        name: value.shape for name, value in empty(config).items() if not name.endswith("num_batches_tracked")
    }  # the list leaves out counters of the head
    entries = {name: value.shape for name, value in found.entries.items() if not name.endswith("num_batches_tracked")}
    assert entries == wanted
    assert found.source == version
    assert found.unknown == ""
    assert len(found.loss) == (75 if "_rle_" in config else 0)
    assert found.soft_argmax == config.startswith("ipr")


@pytest.mark.parametrize("config", CONFIGS)
def test_shapes_say_which_network_it_is(config: str) -> None:
    backbone, _, keypoints = network_of(config)
    facts = read_facts(translate(of_mmpose(config)).entries)
    assert facts is not None
    assert facts.trunk == backbone.replace("simba_res", "ResNet-").replace("hrnet_w", "HRNet-W")
    settings = facts.settings(keypoints, InputSize(*CONFIGS[config]["input_size"]))
    form = form_of(config)
    form.pop("input_size")
    assert settings == ({"upsample": True, **form} if "simcc" in config else {})
    assert f"of {keypoints} keypoints" in facts.describe()


def test_networks_in_words() -> None:
    size = {"input_size": (384, 288), "split_ratio": 2.0}
    assert describe("simcc_res50_coco_384x288", **size).endswith("of 17 keypoints, 2 bins per px at 384x288")
    assert describe("simcc_res50_coco_256x192", input_size=(64, 64), split_ratio=3.0).endswith("3 bins per px at 64x64")
    assert describe("simcc_res50_wo-deconv_mpii_256x256").endswith(
        "of 16 keypoints, 1 maps each without upsampling, 512 bins in x and 512 in y of 64 inputs"
    )
    assert "deviations (RLE) of 17 keypoints" in describe("td-reg_res50_rle_coco_256x192")
    assert NetworkFacts("ResNet-50", "points", 26).describe() == "ResNet-50 with 26 regressed values"
    assert (
        NetworkFacts("ResNet-50", "points", 26).describe(13) == "ResNet-50 with regressed coordinates of 13 keypoints"
    )
    assert NetworkFacts("ResNet-50", None, 1000).describe() == "an ImageNet classifier, ResNet-50"


def describe(config: str, **form: Any) -> str:
    facts = read_facts(empty(config, form or None))
    assert facts is not None
    return facts.describe()


def test_what_bench_does_not_have_is_named_and_no_network_is_taken_for_another() -> None:
    mobile = {"backbone.conv1.conv.weight": torch.ones(1), "head.final_layer.weight": torch.ones(17, 1, 1, 1)}
    assert translate(mobile).unknown == "a MobileNetV2 or ViPNAS trunk"
    assert read_facts(translate(mobile).entries) is None
    own = {"conv1.weight": torch.ones(1), "head.weight": torch.ones(1)}
    assert translate(own).entries is own
    assert translate(own).source == ""


def test_what_mmpose_has_for_preprocessing_is_left_out() -> None:
    config = "td-hm_res50_coco_256x192"
    state = of_mmpose(config) | {"data_preprocessor.mean": torch.ones(3, 1, 1)}
    assert translate(state).entries.keys() == translate(of_mmpose(config)).entries.keys()
