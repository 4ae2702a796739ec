"""Weights by mmpose's names, through `bench eval` to metrics, by its protocol; in our names they give the same."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.pose.models.build import build_model, initialize
from tests.bad_inputs.case import run
from tests.shared import shared_data
from tests.unit import tiny_datasets

HEADS = ("deconv_layers.", "final_layer.", "mlp_head", "fc.")
EVAL = "eval --dataset {dataset} --split {split} --dataset-dir {folder} --checkpoint {file} --out {out} {network}"
ON_CROWDPOSE = {"dataset": "crowdpose", "split": "test", "folder": "crowdpose"}


def random_weights(backbone: str, representation: str, **form: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = build_model(backbone, representation, **form)
    initialize(model, scheme="kaiming")
    return model.state_dict()


def of_mmpose(state: Mapping[str, Tensor], version: str = "head") -> dict[str, Any]:
    """A published file's contents: the trunk's and the head's names, and settings beside them."""
    within = "deconv_head." if any(name.startswith("mlp_head") for name in state) else ""
    names = {
        name: f"{version}.{within if name.startswith(HEADS[:2]) else ''}{name}"
        if name.startswith(HEADS)
        else f"backbone.{name}"
        for name in state
    }
    return {"meta": {"epoch": 210}, "state_dict": {names[name]: value for name, value in state.items()}}


def save(contents: object, file: Path) -> None:
    torch.save(contents, file, _use_new_zipfile_serialization=False)


@pytest.fixture(scope="module")
def coco_mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first images of COCO's validation that show somebody."""
    whole, folder = shared_data("coco_mini"), tmp_path_factory.mktemp("coco_mini")
    contents = json.loads((whole / "annotations" / "person_keypoints_val2017.json").read_text())
    shown = {one["image_id"] for one in contents["annotations"] if one["num_keypoints"]}
    contents["images"] = [image for image in contents["images"] if image["id"] in shown][:3]
    kept = {image["id"] for image in contents["images"]}
    contents["annotations"] = [one for one in contents["annotations"] if one["image_id"] in kept]
    (folder / "annotations").mkdir()
    (folder / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(contents))
    (folder / "images" / "val2017").mkdir(parents=True)
    for image in contents["images"]:
        shutil.copy(whole / "images" / "val2017" / image["file_name"], folder / "images" / "val2017")
    return folder


@pytest.mark.parametrize(
    ("backbone", "representation", "size", "form", "version"),
    [
        ("simba_res50", "heatmap", "64x64", {}, "keypoint_head"),
        ("hrnet_w32", "udp", "64x64", {}, "head"),
        ("simba_res50", "simcc", "64x64", {"split_ratio": 2.0}, "head"),
        ("simba_res50", "simcc", "64x64", {"split_ratio": 3.0, "upsample": False, "maps_per_keypoint": 1}, "head"),
        ("simba_res50", "regression", "64x64", {}, "head"),
        ("simba_res50", "rle", "64x64", {}, "keypoint_head"),
    ],
)
def test_networks_of_mmpose_are_measured_on_coco(
    coco_mini: Path, tmp_path: Path, backbone: str, representation: str, size: str, form: dict[str, Any], version: str
) -> None:
    state = random_weights(backbone, representation, keypoints=17, input_size=(64, 64), **form)
    save(of_mmpose(state, version), tmp_path / "mmpose.pth")
    network = f"--backbone {backbone} --representation {representation} --input-size {size}"
    status, said = measure(
        tmp_path, "mmpose.pth", "out", network, dataset="coco", split="val2017", folder=str(coco_mini)
    )
    assert status == 0, said
    assert f"mmpose.pth: mmpose {'0.x' if version == 'keypoint_head' else '1.x'}" in said
    assert "settings that are not given are those of recipe mmpose" in said
    assert 0 <= json.loads((tmp_path / "out" / "metrics.json").read_text())["AP"] <= 1
    found = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert found["recipe"] == "mmpose"
    assert found["training"]["color_order"] == "rgb"
    assert found["training"]["pixel_alignment"] == ("unbiased" if representation == "udp" else "corner")
    assert found["training"]["codec"].get("split_ratio") == form.get("split_ratio")
    assert found["training"]["maps_per_keypoint"] == form.get("maps_per_keypoint")
    evaluation = found["evaluation"]
    assert evaluation["flip_shift"] == ("none" if representation in {"udp", "simcc"} else "reference")
    assert evaluation["instance_score"] == ("rle" if representation == "rle" else "mean")
    assert (evaluation["score_threshold"], evaluation["nms_threshold"]) == (0.2, 0.9)


def measure(where: Path, file: str, out: str, network: str, **data: str) -> tuple[int, str]:
    with contextlib.chdir(where):
        return run(EVAL.format(file=file, out=out, network=network, **data))


def test_names_change_no_number(tmp_path: Path) -> None:
    """By one recipe, mmpose's names and ours give the same predictions; by the paper's recipe they are others."""
    tiny_datasets.crowdpose(tmp_path / "crowdpose")
    state = random_weights("simba_tiny", "simdr", keypoints=14, input_size=(64, 64), split_ratio=3.0)
    torch.save(state, tmp_path / "own.pt")
    save(of_mmpose(state), tmp_path / "mmpose.pth")
    network = "--backbone simba_tiny --representation simdr --input-size 64x64"
    runs = {
        "mmpose": ("mmpose.pth", ""),
        "own": ("own.pt", "--recipe mmpose"),
        "paper": ("mmpose.pth", "--recipe paper"),
        "set": ("own.pt", "--set color_order=rgb --set flip_shift=none --set score_threshold=0.2"),
    }
    said = {}
    for name, (file, options) in runs.items():
        status, said[name] = measure(tmp_path, file, name, f"{network} {options}", **ON_CROWDPOSE)
        assert status == 0, said[name]
    found = {name: (tmp_path / name / "predictions.json").read_text() for name in runs}
    assert found["mmpose"] == found["own"] == found["set"] != found["paper"]
    assert "--representation simcc does so too" in said["mmpose"]
    assert "are those of recipe paper" in said["paper"]
    assert "mmpose" not in said["set"]
    origin = json.loads((tmp_path / "paper" / "provenance.json").read_text())
    assert (origin["weights"], origin["weights_origin"], origin["recipe"]) == ("mmpose.pth", "mmpose 1.x", "paper")
    assert origin["training"]["codec"]["split_ratio"] == 3, "what the weights say, whatever the recipe"


def test_soft_argmax_is_told_by_its_constants(tmp_path: Path) -> None:
    tiny_datasets.crowdpose(tmp_path / "crowdpose")
    contents = of_mmpose(random_weights("simba_tiny", "heatmap", keypoints=14, input_size=(64, 64)))
    contents["state_dict"] |= {"head.linspace_x": torch.zeros(1, 1, 1, 16), "head.linspace_y": torch.zeros(1, 1, 16, 1)}
    save(contents, tmp_path / "mmpose.pth")
    for representation in ("heatmap", "integral"):
        network = f"--backbone simba_tiny --representation {representation} --input-size 64x64"
        status, said = measure(tmp_path, "mmpose.pth", representation, network, **ON_CROWDPOSE)
        assert status == 0, said
        assert ("trained for soft-argmax" in said) == (representation == "heatmap")
