"""The doctor: a sound installation is told so, and each planted fault is found by name, with what to do about it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bench.cli import app
from bench.execute.slurm import scheduler
from bench.files import write_json
from bench.store.folders import Store
from bench.suite.specs import SCHEMA_VERSION
from tests.unit.doctor.conftest import PROFILE, Installation


def test_a_sound_installation(sound: Installation) -> None:
    before = sorted(path for path in sound.results.parent.rglob("*"))
    result = sound.call("--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0, document
    assert document.keys() == {"passed", "checks"}
    assert document["passed"] is True
    checks = {check["name"]: check for check in document["checks"]}
    assert len(checks) == len(document["checks"]), "names differ"
    assert all(check.keys() == {"name", "title", "verdict", "found", "fix"} for check in checks.values())
    assert all(check["found"] for check in checks.values())
    assert all(bool(check["fix"]) == (check["verdict"] in {"warning", "failed"}) for check in checks.values())
    looked_at = {name for name, check in checks.items() if check["verdict"] == "ok"}
    assert looked_at >= {
        "python", "packages", "pycocotools", "opencv", "torch", "results folder", "results leases", "results records",
        "data root", "dataset coco", "dataset crowdpose", "dataset mpii", "imagenet weights",
        "recorded data", "slurm", "slurm profile",
    }  # fmt: skip
    assert checks["dataset lspet"]["verdict"] == "skipped"
    assert sorted(path for path in sound.results.parent.rglob("*")) == before, "nothing is left behind"


# Planted faults

Plant = Callable[[Installation, pytest.MonkeyPatch], object]


def other_version(package: str, found: str | None) -> Plant:
    """A package in another version, or missing."""

    def version(name: str) -> str:
        if name != package:
            return installed_version(name)
        if found is None:
            raise PackageNotFoundError(name)
        return found

    return lambda _, monkeypatch: monkeypatch.setattr("bench.doctor.machine_checks.version", version)


def old_python(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.10.2")


def other_warp(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV samples one step of its grid beside."""

    def warp(image: Any, matrix: Any, size: tuple[int, int]) -> Any:
        beside = matrix + np.array([[0, 0, 1 / 32], [0, 0, 0]])
        return cv2.warpAffine(image, beside, (size[1], size[0]), flags=cv2.INTER_LINEAR)

    monkeypatch.setattr("bench.pose.geometry.warp", warp)


