"""Weights as tools save them: the network that is meant is found, or the file is refused by what it holds."""

from __future__ import annotations

import collections
import io
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from bench.pose.checkpoints import identify_weights, load_weights, read_metadata
from bench.pose.errors import CheckpointError
from bench.pose.models.build import build_model
from bench.pose.models.heads import PoseModel

State = Mapping[str, Tensor]


def network(seed: int = 0) -> PoseModel:
    torch.manual_seed(seed)
    return build_model("simba_tiny", "heatmap", keypoints=17, input_size=(64, 64))


STATE = network().state_dict()
OTHER = network(1).state_dict()
HEADS = ("deconv_layers.", "final_layer.")


def under(prefix: str, state: State = STATE) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def of_mmpose(head: str = "head.", state: State = STATE) -> dict[str, Tensor]:
    return {(head if name.startswith(HEADS) else "backbone.") + name: value for name, value in state.items()}


def averaged(state: State = STATE) -> dict[str, Tensor]:
    return {"n_averaged": torch.tensor(3), **under("module.", state)}


LAYOUTS: dict[str, tuple[Any, str]] = {
    "plain": (STATE, ""),
    "DDP": (under("module."), "the network under `module.`"),
    "torch.compile": (under("_orig_mod."), "compiled by torch.compile"),
    "compiled within DDP": (under("module._orig_mod."), "compiled by torch.compile, the network under `module.`"),
    "compiled parts": ({n.replace("layer1.", "layer1._orig_mod."): v for n, v in STATE.items()}, "torch.compile"),
    "Lightning": (
        {"pytorch-lightning_version": "2.5", "state_dict": under("model."), "hyper_parameters": {"lr": 0.1}},
        "a checkpoint of Lightning, the network under `model.`",
    ),
    "Lightning with a loss": (
        {"pytorch-lightning_version": "2.5", "state_dict": {**under("net."), "criterion.scale": torch.ones(1)}},
        "the network under `net.`",
    ),
    "Lightning around mmpose": ({"state_dict": under("model.", of_mmpose())}, "mmpose 1.x, the network under"),
    "a name of one's own": (under("pose_estimator.network."), "the network under `pose_estimator.network.`"),
    "AveragedModel": (averaged(), "the average of an AveragedModel"),
    "timm's average": ({"state_dict": OTHER, "state_dict_ema": STATE}, "the average under `state_dict_ema`"),
    "average and last": ({"model": OTHER, "model_ema": under("module.")}, "the average under `model_ema`"),
    "ema of a mapping": ({"model": OTHER, "ema": {"module": STATE, "updates": 3}}, "the average under `ema`"),
    "ema_pytorch": (
        {
            "step": torch.tensor(3),
            "initted": torch.tensor(True),
            **under("online_model.", OTHER),
            **under("ema_model."),
        },
        "the average under `ema_model.`",
    ),
    "Lightning with an average": (
        {"state_dict": {**under("model.", OTHER), **under("model_ema.module.")}},
        "the average under `model_ema.module.`",
    ),
    "mmengine's swapped average": (
        {"state_dict": of_mmpose(), "ema_state_dict": {"steps": torch.tensor(3), **under("module.", OTHER)}},
        "mmpose 1.x",
    ),
    "model_state_dict": ({"model_state_dict": STATE, "optimizer": {}}, ""),
    "DeepSpeed": ({"module": under("module.")}, "the network under `module.`"),
    "mmpose 1.x": ({"meta": {"epoch": 1}, "state_dict": of_mmpose()}, "mmpose 1.x"),
    "mmpose 0.x": ({"meta": {"epoch": 1}, "state_dict": of_mmpose("keypoint_head.")}, "mmpose 0.x"),
    "mmpose within DDP": ({"state_dict": under("module.", of_mmpose())}, "mmpose 1.x, the network under `module.`"),
    "no counters": ({n: v for n, v in STATE.items() if not n.endswith("num_batches_tracked")}, ""),
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_network_is_found(layout: str, zipped: bool, tmp_path: Path) -> None:
    contents, says = LAYOUTS[layout]
    file, target = tmp_path / "weights.pth", network(2)
    torch.save(contents, file, _use_new_zipfile_serialization=zipped)
    assert says in load_weights(target, file).described
    assert_same(target)
    alone = identify_weights(file)
    assert alone.facts is not None, "it is known by itself too"
    assert alone.facts.describe() == "ResNet-10 of three layers with heatmaps of 17 keypoints"
    assert torch.equal(alone.entries["conv1.weight"], STATE["conv1.weight"])


def assert_same(target: PoseModel) -> None:
    for name, value in target.state_dict().items():
        assert torch.equal(value, STATE[name]) or name.endswith("num_batches_tracked"), name


@pytest.mark.parametrize("layout", ["plain", "DDP", "mmpose 1.x", "ema_pytorch"])
def test_safetensors_are_read(layout: str, tmp_path: Path) -> None:
    contents, says = LAYOUTS[layout]
    file, target = tmp_path / "weights.bin", network(2)
    state = {name: value.clone() for name, value in contents.get("state_dict", contents).items()}
    safetensors.torch.save_file(state, file, {"representation": "udp"})
    assert says in load_weights(target, file).described
    assert_same(target)
    assert read_metadata(file) == {"representation": "udp"}


TWO = {
    "student and teacher": {**under("student."), **under("teacher.", OTHER)},
    "two averages": {**under("ema.a."), **under("ema.b.", OTHER)},
}


@pytest.mark.parametrize("name", TWO)
def test_several_networks_are_refused_by_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(TWO[name], file)
    first, second = dict.fromkeys(".".join(key.split(".")[: 1 + name.startswith("two")]) for key in TWO[name])
    with pytest.raises(CheckpointError, match=rf"holds 2 networks \(the \w+ under `{first}\.`, .*`{second}\.`\); save"):
        load_weights(network(), file)


def test_a_network_of_one_s_own_keeps_its_names(tmp_path: Path) -> None:
    """Not every `model.` is a wrapper's."""
    own = torch.nn.ModuleDict({"model": torch.nn.Linear(1, 1), "head": torch.nn.Linear(1, 1)})
    file = tmp_path / "weights.pth"
    for state in (own.state_dict(), under("module.", own.state_dict())):
        torch.save(state, file)
        load_weights(own, file)
    torch.save({"model.weight": torch.ones(1, 1), "model.bias": torch.ones(1)}, file)
    only = torch.nn.ModuleDict({"model": torch.nn.Linear(1, 1)})
    load_weights(only, file)
    assert only["model"].weight.item() == 1


def test_a_network_of_one_s_own_may_be_called_as_mmpose_s(tmp_path: Path) -> None:
    own = torch.nn.ModuleDict({"backbone": torch.nn.Linear(1, 1), "head": torch.nn.Linear(1, 1)})
    file = tmp_path / "weights.pth"
    for state in (own.state_dict(), under("module.", own.state_dict())):
        torch.save(state, file)
        assert load_weights(own, file).source == ""


def stranger(module: str, name: str, *bases: type) -> Any:
    """A class of a module that is not installed, as pickles name it."""
    made = types.new_class(name, bases)
    made.__module__, made.__qualname__ = module, name
    return made


def saved_with(kind: type, make: Callable[[type], object], zipped: bool) -> bytes:
    """Weights beside an object of a stranger's class, whose module is there only while it is saved."""
    module = types.ModuleType(kind.__module__)
    setattr(module, kind.__name__, kind)
    packages = [".".join(kind.__module__.split(".")[:end]) for end in range(1, kind.__module__.count(".") + 2)]
    before = {package: sys.modules.get(package) for package in packages}
    sys.modules.update(dict.fromkeys(packages, module))
    try:
        file = io.BytesIO()
        torch.save({"meta": make(kind), "state_dict": of_mmpose()}, file, _use_new_zipfile_serialization=zipped)
        return file.getvalue()
    finally:
        for package, there in before.items():
            if there is None:
                del sys.modules[package]
            else:
                sys.modules[package] = there


def with_state(kind: type) -> object:
    made = kind()
    made.values = [1, 2]
    return made


def with_items(kind: type) -> object:
    made = kind()
    made["lr"] = 0.1  # type: ignore[index]
    return [made, made]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
@pytest.mark.parametrize(
    ("module", "name", "base", "make"),
    [
        ("mmengine.logging.history_buffer", "HistoryBuffer", object, with_state),
        ("mmengine.config.config", "ConfigDict", dict, with_items),
        ("pytorch_lightning.utilities.parsing", "AttributeDict", dict, with_items),
        ("lightning.fabric.utilities.data", "AttributeDict", collections.OrderedDict, with_items),
        ("omegaconf.dictconfig", "DictConfig", object, with_state),
    ],
)
def test_objects_beside_weights_are_not_built(
    module: str, name: str, base: type, make: Callable[[type], object], zipped: bool, tmp_path: Path
) -> None:
    file, target = tmp_path / "weights.pth", network(2)
    file.write_bytes(saved_with(stranger(module, name, base), make, zipped))
    load_weights(target, file)
    assert_same(target)


def test_objects_of_others_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(saved_with(stranger("their.code", "Settings", object), with_state, zipped=True))
    with pytest.raises(CheckpointError, match=r"refused, it holds more than .*\(their\.code\.Settings, which may run"):
        load_weights(network(), file)
