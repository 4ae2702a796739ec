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
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.doctor.check import Check, Finding, merged, ok, skipped, warning
from bench.doctor.cluster import Cluster
from bench.doctor.data import DataRoot
from bench.doctor.examination import examine
from bench.doctor.limits import core_limit, memory_limit
from bench.doctor.machine import cores, gpus
from bench.doctor.machine import memory as memory_check
from bench.doctor.results import ResultsFolder
from bench.execute.slurm import scheduler
from bench.files import sha256, write_json
from bench.pose import checkpoints
from bench.pose.checkpoints import ImageNetFile
from bench.pose.errors import DataError
from bench.pose.torchvision_shim import torchvision_models
from bench.store import Store
from tests.unit.suites import example_evaluation, example_training
from tests.unit.test_store import evaluation_record, training_record
from tests.unit.tiny_datasets import coco_test_dev, crowdpose, mpii

ADVICE = "do something"
PARTITIONS = "echo long; echo short"
PROFILE = "partition: short\ntime: 60\n"


@dataclass
class Installation:
    """Folders of a sound one."""

    data: Path
    results: Path
    profile: Path
    commands: Path
    training: str
    evaluation: str

    def call(self, *options: str) -> Result:
        folders = ["--data-root", str(self.data), "--results", str(self.results), "--profile", str(self.profile)]
        return CliRunner().invoke(app, ["doctor", *folders, *options])

    def command(self, name: str, script: str) -> None:
        file = self.commands / name
        file.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        file.chmod(0o755)

    @property
    def record(self) -> Path:
        return Store(self.results).evaluation(self.evaluation).record_file


@pytest.fixture(scope="module", autouse=True)
def imports() -> None:
    """What checks import takes a second; processes that this one forks have it already."""
    torchvision_models()
    import_module("bench.execute.training")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("doctor") / "data"
    crowdpose(root / "crowdpose")
    mpii(root / "mpii")
    coco_test_dev(root / "coco")
    (root / "imagenet").mkdir()
    (root / "imagenet" / "small.pth").write_bytes(b"weights")
    packed = CliRunner().invoke(app, ["data", "pack", "crowdpose", "test", "--data-root", str(root), "--workers", "1"])
    assert packed.exit_code == 0, packed.output
    return root


