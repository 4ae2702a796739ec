"""Weights files: every layout the reference releases loads strictly, and nothing else does."""

from __future__ import annotations

import hashlib
import http.server
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.pose import imagenet
from bench.pose.checkpoints import imagenet_weights, load_file, load_weights, read_weights
from bench.pose.data import prepare as preparation
from bench.pose.data.prepare import prepare_imagenet
from bench.pose.errors import CheckpointError, UnknownNameError
from bench.pose.imagenet import IMAGENET_FILES, ImageNetFile, find_weights
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


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """Serves `tmp_path / "served"` on the loopback interface."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def publish(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch, *, honest: bool = True) -> str:
    """Serve weights for simba_tiny under a name with their checksum, or with a wrong one."""
    torch.save({"conv1.weight": torch.ones(1)}, folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    name = f"tiny-{digest[:8] if honest else '00000000'}.pth"
    (folder / "file").rename(folder / name)
    monkeypatch.setattr(imagenet, "IMAGENET_FILES", {"simba_tiny": ImageNetFile(name, f"{address}/{name}")})
    return name


def test_imagenet_weights_are_downloaded_once_and_checked(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    name = publish(folder, address, monkeypatch)
    assert imagenet_weights("simba_tiny", tmp_path / "imagenet")["conv1.weight"].item() == 1
    (folder / name).unlink()
    assert imagenet_weights("simba_tiny", tmp_path / "imagenet")["conv1.weight"].item() == 1
    (tmp_path / "imagenet" / name).write_bytes(b"bitrot")
    with pytest.raises(CheckpointError, match="its sha256 is"):
        imagenet_weights("simba_tiny", tmp_path / "imagenet")


def test_a_wrong_checksum_or_no_network_is_said_with_what_to_do(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    name = publish(folder, address, monkeypatch, honest=False)
    with pytest.raises(CheckpointError, match=r"another checksum than sha256:00000000; .* or put the file at"):
        imagenet_weights("simba_tiny", tmp_path / "imagenet")
    assert not (tmp_path / "imagenet" / name).exists()
    unreachable = ImageNetFile("tiny-00000000.pth", "http://127.0.0.1:1/tiny-00000000.pth")
    monkeypatch.setattr(imagenet, "IMAGENET_FILES", {"simba_tiny": unreachable})
    with pytest.raises(CheckpointError, match=r"put the file at .*tiny-00000000\.pth"):
        imagenet_weights("simba_tiny", tmp_path / "imagenet")


def test_weights_without_an_address_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"hrnet_w32-36af842e\.pth is missing: get"):
        imagenet_weights("hrnet_w32", tmp_path)
    with pytest.raises(CheckpointError, match="no ImageNet weights for simba_tiny"):
        imagenet_weights("simba_tiny", tmp_path)


def test_where_the_weights_are_to_lie_and_what_puts_them_there(tmp_path: Path) -> None:
    folder = tmp_path / "my data" / "imagenet"
    found = find_weights("simba_res50", folder)
    assert (found.path, found.there) == (folder / "resnet50-19c8e357.pth", False)
    assert found.remedy == f"bench data prepare imagenet simba_res50 --data-root '{tmp_path}/my data'"
    folder.mkdir(parents=True)
    found.path.touch()
    assert find_weights("simba_res50", folder).there
    assert "get hrnet_w32-36af842e.pth from the HRNet authors' model zoo" in find_weights("hrnet_w32", folder).remedy


def test_preparing_imagenet_fetches_each_file_once_and_says_the_rest(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, said = tmp_path / "data" / "imagenet", list[str]()
    name = publish(*server, monkeypatch)
    files = {"tiny": imagenet.IMAGENET_FILES["simba_tiny"], "same": imagenet.IMAGENET_FILES["simba_tiny"]}
    files["hrnet_w32"] = IMAGENET_FILES["hrnet_w32"]
    monkeypatch.setattr(imagenet, "IMAGENET_FILES", files)
    monkeypatch.setattr(preparation, "IMAGENET_FILES", files)
    prepare_imagenet(folder, (), said.append, dry_run=True)
    assert not folder.exists()
    assert said[0] == f"{server[1]}/{name} -> {folder / name}"
    said.clear()
    prepare_imagenet(folder, (), said.append)
    assert said[:2] == [f"{name}: 100 %", f"{folder / name}: is there, and its checksum is right"]
    assert said[2].startswith("get hrnet_w32-36af842e.pth from")
    assert [file.name for file in folder.iterdir()] == [name]
    with pytest.raises(UnknownNameError, match=r"unknown backbone with ImageNet weights 'tinny' \(did you mean 'tiny'"):
        prepare_imagenet(folder, ("tinny",), said.append)
