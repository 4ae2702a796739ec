"""Files that are removed while they are used, and an image that a training never gets to see again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.faults.conftest import SUITE, Bench, Fault

CHECKPOINT = ".checkpoint.pt."
"""A part of the path of what becomes a checkpoint."""


@pytest.fixture
def own(bench: Bench, tmp_path: Path, data_root: Path) -> Bench:
    """With data of its own, as a dataset that is not drawn anew."""
    shutil.copytree(data_root / "synthetic", tmp_path / "data" / "coco")
    bench.suite.write_text(SUITE.replace("name: synthetic", "name: coco"))
    return replace(bench, data_root=tmp_path / "data")


def record(bench: Bench) -> dict[str, Any]:
    return json.loads((bench.training() / "training.json").read_text())


@pytest.mark.faults
def test_an_image_is_left_out_and_named(own: Bench) -> None:
    image = own.data_root / "coco" / "images" / "train48" / "000000000005.jpg"
    own("run", fault=Fault(f"rm {image}", CHECKPOINT, times=4))
    said = {problem.partition(": ")[2] for problem in record(own)["problems"]}
    assert said == {f"{image}: No such file or directory"}
    assert record(own)["history"][0]["instances"] == 48, "it was there in the first epoch"
    assert record(own)["history"][2]["instances"] < 48


@pytest.mark.faults
def test_annotations_between_training_and_evaluation(own: Bench) -> None:
    folder = own.data_root / "coco" / "annotations"
    away = folder.with_name("away")
    said = own("run", ends=1, fault=Fault(f"mv {folder} {away}", ".weights.pt."))
    assert f"DataError: {folder}/person_keypoints_val16.json: no such file" in said
    trained = (own.training() / "training.json").read_bytes()
    away.rename(folder)
    own("run")
    assert (own.training() / "training.json").read_bytes() == trained, "what was trained is not trained again"
    assert own.weights()


@pytest.mark.faults
@pytest.mark.parametrize("workers", [0, 1])
def test_packed_images_and_the_checkpoint(
    bench: Bench, tmp_path: Path, data_root: Path, undisturbed: str, workers: int
) -> None:
    """What is mapped stays mapped; the next checkpoint is written anew."""
    data = tmp_path / "data"
    shutil.copytree(data_root, data)
    bench = replace(bench, data_root=data)
    pack = [sys.executable, "-m", "bench", "data", "pack", "synthetic", "train48", "--data-root", data]
    subprocess.run(pack, check=True, capture_output=True)
    removal = f"rm -r {data}/synthetic/packed; rm -f {bench.results}/trainings/*/checkpoint.pt"
    bench("run", "--workers", workers, fault=Fault(removal, CHECKPOINT, times=1 + workers))
    assert not (data / "synthetic" / "packed").exists()
    assert bench.weights() == undisturbed
    assert record(bench)["provenance"]["pixels"] == "packed"

    shutil.rmtree(bench.results)
    said = bench("run", "--pixels", "packed", ends=1)
    assert "nothing is packed there; `bench data pack` does it" in said
    bench("run")
    assert bench.weights() == undisturbed, "decoded, where nothing is packed"


@pytest.mark.faults
def test_the_training_s_folder(bench: Bench, undisturbed: str) -> None:
    removal = Fault(f"rm -r {bench.results}/trainings/*", "/images/train48/", times=70)
    said = bench("run", ends=1, fault=removal)
    assert f"{bench.results}/trainings/" in said
    assert "was removed while this process was working on it" in said
    assert [file.name for file in bench.training().iterdir()] == ["failure.json"]
    assert "was removed while" in bench("status")
    bench("run")
    assert bench.weights() == undisturbed
