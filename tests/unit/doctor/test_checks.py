"""Single checks of the doctor, and that one that fails takes no other with it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.checks import (
    Check,
    CheckFailedError,
    CheckOutcome,
    CheckWarning,
    NotApplicableError,
    raise_together,
    run_check,
    run_checks,
)
from bench.doctor import data_checks, machine_checks, results_checks, slurm_checks
from bench.doctor.isolation import run_isolated
from bench.pose.errors import DataError
from bench.pose.machine import control_group
from bench.store.provenance import CodeIdentity
from tests.unit.doctor.conftest import Installation

ADVICE = "do something"


def test_checks_that_fail_crash_or_hang_take_no_other_with_them() -> None:
    def raises(error: Exception) -> Callable[[], str]:
        def look() -> str:
            raise error

        return look

    def hang() -> str:
        signal.pause()
        raise AssertionError

    def chatter() -> str:
        print("what a library says")
        return "well"

    looks = (
        raises(DataError("x.json: no such file")),
        raises(ZeroDivisionError("division by zero")),
        raises(ModuleNotFoundError("No module named 'x'")),
        lambda: os._exit(3),
        hang,
        lambda: os.kill(os.getpid(), signal.SIGTERM),
        raises(NotApplicableError("nothing there")),
        chatter,
    )
    checks = [Check(str(n), "", look, ADVICE, seconds=1 if look is hang else 60) for n, look in enumerate(looks)]
    outcomes = list(run_isolated(checks))
    assert [outcome.name for outcome in outcomes] == [check.name for check in checks]
    assert [outcome.found for outcome in outcomes] == [
        "x.json: no such file",
        "ZeroDivisionError: division by zero",
        "ModuleNotFoundError: No module named 'x'",
        "the check ended its process: exit status 3",
        "no answer within 1 s",
        "the check ended its process: SIGTERM",
        "nothing there",
        "well",
    ]
    assert [outcome.verdict for outcome in outcomes] == ["failed"] * 6 + ["skipped", "ok"]
    assert [outcome.fix == ADVICE for outcome in outcomes] == [True, True, False, True, True, True, False, False]


def test_a_machine_without_room_for_a_process_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)
    outcomes = list(run_isolated([Check("one", "", lambda: "well"), Check("other", "", lambda: "well")]))
    assert [outcome.found for outcome in outcomes] == [
        "no process can be started: Resource temporarily unavailable"
    ] * 2


def test_problems_of_one_check_have_the_gravest_verdict() -> None:
    raise_together([])
    several = [CheckWarning("b", "fix b"), *(CheckFailedError(str(n), "fix it") for n in range(6))]
    outcome = run_check(Check("x", "", lambda: raise_together(several) or ""))
    assert outcome == CheckOutcome("x", "", "failed", "0\n1\n2\n3\n4\nand 2 more", "fix it")
    assert run_check(Check("x", "", lambda: raise_together(several[:1]) or "")).verdict == "warning"


# What is no failure


def outcomes_of(checks: list[Check]) -> dict[str, CheckOutcome]:
    return {outcome.name: outcome for outcome in run_checks(checks)}


def test_a_folder_to_be_made_is_no_failure_and_is_not_made(tmp_path: Path) -> None:
    found = outcomes_of(results_checks.CHECKS.of(tmp_path / "not" / "yet"))
    assert found["folder"].verdict == found["leases"].verdict == "ok"
    assert found["records"].verdict == "skipped"
    assert not list(tmp_path.iterdir())


def test_missing_locks_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.store.leases._lock", lambda _descriptor: False)
    found = outcomes_of(results_checks.CHECKS.of(tmp_path))["leases"]
    assert (found.verdict, found.found) == ("warning", "no locks: a killed job is taken over after 120 s only")


def test_an_absent_data_root_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)  # a package may contain ImageNet weights
    found = outcomes_of([*data_checks.ROOT.of(tmp_path / "absent"), *data_checks.DATASET.of("coco", tmp_path / "coco")])
    assert [outcome.verdict for outcome in found.values()] == ["warning", "skipped", "skipped"]


def test_entries_left_out_are_a_warning(sound: Installation) -> None:
    file = sound.data / "mpii" / "annot" / "train.json"
    instances = json.loads(file.read_text())
    instances[2]["scale"] = 0
    file.write_text(json.dumps(instances))
    found = outcomes_of(data_checks.DATASET.of("mpii", sound.data / "mpii"))["dataset"]
    assert found.verdict == "warning"
    assert "1 entries are unusable and left out" in found.found


def test_changes_of_the_code_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, verdict in ((("f" * 40, True), "warning"), (("f" * 40, False), "ok"), ((None, None), "ok")):
        known = CodeIdentity(commit=told[0], dirty=told[1], package="ab" * 32)
        monkeypatch.setattr("bench.store.provenance.code_identity", lambda known=known: known)
        assert machine("code").verdict == verdict
    assert machine("code").found == "package abababababab"


def test_a_machine_without_slurm(sound: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert [one.verdict for one in run_checks(slurm_checks.CHECKS.of(None))] == ["skipped", "skipped"]
    assert [one.verdict for one in run_checks(slurm_checks.CHECKS.of(sound.profile))] == ["skipped", "warning"]


def test_a_cluster_without_accounting(sound: Installation) -> None:
    sound.command("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    found = outcomes_of(slurm_checks.CHECKS.of(None))["slurm"]
    assert found.verdict == "ok"
    assert "partitions long, short; without accounting" in found.found


# The machine


def machine(name: str) -> CheckOutcome:
    (check,) = (check for check in machine_checks.CHECKS.of() if check.name == name)
    return run_check(check)


def test_a_gpu_that_cannot_compute_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that works, one whose kernels do not fit, one that is hidden."""

    def convolve(device: torch.device) -> None:
        if device.index == 1:
            raise RuntimeError("CUDA error: no kernel image is available\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr("bench.planning.jobs.devices", lambda _name: ["cuda:0", "cuda:1", "cuda:2"])
    monkeypatch.setattr("bench.doctor.machine_checks._convolve", convolve)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _device: (9e9, 10e9))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _device: "A GPU")
    found = machine("gpus")
    assert found.verdict == "failed"
    assert found.found.splitlines() == [
        "cuda:1: CUDA error: no kernel image is available",
        "cuda:2: hidden from torch",
    ]


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        ({"/job/memory.max": "4000", "/job/step/memory.max": "max"}, ["max", "4000"]),
        ({"/memory/job/memory.max": "2000"}, ["2000"]),
    ],
)
def test_limits_of_control_groups(contents: dict[str, str], found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the second version, and of the first, whose controllers have folders of their own."""
    first = "/memory/job/memory.max" in contents
    files = {f"/sys/fs/cgroup{name}": text for name, text in contents.items()}
    files["/proc/self/cgroup"] = "4:memory:/job\n3:cpu,cpuacct:/\n" if first else "0::/job/step\n"
    monkeypatch.setattr(Path, "exists", lambda path: str(path) in files)
    monkeypatch.setattr(Path, "is_file", lambda path: str(path) in files)
    monkeypatch.setattr(Path, "read_text", lambda path, **_: files[str(path)])
    assert list(control_group("memory.max", "memory" if first else "")) == found


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    monkeypatch.setattr("bench.doctor.machine_checks.control_group", lambda *_: ["max 100000", "150000 100000"])
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    found = machine("cores")
    assert found.verdict == "warning"
    assert "4 cores, but a limit of 1.5" in found.found
    assert "--threads 1" in found.fix
    assert "unset OMP_NUM_THREADS" in found.fix


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.machine_checks.control_group", lambda *_: ["2000000000"])
    assert machine("memory").found.endswith("2.0 GB, limit 2.0 GB")
    assert machine("memory").verdict == "warning"


@pytest.mark.parametrize(
    ("instructions", "seconds", "verdict", "says"),
    [
        ("avx512_bf16", {"float32": 0.2, "bfloat16": 0.1}, "ok", "avx512_bf16: 2.0 times as fast"),
        ("avx512_bf16", {"float32": 0.1, "bfloat16": 0.2}, "skipped", "they take 2.0 times as long"),
        ("", {}, "skipped", "precision=bfloat16 would be slower"),
    ],
)
def test_what_bfloat16_would_gain(
    instructions: str, seconds: dict[str, float], verdict: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_checks, "bfloat16_instructions", lambda: instructions)
    monkeypatch.setattr(machine_checks, "_seconds_of_convolutions", seconds.get)
    found = machine("bfloat16")
    assert found.verdict == verdict
    assert says in found.found


def test_convolutions_are_timed_in_both_precisions() -> None:
    assert machine_checks._seconds_of_convolutions("float32") > 0
    assert machine_checks._seconds_of_convolutions("bfloat16") > 0
