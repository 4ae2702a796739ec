"""A full disk, one that cannot be written, and folders that are not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.faults.conftest import Bench, Fault, environment


def fill(disk: Path, leave: str) -> str:
    return f"dd if=/dev/zero of={disk}/filler bs=64k status=none 2>/dev/null; truncate --size=-{leave} {disk}/filler"


@pytest.mark.faults
def test_a_disk_that_fills_up_at_every_kind_of_file(bench: Bench, small_disk: Path, undisturbed: str) -> None:
    """One training on and on, whose disk is full at another file each time."""
    bench = replace(bench, results=small_disk / "results")
    for name, leave, stored in (
        (".checkpoint.pt.", "64K", True),
        (".checkpoint.pt.", "0", False),
        (".weights.pt.", "64K", True),
        (".training.json.", "0", False),
        (".predictions.json.", "0", False),
        (".record.json.", "0", False),
    ):
        said = bench("run", ends=1, fault=Fault(fill(small_disk, leave), name, times=3 if "checkpoint" in name else 1))
        wanted = f"{name.strip('.')}: No space left on device"
        assert wanted in said, said
        if stored:
            assert wanted in bench.failure()["message"]
            assert wanted in bench("status")
        else:
            assert "could not be stored" in said
            assert "failure.json: No space left on device" in said
        assert not list(bench.results.rglob(f"*{name}*.partial")), "no half file is left"
        (small_disk / "filler").unlink()
    bench("run")
    assert bench.weights() == undisturbed


@pytest.mark.faults
def test_a_full_disk_for_a_log_a_report_and_packed_images(
    bench: Bench, small_disk: Path, data_root: Path, undisturbed: str
) -> None:
    data = small_disk / "data"
    shutil.copytree(data_root, data)
    bench = replace(bench, results=small_disk / "results", data_root=data)
    subprocess.run(fill(small_disk, "0"), shell=True, check=True)
    options = ("synthetic", "train48", "--data-root", data)
    said = command("data", "pack", *options, ends=3)
    assert "packed/train48: No space left on device" in said or "GB are to be written; set a --budget" in said
    assert "No space left on device" in command("data", "synthesize", "train24", "--data-root", data, ends=3)
    assert "0 MB are free" in bench("run", ends=3), "it looks before it starts"
    (small_disk / "filler").unlink()

    said = command("data", "pack", *options, ends=3, fault=Fault(fill(small_disk, "64K"), ".pixels.partial"))
    assert f"error: {data}/synthetic/packed/train48: No space left on device" in said
    assert not list(data.rglob("0*.pixels"))
    (small_disk / "filler").unlink()
    command("data", "pack", *options)
    bench("run", fault=Fault(f"{fill(small_disk, '0')}; echo lost; rm {small_disk}/filler", ".checkpoint.pt."))
    assert bench.weights() == undisturbed, "a log that cannot be written stops nothing"
    subprocess.run(fill(small_disk, "0"), shell=True, check=True)
    said = bench("report", "--out", small_disk / "reports", ends=3)
    assert "error: cannot write" in said
    assert "No space left on device" in said
    (small_disk / "filler").unlink()
    bench("report", "--out", small_disk / "reports")


def command(*arguments: object, ends: int = 0, fault: Fault | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(fault),
    )
    assert done.returncode == ends, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.faults
def test_results_that_become_read_only(bench: Bench, small_disk: Path, undisturbed: str) -> None:
    """Before a run, where they are on a disk that is mounted so, and in the midst of one."""
    bench = replace(bench, results=small_disk / "results")
    training = f"{bench.results}/trainings/*"
    read_only = f"mount --bind {training} {training} && mount -o remount,bind,ro {training}"
    said = bench("run", ends=1, fault=Fault(read_only, ".checkpoint.pt.", times=4))
    assert "checkpoint.pt: Read-only file system; that could not be stored: cannot write" in said
    assert bench("status"), "which only reads"
    said = bench("run", ends=1)
    assert f"cannot take the lease of {bench.training()}: Read-only file system; that could not be stored" in said
    subprocess.run(["umount", bench.training()], check=True)
    assert (bench.training() / "checkpoint.pt").exists()
    bench("run")
    assert bench.weights() == undisturbed


@pytest.fixture
def ordinary() -> list[str]:
    """The start of a command for a process for which mode bits count, whoever runs the tests."""
    program = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    tried = subprocess.run([*program, "true"], capture_output=True, text=True, check=False) if program else None
    if tried and tried.returncode:
        pytest.skip(f"root cannot do without its privileges here: {tried.stderr.strip()}")
    return program


@pytest.mark.faults
def test_results_and_data_without_permission(
    bench: Bench, tmp_path: Path, data_root: Path, undisturbed: str, ordinary: list[str]
) -> None:
    bench = replace(bench, data_root=tmp_path / "data")
    shutil.copytree(data_root, bench.data_root)
    bench.results.mkdir(mode=0o500)
    said = bench("run", ends=1, prefix=ordinary)
    assert f"cannot take the lease of {bench.results}" in said
    assert "Permission denied; that could not be stored" in said
    bench.results.chmod(0o700)

    annotations = bench.data_root / "synthetic" / "annotations"
    annotations.chmod(0)
    said = bench("run", ends=1, prefix=ordinary)
    assert f"FAILED: DataError: {bench.data_root}/synthetic: Permission denied" in said
    annotations.chmod(0o700)

    lock = Fault(f"chmod 500 {bench.results}/trainings/*", ".checkpoint.pt.", times=4)
    said = bench("run", ends=1, prefix=ordinary, fault=lock)
    assert "checkpoint.pt: Permission denied; that could not be stored" in said
    bench.training().chmod(0o700)
    bench("run", prefix=ordinary)
    assert bench.weights() == undisturbed


def test_a_file_in_the_place_of_the_results(bench: Bench) -> None:
    bench.results.write_text("a file")
    for command in ("run", "status"):
        said = bench(command, ends=3)
        assert f"{bench.results}" in said
        assert "Not a directory" in said
