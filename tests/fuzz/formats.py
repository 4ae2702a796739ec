"""Parsers of datasets, predictions, weights and archives, with valid files to start from."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import hypothesis.strategies as st
import numpy as np
import safetensors.torch
import scipy.io
import torch

from bench.capsule.verification import verify
from bench.execute.checkpoint import CHECKPOINT_FORMAT, build_of, resume
from bench.pose.checkpoints import identify_weights, load_weights
from bench.pose.data.datasets import open_split
from bench.pose.data.images import read_image
from bench.pose.data.pixels.packed import PackedImages, packed_folder, packed_problems
from bench.pose.metrics.pckh import read_head_truth, read_predictions
from bench.pose.metrics.per_instance import load_per_instance, save_per_instance
from bench.pose.scoring import score_file, split_scoring
from tests.fuzz.mutation import VALUES, broken, damaged, mutated, mutated_json
from tests.fuzz.target import Target
from tests.unit import tiny_datasets
from tests.unit.capsule.test_capsule import CROWDPOSE, finish, members, predictions, rehash, write
from tests.unit.packed import make_split, pack
from tests.unit.suites import example_training
from tests.unit.tiny_training import tiny_training

__all__ = ["FORMATS"]

Read = Callable[[], object]


def in_file(file: Path, inputs: st.SearchStrategy[bytes], read: Read) -> Target:
    """A parser of a file, which its errors must name."""

    def write_and_read(contents: bytes) -> None:
        file.write_bytes(contents)
        read()

    file.parent.mkdir(parents=True, exist_ok=True)
    return Target(inputs, write_and_read, file.name)


def _instances(dataset: str, split: str) -> Callable[[Path], Target]:
    def target(folder: Path) -> Target:
        make = {"coco": tiny_datasets.coco_test_dev, "crowdpose": tiny_datasets.crowdpose, "mpii": tiny_datasets.mpii}
        make[dataset](folder)
        file = open_split(dataset, folder, split).annotation_file
        document = json.loads(file.read_text())
        return in_file(file, mutated_json(document), lambda: open_split(dataset, folder, split).instances())

    return target


def _boxes(folder: Path) -> Target:
    tiny_datasets.crowdpose(folder)
    file = folder / "annotations" / "boxes.json"
    split = open_split("crowdpose", folder, "test")
    return in_file(file, mutated_json(tiny_datasets.boxes()[:3]), lambda: split.detections(file))


def _predictions(dataset: str, split: str) -> Callable[[Path], Target]:
    def target(folder: Path) -> Target:
        make = {"coco": tiny_datasets.coco_test_dev, "crowdpose": tiny_datasets.crowdpose, "mpii": tiny_datasets.mpii}
        make[dataset](folder)
        opened = open_split(dataset, folder, split)
        file = folder / "predictions.json"
        instances = predictions(opened, seed=0)[:2]
        return in_file(file, mutated_json(instances), lambda: score_file(dataset, file, opened.truth_file))

    return target


class _Arrays:
    """Arrays of a MATLAB file, changed."""

    @staticmethod
    def values() -> st.SearchStrategy[Any]:
        return st.sampled_from(
            [np.zeros((0, 0)), np.zeros((16, 6)), np.full((2, 2, 6), np.nan), np.zeros((16, 2, 6), complex), "text", 3,
             np.array(["a", "b"], dtype=object), np.ones((16, 2, 6), bool), {"a": 1}, np.float64("inf"),
             scipy.sparse.eye(16, 6), np.zeros((6, 16, 2)), np.zeros((6, 16, 1)), np.zeros((6, 16, 3), np.uint8)]
        )  # fmt: skip


def _mat(document: dict[str, Any]) -> st.SearchStrategy[bytes]:
    def saved(contents: Any) -> bytes:
        buffer = io.BytesIO()
        # What the writer does not take need not be read.
        with suppress(ValueError, TypeError, LookupError, UnicodeError):
            scipy.io.savemat(buffer, contents if isinstance(contents, dict) else {"preds": contents})
        return buffer.getvalue()

    changed = mutated(document, _Arrays.values()).map(saved)
    return changed | st.just(saved(document)).flatmap(damaged)


def _head_truth(folder: Path) -> Target:
    file = folder / "gt_valid.mat"
    tiny_datasets.head_truth(file, [tiny_datasets.mpii_instance(number) for number in range(6)])
    document = {name: value for name, value in scipy.io.loadmat(file).items() if not name.startswith("__")}
    return in_file(file, _mat(document), lambda: read_head_truth(file))


def _pred_mat(folder: Path) -> Target:
    file = folder / "pred.mat"
    return in_file(file, _mat({"preds": np.ones((6, 16, 2))}), lambda: read_predictions(file))


def _capsule(folder: Path) -> Target:
    bench = finish(folder, CROWDPOSE, tiny_datasets.crowdpose)
    original = members(bench.capsule)
    file = folder / "given.zip"
    documents = sorted(name for name in original if name.endswith(".json"))

    def archived(changed: Mapping[str, bytes]) -> bytes:
        return write(file, changed).read_bytes()

    def with_member(name: str) -> st.SearchStrategy[bytes]:
        """One member changed, the manifest made to fit, or the manifest itself."""
        changed = mutated_json(json.loads(original[name])).map(lambda data: original | {name: data})
        return changed.map(archived) if name == "manifest.json" else changed.map(rehash).map(archived)

    def with_suite(text: bytes) -> bytes:
        return archived(rehash(original | {"suite.yaml": text}))

    whole = st.just(bench.capsule.read_bytes()).flatmap(damaged)
    suites = st.just(original["suite.yaml"]).flatmap(damaged).map(with_suite)
    inputs = st.one_of(st.sampled_from(["manifest.json", *documents]).flatmap(with_member), whole, suites)
    return in_file(file, inputs, lambda: verify(file, bench.data_root))


def _torch_values() -> st.SearchStrategy[Any]:
    tensors = [
        torch.zeros(0), torch.zeros(3), torch.full((4, 3, 1, 1), torch.nan), torch.zeros(4, dtype=torch.complex64),
        torch.zeros(4, dtype=torch.int64), torch.eye(4).to_sparse(), torch.zeros(4, dtype=torch.bfloat16),
    ]  # fmt: skip
    return st.sampled_from(tensors) | VALUES


def _saved(contents: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    return buffer.getvalue()


def _weights(folder: Path) -> Target:
    file = folder / "weights.pt"
    model = torch.nn.Conv2d(3, 4, 1)
    own = dict(model.state_dict())
    state = {"state_dict": own, "ema": {"module": own}, "meta": {}}
    foreign = {"state_dict": {"backbone.conv1.weight": own["weight"], "head.final_layer.weight": own["bias"]}}
    inputs = broken((mutated(state, _torch_values()) | mutated(foreign, _torch_values())).map(_saved))
    return in_file(file, inputs | broken(st.just(safetensors.torch.save(own))), lambda: _read_weights(model, file))


def _read_weights(model: torch.nn.Module, file: Path) -> None:
    identify_weights(file)
    load_weights(model, file)


def _checkpoint(folder: Path) -> Target:
    file = folder / "checkpoint.pt"
    spec = example_training(folder)
    state = tiny_training().state_dict()
    document = {
        "format": CHECKPOINT_FORMAT,
        "spec": spec.id,
        "build": build_of(torch.device("cpu")),
        "threads": 1,
        "seconds": 3.5,
        "training": state,
    }
    inputs = broken(mutated(document, _torch_values()).map(_saved))
    return in_file(file, inputs, lambda: resume(tiny_training(), file, spec))


def _packed(folder: Path) -> Target:
    split = make_split(folder)
    pack(split)
    place = packed_folder(split.folder, split.split)
    (file,) = place.glob("*.json")

    def read() -> None:
        list(packed_problems(place, split.image_folder))
        images = PackedImages(place, split.image_folder)
        for name in ("100.png", "103.png", "104.png"):
            assert images.open(split.image_folder / name).width in {160, 131, 2}

    # Of an index that does not fit its pixels, these are named.
    return replace(in_file(file, mutated_json(json.loads(file.read_text())), read), named=file.stem)


def _per_instance(folder: Path) -> Target:
    tiny_datasets.crowdpose(folder)
    split = open_split("crowdpose", folder, "test")
    judged = split_scoring(split).assess(predictions(split, seed=0)).per_instance
    assert judged is not None
    file = folder / "per_instance.npz"
    file.write_bytes(save_per_instance(judged))
    with np.load(file) as stored:
        arrays = dict(stored)
    odd = st.sampled_from([np.zeros(0), np.zeros(3, np.int64), np.zeros((3, 2)), np.array("x"), np.array([True]), -1])

    def saved(contents: Any) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, value in contents.items():
                array = io.BytesIO()
                np.lib.format.write_array(array, np.asanyarray(value))
                archive.writestr(f"{ascii(name)[1:-1]}.npy", array.getvalue())
        return buffer.getvalue()

    def read() -> None:
        loaded = load_per_instance(file)
        loaded.metrics()
        loaded.resample(np.ones((2, loaded.units), dtype=np.int64), list(loaded.metrics())[:2])

    changed = mutated(arrays, odd).filter(lambda contents: isinstance(contents, dict)).map(saved)
    return in_file(file, broken(changed), read)


def _image(ending: str) -> Callable[[Path], Target]:
    def target(folder: Path) -> Target:
        file = folder / f"image.{ending}"
        image = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        encoded = cv2.imencode(f".{ending}", image)[1].tobytes()
        return in_file(file, st.just(encoded).flatmap(damaged), lambda: read_image(file))

    return target


FORMATS: Mapping[str, Callable[[Path], Target]] = {
    "COCO annotations": _instances("coco", "train2017"),
    "CrowdPose annotations": _instances("crowdpose", "test"),
    "MPII instances": _instances("mpii", "valid"),
    "boxes": _boxes,
    "COCO predictions": _predictions("coco", "train2017"),
    "CrowdPose predictions": _predictions("crowdpose", "test"),
    "MPII predictions": _predictions("mpii", "valid"),
    "gt_valid.mat": _head_truth,
    "pred.mat": _pred_mat,
    "capsule": _capsule,
    "weights": _weights,
    "checkpoint": _checkpoint,
    "packed index": _packed,
    "per_instance.npz": _per_instance,
    "JPEG": _image("jpg"),
    "PNG": _image("png"),
}
"""By name, a parser at work in a folder of its own."""
