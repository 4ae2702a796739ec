"""Weights and checkpoints: no code of theirs runs, and what does not fit is named."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from bench.execute.checkpoint import resume, save
from bench.pose.errors import CheckpointError
from bench.pose.models.build import build_model
from tests.bad_inputs.case import Case, Meet
from tests.unit import tiny_datasets
from tests.unit.suites import example_training
from tests.unit.tiny_training import tiny_training

EVAL = (
    "eval --backbone simba_tiny --representation simdr --input-size 64x64 --split-ratio 2 --dataset crowdpose"
    " --split test --dataset-dir crowdpose --checkpoint weights.pt --out out"
)


class Code:
    """Leaves a file where it runs."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def state(representation: str = "simdr", keypoints: int = 14, ratio: float = 2.0) -> dict[str, torch.Tensor]:
    bins = {"split_ratio": ratio} if representation == "simdr" else {}
    model = build_model("simba_tiny", representation, keypoints=keypoints, input_size=(64, 64), **bins)
    return model.state_dict()


def saved(value: object, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    contents: dict[str, Any] = state()
    change(contents)
    return saved(contents)


def packed(contents: bytes) -> bytes:
    """The same archive with its members compressed, as a bomb's are."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(contents)) as whole, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as small:
        for name in whole.namelist():
            small.writestr(name, whole.read(name))
    return file.getvalue()


HEADS = ("deconv_layers.", "final_layer.", "mlp_head")


def of_mmpose(own: dict[str, torch.Tensor], head: str = "head.") -> dict[str, torch.Tensor]:
    return {(head if name.startswith(HEADS) else "backbone.") + name: value for name, value in own.items()}


def safe(own: dict[str, torch.Tensor]) -> bytes:
    return safetensors.torch.save({name: value.contiguous() for name, value in own.items()})


MOBILE = {"backbone.conv1.conv.weight": torch.ones(1), "head.final_layer.weight": torch.ones(14, 1, 1, 1)}


ENDLESS: dict[str, object] = {}
ENDLESS["model"] = ENDLESS
SCALARS = {name: torch.tensor(1.0) for name in ("final_layer.weight", "stage2.0.branches.0.0.conv1.weight")}


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "contents")
    return file.getvalue()


def case(name: str, contents: Callable[[], bytes] | None, *says: str) -> Case:
    def build(folder: Path) -> None:
        tiny_datasets.crowdpose(folder / "crowdpose")
        if name == "a folder":
            (folder / "weights.pt").mkdir()
        if contents is not None:
            (folder / "weights.pt").write_bytes(contents())

    return Case(name, build, EVAL, says)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
CLASSIFIER = "mlp_head_x.weight"
CASES = [
    case("missing", None, "error: weights.pt: no such file"),
    *(
        case(
            f"{name} for weights", lambda data=data: data, f"error: weights.pt: not a readable torch file: it is {kind}"
        )
        for name, data, kind in (
            ("nothing", b"", "an empty file"),
            ("a text", b"no weights", "a text file"),
            ("a text in UTF-8", "größer".encode() * 1000, "a text file"),
            ("a Git LFS pointer", LFS, "a Git LFS pointer to the file; `git lfs pull` gets it"),
            ("a git-annex pointer", b"/annex/objects/SHA256E-s1--a.pth\n", "a git-annex pointer"),
            ("a web page", b"\n<!DOCTYPE html>\n<title>404</title>", "a web page or XML, as of a download that failed"),
            ("JSON", b'{"a": 1}', "a JSON file"),
            ("an archive", zipped("a.txt"), "an archive that torch did not write"),
            ("NumPy's archive", zipped("a.npy"), "a NumPy archive (.npz)"),
            ("a program", zipped("a/data.pkl", "a/constants.pkl"), "a TorchScript program, which would run code"),
            ("a tar", bytes(257) + b"ustar" + bytes(250), "a tar archive; unpack it first"),
            ("gzip", b"\x1f\x8b\x08", "compressed by gzip; unpack it first"),
            ("an archive cut off", zipped("a.txt")[:30], "an archive that ends early; get it again"),
        )
    ),
    case("zeros", lambda: bytes(1000), "error: weights.pt: not a readable torch file (unknown contents)"),
    case("a folder", None, "error: weights.pt: Is a directory"),
    case("cut off", lambda: saved(state())[:5000], "error: weights.pt: not a readable torch file"),
    case(
        "code",
        lambda: saved({"state_dict": Code()}),
        "error: weights.pt: refused, it holds more than tensors and plain values (posix.system, which may run code",
    ),
    case("code beside weights", lambda: saved({"state_dict": state(), "perf": Code()}), "posix.system, which may run"),
    case(
        "code in a bare pickle", lambda: pickle.dumps(Code()), "error: weights.pt: refused, it holds more than tensors"
    ),
    case("code in the old format", lambda: saved(Code(), _use_new_zipfile_serialization=False), "weights.pt: refused"),
    case(
        "a whole network",
        lambda: saved(torch.nn.Linear(1, 1)),
        "error: weights.pt: refused, it holds more than tensors",
    ),
    case("a bomb", lambda: packed(saved(state())), "error: weights.pt: not a readable torch file", "is compressed"),
    case("a number", lambda: saved(3), "error: weights.pt: does not hold a state dict of tensors"),
    case(
        "words for tensors",
        lambda: saved({"state_dict": {"a": "b"}}),
        "weights.pt: does not hold a state dict of tensors",
    ),
    case(
        "other representation",
        lambda: saved(state("heatmap")),
        "weights.pt is not for this network: it holds ResNet-10 of three layers with heatmaps of 14 keypoints; asked"
        " for is ResNet-10 of three layers with classified coordinates (SimDR, SimCC) of 14 keypoints, 2 bins per px at"
        " 64x64: missing mlp_head_x",
    ),
    case(
        "other keypoints in mmpose's names",
        lambda: saved({"meta": {}, "state_dict": of_mmpose(state("heatmap", 17), "keypoint_head.")}),
        "it holds weights of mmpose 0.x, ResNet-10 of three layers with heatmaps of 17 keypoints; asked for is",
    ),
    case(
        "other bins",
        lambda: saved(state(ratio=3.0)),
        "of 14 keypoints, 3 bins per px at 64x64; asked for is",
        "2 bins per px at 64x64: mlp_head_x.weight is (192, 256)",
    ),
    case(
        "mmpose's network that bench has not",
        lambda: saved({"state_dict": MOBILE}),
        "it holds weights of mmpose 1.x with a MobileNetV2 or ViPNAS trunk, which bench does not build;"
        " missing final_layer.bias",
    ),
    case(
        "two networks",
        lambda: saved({f"{one}.{name}": value for one in ("old", "new") for name, value in state().items()}),
        "error: weights.pt: holds 2 networks (the network under `old.`, the network under `new.`); save the",
    ),
    case("a mapping within itself", lambda: saved(ENDLESS), "weights.pt: does not hold a state dict of tensors"),
    case("scalars for layers", lambda: saved(SCALARS), "weights.pt is not for this network: it holds HRNet-W0 with"),
    case("safetensors of another", lambda: safe(state("heatmap")), "is not for this network: it holds ResNet-10"),
    case("safetensors cut off", lambda: safe(state())[:5000], "error: weights.pt: not a readable safetensors file ("),
    case(
        "safetensors without a header",
        lambda: b"\x0b\0\0\0\0\0\0\0" + b'{"w": 12345}' + bytes(8),
        "error: weights.pt: not a readable safetensors file (",
    ),
    case(
        "variances below 0",
        lambda: changed(lambda s: s["bn1.running_var"].fill_(-1)),
        "weights.pt is not for this network: bn1.running_var has variances below 0",
    ),
    case("missing weights", lambda: changed(lambda s: s.pop(CLASSIFIER)), f"missing {CLASSIFIER}"),
    case("weights of another", lambda: changed(lambda s: s.update(extra=torch.ones(1))), "unexpected extra"),
    case(
        "other shape",
        lambda: changed(lambda s: s.update({CLASSIFIER: torch.ones(2, 2)})),
        f"{CLASSIFIER} is (2, 2), expected (128, 256)",
    ),
    case(
        "not a number",
        lambda: changed(lambda s: s[CLASSIFIER].fill_(float("nan"))),
        f"weights.pt is not for this network: {CLASSIFIER} has values that are not finite",
    ),
    case(
        "complex numbers",
        lambda: changed(lambda s: s.update({CLASSIFIER: s[CLASSIFIER].to(torch.complex64)})),
        f"{CLASSIFIER} has values that are not finite",
    ),
]


OPTIONS = [
    ("--set sigma", 3, "--set 'sigma': expected KEY=VALUE"),
    ("--set sigma=2", 3, "--set 'sigma=2': unknown setting 'sigma'"),
    ("--set post_process=quarter", 3, "--set 'post_process=quarter': post_process"),
    ("--set blur_cells=3", 3, "--set 'blur_cells=3': unknown setting 'blur_cells'"),
    ("--set subset=3", 3, "--set 'subset=3': unknown setting 'subset'"),
    ("--set upsample=2", 3, "--set 'upsample=2': upsample: "),
    ("--set upsample=true --set upsample=false", 3, "upsample is given twice"),
    ("--set split_ratio=2", 2, "split_ratio has an option of its own"),
    ("--recipe papr", 3, "unknown recipe 'papr' (did you mean 'paper'?)"),
]


@pytest.mark.parametrize(("options", "status", "says"), OPTIONS, ids=str)
def test_options_of_eval(options: str, status: int, says: str, meet: Meet) -> None:
    def build(folder: Path) -> None:
        tiny_datasets.crowdpose(folder / "crowdpose")
        torch.save(state(), folder / "weights.pt")

    meet(Case(options, build, f"{EVAL} {options}", (says,), status))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_weights(case: Case, meet: Meet, tmp_path: Path) -> None:
    meet(case)
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "out").exists(), "nothing is made of it"


CHECKPOINTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "of another version": (lambda state: state.update(format=1), "not a checkpoint of training"),
    "of another training": (lambda state: state.update(spec="0" * 12), "not a checkpoint of training"),
    "format a tensor": (lambda state: state.update(format=torch.ones(2)), "not a checkpoint of training"),
    "without a model": (lambda state: state["training"].pop("model"), "damaged (KeyError: 'model')"),
    "model of another shape": (
        lambda state: state["training"]["model"].update(weight=torch.ones(1)),
        "damaged (RuntimeEr",
    ),
    "position of words": (lambda state: state["training"].update(position=["a", 1]), "damaged (ValidationError"),
    "history of words": (lambda state: state["training"].update(history=["a"]), "damaged (ValidationError"),
    "time of words": (lambda state: state.update(seconds="long"), "damaged (ValueError: could not convert"),
    "of another torch": (
        lambda state: state["build"].update(torch="2.11.0+cu130"),
        f"begun with torch 2.11.0+cu130; here: torch {torch.__version__}. The training would not end with the same",
    ),
    "of a GPU": (
        lambda state: state["build"].update(device="cuda", GPU="NVIDIA H200"),
        "begun with device cuda, GPU NVIDIA H200; here: device cpu, GPU -. The training would not end",
    ),
    "of another processor": (
        lambda state: state["build"].update(machine="Darwin arm64", instructions="DEFAULT"),
        "begun with machine Darwin arm64, instructions DEFAULT; here: machine Linux",
    ),
    "build of numbers": (lambda state: state["build"].update(torch=2), "damaged (ValidationError"),
    "without a build": (lambda state: state.pop("build"), "damaged (ValidationError"),
    "no threads": (lambda state: state.update(threads=0), "damaged (ValidationError"),
    "code": (lambda state: state.update(seconds=Code()), "refused, it holds more than tensors"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    change, says = CHECKPOINTS[name]
    spec, file = example_training(tmp_path), tmp_path / "checkpoint.pt"
    save(tiny_training(), file, spec, 3.5)
    assert resume(tiny_training(), file, spec) == 3.5
    contents = torch.load(file, weights_only=True)
    change(contents)
    torch.save(contents, file)
    with pytest.raises(CheckpointError) as refused:
        resume(tiny_training(), file, spec)
    assert str(refused.value).startswith(f"{file}: {says}")
    assert not (tmp_path / "pwned").exists()


def test_a_training_goes_on_with_the_threads_that_it_began_with(tmp_path: Path) -> None:
    """The sums of two threads have other bits than those of one."""
    spec, file = example_training(tmp_path), tmp_path / "checkpoint.pt"
    try:
        torch.set_num_threads(2)
        save(tiny_training(), file, spec, 3.5)
        torch.set_num_threads(1)
        resume(tiny_training(), file, spec)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