def crashing_opencv(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.pose.geometry.warp", lambda *_: os.kill(os.getpid(), signal.SIGKILL))


def broken_torch(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.functional.conv2d", lambda *_: torch.full((2, 4, 10, 8), torch.nan))


def gpu_without_cuda(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.planning.jobs.devices", lambda _name: ["cuda:0"])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def no_memory(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "bench.doctor.machine_checks.control_group", lambda *names: ["200000000"] if "memory.max" in names else []
    )


def file_for_results(sound: Installation, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(sound.results)
    sound.results.write_text("a file")


def results_below_a_file(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.results = sound.profile / "results"


def no_room(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(disk_usage=lambda _folder: SimpleNamespace(free=5_000_000))
    monkeypatch.setattr("bench.doctor.results_checks.shutil", usage)


def no_hard_links(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", link)


def no_replacing(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.replace", replace)


def clock_skew(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.results_checks.time", SimpleNamespace(time=lambda: time.time() - 3600))


def corrupt_record(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.record.write_bytes(sound.record.read_bytes()[:100])


def tampered_record(sound: Installation, _: pytest.MonkeyPatch) -> None:
    document = json.loads(sound.record.read_text())
    document["spec"]["flip_test"] = not document["spec"]["flip_test"]
    sound.record.write_text(json.dumps(document))


def older_record(sound: Installation, _: pytest.MonkeyPatch) -> None:
    """A training whose spec has a field less, and the id that the schema before gave it."""
    document = json.loads(Store(sound.results).training(sound.training).record_file.read_text())
    del document["spec"]["precision"]
    canonical = json.dumps(document["spec"] | {"schema": 1}, sort_keys=True, separators=(",", ":"))
    document["id"] = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    write_json(Store(sound.results).training(document["id"]).record_file, document)


def file_for_data(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.data = sound.profile


def no_boxes(sound: Installation, _: pytest.MonkeyPatch) -> None:
    (sound.data / "crowdpose" / "annotations" / "det_for_crowd_test_0.1_0.5.json").unlink()


def broken_boxes(sound: Installation, _: pytest.MonkeyPatch) -> None:
    (sound.data / "crowdpose" / "annotations" / "det_for_crowd_test_0.1_0.5.json").write_text('[{"bbox": 1}]')


def no_json(sound: Installation, _: pytest.MonkeyPatch) -> None:
    (sound.data / "mpii" / "annot" / "train.json").write_text("<html>sign in to download</html>")


def no_annotations(sound: Installation, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(sound.data / "mpii" / "annot")


def no_images(sound: Installation, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(sound.data / "mpii" / "images")


def some_image_missing(sound: Installation, _: pytest.MonkeyPatch) -> None:
    (sound.data / "coco" / "images" / "train2017" / "102.png").unlink()


def broken_image(sound: Installation, _: pytest.MonkeyPatch) -> None:
    image = sound.data / "coco" / "images" / "train2017" / "102.png"
    image.write_bytes(image.read_bytes()[:100])


def truncated_pixels(sound: Installation, _: pytest.MonkeyPatch) -> None:
    (pixels,) = (sound.data / "crowdpose" / "packed" / "test").glob("*.pixels")
    os.truncate(pixels, pixels.stat().st_size - 1)


def wrong_weights(sound: Installation, _: pytest.MonkeyPatch) -> None:
    (weights,) = (sound.data / "imagenet").iterdir()
    weights.write_bytes(b"other weights")


def changed_annotations(sound: Installation, _: pytest.MonkeyPatch) -> None:
    file = sound.data / "coco" / "annotations" / "person_keypoints_train2017.json"
    file.write_bytes(file.read_bytes() + b"\n")


def mistaken_profile(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.profile.write_text(PROFILE.replace("partition", "partitoin"))


def unknown_partition(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.profile.write_text(PROFILE.replace("short", "shrot"))


def failing_sinfo(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.command("sinfo", "echo 'Unable to contact slurm controller' >&2; exit 1")


def hanging_sinfo(sound: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    sound.command("sinfo", "exec sleep 600")
    monkeypatch.setattr(scheduler, "PATIENCE_SECONDS", 0.1)


FAULTS: Sequence[tuple[Plant, str, str, str]] = (
    (other_version("opencv-python-headless", "5.0.0"), "packages", "headless 5.0.0, allowed <5,>=4.10", "pip install"),
    (
        other_version("torch", "2.4.1"),
        "packages",
        "torch 2.4.1, allowed <2.14,>=2.11",
        "pip install 'torch<2.14,>=2.11'",
    ),
    (other_version("scipy", None), "packages", "scipy not installed", "pip install 'scipy"),
    (old_python, "python", "3.10.2, allowed <3.15,>=3.11", "virtual environment"),
    (other_warp, "opencv", "pixels of a warp differ from OpenCV 4's", "opencv-python-headless>=4.10,<5"),
    (crashing_opencv, "opencv", "ended its process: SIGKILL", "opencv-python-headless>=4.10,<5"),
    (broken_torch, "torch", "a convolution on cpu is off by nan", "pip install"),
    (gpu_without_cuda, "gpus", "1 here, but torch", "--device cpu"),
    (no_memory, "memory", "0.2 GB, limit 0.2 GB", "more memory"),
    (file_for_results, "results folder", "results is not a folder", "--results"),
    (results_below_a_file, "results folder", "profile.yaml is not a folder", "--results"),
    (no_replacing, "results folder", "Invalid cross-device link", "--results"),
    (no_room, "results room", "0.0 GB free", "make room"),
    (no_hard_links, "results leases", "Operation not permitted", "shared file system"),
    (clock_skew, "results leases", "3600 s ahead", "NTP"),
    (corrupt_record, "results records", "record.json is not valid JSON", "remove that file"),
    (tampered_record, "results records", "record.json: its spec has id", "remove that file"),
    (
        older_record,
        "results records",
        f"its spec is of schema 1, this version of bench reads schema {SCHEMA_VERSION}",
        "version of bench",
    ),
    (file_for_data, "data root", "profile.yaml is not a folder", "--data-root"),
    (no_boxes, "dataset crowdpose", "det_for_crowd_test_0.1_0.5.json is missing", "bench data prepare crowdpose"),
    (broken_boxes, "dataset crowdpose", "box 0: needs image_id", "bench data prepare crowdpose"),
    (no_json, "dataset mpii", "train.json: not valid JSON", "bench data prepare mpii"),
    (no_annotations, "dataset mpii", "no annot/SPLIT.json of any split", "bench data prepare mpii"),
    (no_images, "dataset mpii", "images is not a folder", "bench data prepare mpii"),
    (some_image_missing, "dataset coco", "102.png: No such file", "bench data prepare coco"),
    (broken_image, "dataset coco", "102.png: ", "bench data prepare coco"),
    (truncated_pixels, "dataset crowdpose", "bytes instead of", "bench data pack crowdpose test"),
    (wrong_weights, "imagenet weights", "its sha256 is", "then get it again"),
    (changed_annotations, "recorded data", "person_keypoints_train2017.json has sha256", "put the right file back"),
    (mistaken_profile, "slurm profile", "did you mean 'partition'?", "correct the profile"),
    (unknown_partition, "slurm profile", "there is no 'shrot' (did you mean 'short'?)", "name one of long, short"),
    (failing_sinfo, "slurm", "Unable to contact slurm controller", "scontrol ping"),
    (hanging_sinfo, "slurm", "sinfo gave no answer", "scontrol ping"),
)


@pytest.mark.parametrize(("plant", "name", "found", "fix"), FAULTS)
def test_a_planted_fault_is_found(
    plant: Plant, name: str, found: str, fix: str, sound: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone is found, by the name of the check, with what to do."""
    plant(sound, monkeypatch)
    result = sound.call("--json")
    assert result.exit_code == 1, result.output
    document = json.loads(result.stdout)
    assert document["passed"] is False
    faults = {check["name"]: check for check in document["checks"] if check["verdict"] == "failed"}
    assert list(faults) == [name], faults
    assert found in faults[name]["found"]
    assert fix in faults[name]["fix"]


def test_instances_read_the_advice_below_the_fault(sound: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    no_boxes(sound, monkeypatch)
    result = sound.call()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    (row,) = (number for number, line in enumerate(lines) if line.startswith("failed"))
    assert "dataset crowdpose" in lines[row]
    assert lines[row + 1].strip().startswith("-> `bench data prepare crowdpose")
    assert ", 1 failed, " in lines[-1]


def test_wrong_usage_ends_2() -> None:
    assert CliRunner().invoke(app, ["doctor", "--no-such-option"]).exit_code == 2


def test_the_command_needs_no_package_but_typer(tmp_path: Path) -> None:
    """Typer needs pydantic. Without the others it starts, ends 1 and says what is missing."""
    hidden = "import sys; sys.modules.update(dict.fromkeys(['scipy', 'yaml', 'numpy', 'tabulate', 'torch', 'rich']))"
    code = f"{hidden}; sys.argv = ['bench', 'doctor', '--json']; from bench.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "torch" in checks["torch"]["found"]
    assert "pip install" in checks["torch"]["fix"]
