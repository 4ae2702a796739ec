"""Single checks of the doctor, and that one that fails takes no other with it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.doctor.check import Check, Finding, merged, ok, skipped, warning
from bench.doctor.cluster import Cluster
from bench.doctor.data import DataRoot
from bench.doctor.examination import examine
from bench.doctor.limits import core_limit, memory_limit
from bench.doctor.machine import cores, gpus
from bench.doctor.machine import memory as memory_check
from bench.doctor.results import ResultsFolder
from bench.pose.errors import DataError
from tests.unit.doctor.conftest import Installation

ADVICE = "do something"


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
    assert [finding.fix == ADVICE for finding in findings] == [True, True, False, True, True, True, False]
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
    several = [ok("a"), warning("b", "fix b"), *(Finding("fault", str(n), "fix it") for n in range(6))]
    found = merged(several, "")
    assert found == Finding("fault", "0\n1\n2\n3\n4\nand 3 more", "fix it")


# What is no fault


def test_a_folder_to_be_made_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "not" / "yet")
    verdicts = {check.name: check.look().verdict for check in results.checks()}
    assert verdicts["results folder"] == verdicts["results leases"] == "ok"
    assert verdicts["results records"] == "skipped"
    assert not list(tmp_path.iterdir())


def test_missing_locks_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.store.leases._lock", lambda _descriptor: False)
    found = ResultsFolder(tmp_path).leases()
    assert (found.verdict, found.found) == ("warning", "no locks: a killed job is taken over after 120 s only")


def test_an_absent_data_root_is_a_warning(tmp_path: Path) -> None:
    verdicts = [check.look().verdict for check in DataRoot(tmp_path / "absent").checks()]
    assert verdicts == ["warning", *["skipped"] * 6]


def test_entries_left_out_are_a_warning(sound: Installation) -> None:
    file = sound.data / "mpii" / "annot" / "train.json"
    instances = json.loads(file.read_text())
    instances[2]["scale"] = 0
    file.write_text(json.dumps(instances))
    (check,) = (check for check in DataRoot(sound.data).checks() if check.name == "dataset mpii")
    found = check.look()
    assert found.verdict == "warning"
    assert "1 entries make no sense and are left out" in found.found


def test_no_checkout_and_changes_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.doctor.software import code

    for told, verdict in (((None, None), "warning"), (("f" * 40, True), "warning"), (("f" * 40, False), "ok")):
        monkeypatch.setattr("bench.store.provenance.checkout", lambda told=told: told)
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

    monkeypatch.setattr("bench.planning.jobs.devices", lambda _name: ["cuda:0", "cuda:1", "cuda:2"])
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
    assert "--threads 1" in found.fix
    assert "unset OMP_NUM_THREADS" in found.fix


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.limits.memory_limit", lambda: 2_000_000_000)
    monkeypatch.setattr("bench.doctor.machine._available", lambda: 50e9)
    assert memory_check().found.startswith("2.0 GB available, limit 2.0 GB")
    assert memory_check().verdict == "warning"