@pytest.fixture
def sound(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Three datasets, one of them packed, an ImageNet classifier, a training with an evaluation, and a cluster."""
    root = tmp_path / "data"
    shutil.copytree(data, root)  # with the times of modification, which packed photographs know
    weights = root / "imagenet" / "small.pth"
    name = f"small-{sha256(weights)[:8]}.pth"
    weights.rename(root / "imagenet" / name)
    monkeypatch.setattr(checkpoints, "IMAGENET_FILES", {"simba_res18": ImageNetFile(name)})

    training = example_training(tmp_path)
    evaluation = example_evaluation(tmp_path)
    store = Store(tmp_path / "results")
    annotations = root / "coco" / "annotations" / "person_keypoints_train2017.json"
    made = training_record(training)
    made["provenance"]["files"] = {annotations.name: sha256(annotations)}
    write_json(store.training(training.id).record_file, made)
    write_json(store.evaluation(evaluation.id).record_file, evaluation_record(evaluation, training))

    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE)
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    made_here = Installation(root, tmp_path / "results", profile, commands, training.id, evaluation.id)
    for command, script in (("sbatch", ""), ("sinfo", PARTITIONS), ("sacct", "")):
        made_here.command(command, script)
    return made_here


def test_a_sound_installation(sound: Installation) -> None:
    before = sorted(path for path in sound.results.parent.rglob("*"))
    result = sound.call("--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0, document
    assert document.keys() == {"healthy", "checks"}
    assert document["healthy"] is True
    checks = {check["name"]: check for check in document["checks"]}
    assert len(checks) == len(document["checks"]), "names differ"
    assert all(check.keys() == {"name", "verdict", "found", "mend"} for check in checks.values())
    assert all(check["found"] for check in checks.values())
    assert all(bool(check["mend"]) == (check["verdict"] in {"warning", "fault"}) for check in checks.values())
    looked_at = {name for name, check in checks.items() if check["verdict"] == "ok"}
    assert looked_at >= {
        "python", "packages", "torchvision", "opencv", "torch", "results folder", "results leases", "results clock",
        "results records", "data root", "dataset coco", "dataset crowdpose", "dataset mpii", "imagenet weights",
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

    return lambda _, monkeypatch: monkeypatch.setattr("bench.doctor.software.version", version)


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
    monkeypatch.setattr("bench.execute.local.devices", lambda _name: ["cuda:0"])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def no_memory(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.limits.memory_limit", lambda: 200_000_000)


def file_for_results(sound: Installation, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(sound.results)
    sound.results.write_text("a file")


def results_below_a_file(sound: Installation, _: pytest.MonkeyPatch) -> None:
    sound.results = sound.profile / "results"


def no_room(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(disk_usage=lambda _folder: SimpleNamespace(free=5_000_000))
    monkeypatch.setattr("bench.doctor.results.shutil", usage)


def no_hard_links(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", link)


def no_replacing(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.replace", replace)


def clock_skew(_: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.results.time", SimpleNamespace(time=lambda: time.time() - 3600))


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
    (other_version("torch", "2.4.1"), "packages", "torch 2.4.1, allowed ==2.13.0", "pip install 'torch==2.13.0'"),
    (other_version("scipy", None), "packages", "scipy not installed", "pip install 'scipy"),
    (old_python, "python", "3.10.2, allowed <3.12,>=3.11", "virtual environment"),
    (other_warp, "opencv", "pixels of a warp differ from OpenCV 4's", "opencv-python-headless>=4.10,<5"),
    (crashing_opencv, "opencv", "took its process down: SIGKILL", "opencv-python-headless>=4.10,<5"),
    (broken_torch, "torch", "a convolution on cpu is off by nan", "pip install"),
    (gpu_without_cuda, "gpus", "1 here, but torch", "--device cpu"),
    (no_memory, "memory", "0.2 GB available, limit 0.2 GB", "more memory"),
    (file_for_results, "results folder", "results is no folder", "--results"),
    (results_below_a_file, "results folder", "profile.yaml is no folder", "--results"),
    (no_replacing, "results folder", "Invalid cross-device link", "--results"),
    (no_room, "results room", "0.0 GB free", "make room"),
    (no_hard_links, "results leases", "Operation not permitted", "shared file system"),
    (clock_skew, "results clock", "3600 s ahead", "NTP"),
    (corrupt_record, "results records", "record.json is not valid JSON", "remove that file"),
    (tampered_record, "results records", "record.json: its spec has id", "remove that file"),
    (older_record, "results records", "training.json: of schema 1; this version reads schema 2", "version of bench"),
    (file_for_data, "data root", "profile.yaml is no folder", "--data-root"),
    (no_boxes, "dataset crowdpose", "det_for_crowd_test_0.1_0.5.json is missing", "bench data prepare crowdpose"),
    (broken_boxes, "dataset crowdpose", "box 0: needs image_id", "bench data prepare crowdpose"),
    (no_json, "dataset mpii", "train.json: not valid JSON", "bench data prepare mpii"),
    (no_annotations, "dataset mpii", "no annot/SPLIT.json of any split", "bench data prepare mpii"),
    (no_images, "dataset mpii", "images is not a folder", "bench data prepare mpii"),
    (some_image_missing, "dataset coco", "102.png is missing", "bench data prepare coco"),
    (truncated_pixels, "dataset crowdpose", "bytes instead of", "bench data pack crowdpose test"),
    (wrong_weights, "imagenet weights", "its sha256 is", "get it from"),
    (changed_annotations, "recorded data", "person_keypoints_train2017.json has sha256", "put the right file back"),
    (mistaken_profile, "slurm profile", "did you mean 'partition'?", "correct the profile"),
    (unknown_partition, "slurm profile", "there is no 'shrot' (did you mean 'short'?)", "name one of long, short"),
    (failing_sinfo, "slurm", "Unable to contact slurm controller", "scontrol ping"),
    (hanging_sinfo, "slurm", "sinfo gave no answer", "scontrol ping"),
)


@pytest.mark.parametrize(("plant", "name", "found", "mend"), FAULTS)
def test_a_planted_fault_is_found(
    plant: Plant, name: str, found: str, mend: str, sound: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone is found, by the name of the check, with what to do."""
    plant(sound, monkeypatch)
    result = sound.call("--json")
    assert result.exit_code == 1, result.output
    document = json.loads(result.stdout)
    assert document["healthy"] is False
    faults = {check["name"]: check for check in document["checks"] if check["verdict"] == "fault"}
    assert list(faults) == [name], faults
    assert found in faults[name]["found"]
    assert mend in faults[name]["mend"]


def test_people_read_the_advice_below_the_fault(sound: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    no_boxes(sound, monkeypatch)
    result = sound.call()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    (row,) = (number for number, line in enumerate(lines) if line.startswith("fault"))
    assert "dataset crowdpose" in lines[row]
    assert lines[row + 1].strip().startswith("-> `bench data prepare crowdpose")
    assert ", 1 fault, " in lines[-1]


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
    assert "pip install" in checks["torch"]["mend"]


# Examining


def test_checks_that_fail_crash_or_hang_take_no_other_with_them() -> None:
    def raises(error: Exception) -> Callable[[], Finding]:
        def look() -> Finding:
            raise error

        return look

    def hang() -> Finding:
        signal.pause()
        raise AssertionError

    def chatter() -> Finding:
        print("what a library says")
        return ok("well")

    looks = (
        raises(DataError("x.json: no such file")),
        raises(ZeroDivisionError("division by zero")),
        raises(ModuleNotFoundError("No module named 'x'")),
        lambda: os._exit(3),
        hang,
        lambda: os.kill(os.getpid(), signal.SIGTERM),
        chatter,
    )
    examination = examine(
        [Check(str(n), look, ADVICE, seconds=1 if look is hang else 60) for n, look in enumerate(looks)]
    )
    findings = [diagnosis.finding for diagnosis in examination.diagnoses]
    assert [finding.found for finding in findings] == [
        "x.json: no such file",
        "ZeroDivisionError: division by zero",
        "ModuleNotFoundError: No module named 'x'",
        "the check took its process down: exit status 3",
        "no answer within 1 s",
        "the check took its process down: SIGTERM",
        "well",
    ]
    assert [finding.verdict for finding in findings] == ["fault"] * 6 + ["ok"]
    assert [finding.mend == ADVICE for finding in findings] == [True, True, False, True, True, True, False]
    assert not examination.healthy
    assert examination.counts == {"fault": 6, "ok": 1}


def test_a_machine_without_room_for_a_process_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)
    found = examine([Check("one", lambda: ok("well"), ADVICE), Check("other", lambda: ok("well"), ADVICE)])
    told = [diagnosis.finding.found for diagnosis in found.diagnoses]
    assert told == ["no process can be started: Resource temporarily unavailable"] * 2


def test_merged_findings_have_the_gravest_verdict() -> None:
    assert merged([], "nothing wrong") == ok("nothing wrong")
    several = [ok("a"), warning("b", "mend b"), *(Finding("fault", str(n), "mend it") for n in range(6))]
    found = merged(several, "")
    assert found == Finding("fault", "0\n1\n2\n3\n4\nand 3 more", "mend it")


# What is no fault


def test_a_folder_to_be_made_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "not" / "yet")
    verdicts = {check.name: check.look().verdict for check in results.checks()}
    assert verdicts["results folder"] == verdicts["results leases"] == "ok"
    assert verdicts["results records"] == "skipped"
    assert not list(tmp_path.iterdir())


