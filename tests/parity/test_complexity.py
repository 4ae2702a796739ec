"""Counts of parameters and of work against the reference's, for every published configuration."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import bench
from bench.cost import TRUNKS_FILE, Complexity, predict
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
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Maps of a few positions are slower with several threads, much so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def published(name: str) -> Complexity:
    facts = CONFIGURATIONS[name]
    return Complexity(facts["params"], facts["multiply_adds"], facts["published_convention"])


def sizes(name: str) -> dict[str, object]:
    facts = CONFIGURATIONS[name]
    return {
        "joints": facts["joints"],
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


def test_committed_trunks_are_what_the_backbones_measure() -> None:
    committed = Path(bench.__file__).with_name(TRUNKS_FILE).read_text(encoding="utf-8")
    assert committed == as_json(measure_trunks())
