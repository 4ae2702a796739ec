"""Weights files: every layout the reference releases loads strictly, and nothing else does."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.pose.checkpoints import load_file, load_weights, read_weights
from bench.pose.errors import CheckpointError
from bench.pose.models.build import build_model
from bench.pose.models.heads import PoseModel

LAYOUTS = {
    "plain": lambda state: state,
    "module prefix": lambda state: {f"module.{name}": value for name, value in state.items()},
    "under state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 1e-3}},
    "best of several": lambda state: {
        "state_dict": {name: torch.zeros_like(value) for name, value in state.items()},
        "best_state_dict": {f"module.{name}": value for name, value in state.items()},
        "perf": 0.7,
    },
}


def model(seed: int = 0, representation: str = "simdr") -> PoseModel:
    torch.manual_seed(seed)
    split_ratio = None if representation == "heatmap" else 2.0
    return build_model("simba_tiny", representation, keypoints=17, input_size=(64, 64), split_ratio=split_ratio)


def reference_checkpoint(perf: object) -> dict[str, Any]:
    """What the reference saves after every epoch: all of one training, its AP as evaluators return it."""
    network = model()
    optimizer = torch.optim.Adam(network.parameters())
    state = network.state_dict()
    return {
        "epoch": 3,
        "model": "pose_resnet",
        "state_dict": {f"module.{name}": torch.zeros_like(value) for name, value in state.items()},
        "best_state_dict": state,
        "perf": perf,
        "optimizer": optimizer.state_dict(),
    }


@pytest.mark.parametrize("zipped", [True, False], ids=["now", "of early torch"])
@pytest.mark.parametrize(
    "perf",
    [0.5, np.float64(0.5), np.float32(0.5), np.int64(1), np.bool_(True), np.arange(3.0), {"AP": [np.float64(0.5)]}],
    ids=lambda perf: type(perf).__name__,
)
def test_the_reference_s_own_checkpoint_is_read(perf: object, zipped: bool, tmp_path: Path) -> None:
    file, target = tmp_path / "checkpoint.pth", model(seed=1)
    torch.save(reference_checkpoint(perf), file, _use_new_zipfile_serialization=zipped)
    if not zipped:  # as NumPy 1 called it
        file.write_bytes(file.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    load_weights(target, file)
    assert all(torch.equal(value, target.state_dict()[name]) for name, value in model().state_dict().items())


def test_numpy_s_values_are_read_beside_weights_only(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    torch.save(reference_checkpoint(np.float64(0.5)), file)
    with pytest.raises(CheckpointError, match=r"refused, it holds more than .*numpy\._core\.multiarray\.scalar"):
        load_file(file)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_loads(tmp_path: Path, layout: str) -> None:
    file, saved, loaded = tmp_path / "weights.pth", model(0), model(1)
    torch.save(LAYOUTS[layout](saved.state_dict()), file)
    load_weights(loaded, file)
    for name, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_short_formats_load_as_the_numbers_that_they_are(tmp_path: Path, dtype: torch.dtype) -> None:
    file, loaded = tmp_path / "weights.pt", model(1)
    short = {
        name: value.to(dtype) if value.is_floating_point() else value for name, value in model(0).state_dict().items()
    }
    torch.save(short, file)
    load_weights(loaded, file)
    for name, value in loaded.state_dict().items():
        assert value.dtype in {torch.float32, torch.int64}
        assert torch.equal(value, short[name].to(value.dtype)), name


def test_a_file_of_another_hash_is_refused(tmp_path: Path) -> None:
    file, target = tmp_path / "weights.pt", model(1)
    torch.save(model(0).state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    load_weights(target, file, sha256=digest)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"weights.pt: its sha256 is {digest}, expected {64 * '0'}"):
        load_weights(target, file, sha256=64 * "0")
    with pytest.raises(CheckpointError, match=r"absent\.pt: No such file"):
        load_weights(target, tmp_path / "absent.pt", sha256=digest)
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())


def changed(change: str) -> dict[str, Any]:
    state = model().state_dict()
    if change == "missing":
        del state["mlp_head_x.weight"]
    elif change == "unexpected":
        state["extra.weight"] = torch.zeros(1)
    else:
        state["final_layer.weight"] = torch.zeros(3, 3)
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "missing mlp_head_x.weight"),
        ("unexpected", "unexpected extra.weight"),
        ("shape", r"final_layer.weight is \(3, 3\), expected \(17, 64, 1, 1\)"),
    ],
)
def test_a_wrong_key_is_named_and_nothing_is_loaded(tmp_path: Path, change: str, message: str) -> None:
    file, target = tmp_path / "weights.pth", model(1)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    torch.save(changed(change), file)
    with pytest.raises(CheckpointError, match=message):
        load_weights(target, file)
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())


def test_a_heatmap_checkpoint_is_not_for_simdr(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(model(representation="heatmap").state_dict(), file)
    with pytest.raises(CheckpointError, match=r"missing mlp_head_x.weight; missing mlp_head_x.bias.*"):
        load_weights(model(), file)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def write_bad(file: Path, kind: str) -> None:
    if kind == "code":
        torch.save({"state_dict": Malicious()}, file)
    elif kind == "bare pickle":
        file.write_bytes(pickle.dumps(Malicious()))
    elif kind == "truncated":
        torch.save(model().state_dict(), file)
        file.write_bytes(file.read_bytes()[:1000])
    elif kind == "empty":
        file.touch()
    elif kind == "text":
        file.write_text("these are no weights")
    elif kind == "no tensors":
        torch.save({"epoch": 3}, file)


@pytest.mark.parametrize("kind", ["code", "bare pickle", "truncated", "empty", "text", "no tensors", "missing"])
def test_bad_files_are_refused_by_name_and_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "weights.pth"
    write_bad(file, kind)
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        read_weights(file)
    assert not (tmp_path / "pwned").exists()
