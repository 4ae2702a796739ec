"""Networks against the reference's: names, shapes and numbers of weights of every published configuration."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from bench.pose.complexity import count_parameters
from bench.pose.models.build import build_model
from bench.pose.models.heads import PoseModel

FACTS = json.loads((Path(__file__).parents[1] / "fixtures" / "models.json").read_text())
CONFIGURATIONS = FACTS["configurations"]


def build(name: str) -> PoseModel:
    facts = CONFIGURATIONS[name]
    with torch.device("meta"):
        return build_model(
            facts["backbone"],
            facts["representation"],
            keypoints=facts["joints"],
            input_size=tuple(facts["input_size"]),
            split_ratio=facts["split_ratio"],
        )


def digest(shapes: dict[str, list[int]]) -> str:
    lines = (f"{key}:{'x'.join(map(str, shape)) or 'scalar'}" for key, shape in shapes.items())
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_weights_have_the_published_names_and_shapes(name: str) -> None:
    facts = CONFIGURATIONS[name]
    model = build(name)
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == FACTS["tables"][facts["base_table"]] | facts["head_shapes"]
    assert len(shapes) == facts["n_keys"]
    assert digest(shapes) == facts["shapes_sha256"]
    assert count_parameters(model) == facts["params"]


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if "params_trainable" in CONFIGURATIONS[name]])
def test_parameters_that_do_not_learn_are_the_published_ones(name: str) -> None:
    learnt = sum(parameter.numel() for parameter in build(name).parameters() if parameter.requires_grad)
    assert learnt == CONFIGURATIONS[name]["params_trainable"]


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if "256x192" in name])
def test_outputs_have_the_published_shapes(name: str) -> None:
    facts = CONFIGURATIONS[name]
    output = build(name)(torch.zeros(1, 3, *facts["input_size"], device="meta"))
    outputs = [output] if facts["representation"] == "heatmap" else output
    assert [list(part.shape) for part in outputs] == facts["output_shapes"]