def test_missing_locks_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.leases._lock", lambda _descriptor: False)
    found = ResultsFolder(tmp_path).leases()
    assert (found.verdict, found.found) == ("warning", "no locks: a killed job is taken over after 120 s only")


def test_an_absent_data_root_is_a_warning(tmp_path: Path) -> None:
    verdicts = [check.look().verdict for check in DataRoot(tmp_path / "absent").checks()]
    assert verdicts == ["warning", *["skipped"] * 6]


def test_entries_left_out_are_a_warning(sound: Installation) -> None:
    file = sound.data / "mpii" / "annot" / "train.json"
    people = json.loads(file.read_text())
    people[2]["scale"] = 0
    file.write_text(json.dumps(people))
    (check,) = (check for check in DataRoot(sound.data).checks() if check.name == "dataset mpii")
    found = check.look()
    assert found.verdict == "warning"
    assert "1 entries make no sense and are left out" in found.found


def test_no_checkout_and_changes_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.doctor.software import code

    for told, verdict in (((None, None), "warning"), (("f" * 40, True), "warning"), (("f" * 40, False), "ok")):
        monkeypatch.setattr("bench.provenance.checkout", lambda told=told: told)
        assert code().verdict == verdict


def test_a_machine_without_slurm(sound: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert Cluster(None).answers() == skipped("no sbatch on the PATH; everything runs on this machine")
    assert Cluster(None).fits().verdict == "skipped"
    assert Cluster(sound.profile).fits().verdict == "warning"


def test_a_cluster_without_accounting(sound: Installation) -> None:
    sound.command("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    found = Cluster(None).answers()
    assert found.verdict == "ok"
    assert "partitions long, short; without accounting" in found.found


# The machine


def test_a_gpu_that_cannot_compute_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that works, one whose kernels do not fit, one that is hidden."""

    def convolve(device: torch.device) -> None:
        if device.index == 1:
            raise RuntimeError("CUDA error: no kernel image is available\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr("bench.execute.local.devices", lambda _name: ["cuda:0", "cuda:1", "cuda:2"])
    monkeypatch.setattr("bench.doctor.machine._convolve", convolve)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _device: (9e9, 10e9))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _device: "A GPU")
    found = gpus()
    assert found.verdict == "fault"
    assert found.found.splitlines() == [
        "cuda:1: CUDA error: no kernel image is available",
        "cuda:2: hidden from torch",
        "cuda:0 A GPU: 9.0 of 10.0 GB free",
    ]


def test_limits_of_control_groups(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is core_limit(tmp_path) is None
    second = tmp_path / "second"
    for name, text in {
        "proc/self/cgroup": "0::/job/step\n",
        "sys/fs/cgroup/job/memory.max": "4000\n",
        "sys/fs/cgroup/job/step/memory.max": "max\n",
        "sys/fs/cgroup/job/step/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/job/cpu.max": "max 100000\n",
    }.items():
        _put(second / name, text)
    assert (memory_limit(second), core_limit(second)) == (4000, 1.5)
    first = tmp_path / "first"
    for name, text in {
        "proc/self/cgroup": "4:memory:/job\n3:cpu,cpuacct:/\n1:name=systemd:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "2000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }.items():
        _put(first / name, text)
    assert (memory_limit(first), core_limit(first)) == (2000, None)


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    monkeypatch.setattr("bench.doctor.limits.core_limit", lambda: 1.5)
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    found = cores()
    assert found.verdict == "warning"
    assert "4 cores, but the time of 1.5 only" in found.found
    assert "--threads 1" in found.mend
    assert "unset OMP_NUM_THREADS" in found.mend


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.limits.memory_limit", lambda: 2_000_000_000)
    monkeypatch.setattr("bench.doctor.machine._available", lambda: 50e9)
    assert memory_check().found.startswith("2.0 GB available, limit 2.0 GB")
    assert memory_check().verdict == "warning"
