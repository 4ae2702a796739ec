"""What the machine tells, with and without Linux; memory that tensors free; the path of child processes."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.pose import machine

CODE = """
import resource, sys, torch
from bench.pose.machine import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def work():
    held = [torch.empty(5 * 2**20).fill_(1) for _ in range(4)]
for _ in range(5):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""The library's settings at first; those that it finds by itself later depend on what lies between the tensors."""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", CODE, how]
    done = subprocess.run(command, env=os.environ | GIVES_BACK, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_pages_are_not_asked_for_again() -> None:
    assert page_faults("kept") < 1000 < page_faults("left")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the kernel's files, device files, and what only Linux has in `os`."""
    monkeypatch.setattr(machine, "KERNEL", tmp_path / "proc")
    monkeypatch.setattr(machine, "DEVICES", tmp_path / "dev")
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    machine.kernel_id.cache_clear()


@pytest.mark.usefixtures("bare")
def test_what_a_machine_without_linux_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setattr("socket.gethostname", lambda: "mac.local")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert machine.usable_cores() == 8
    assert machine.processor() == "arm64"
    assert machine.kernel_id() == "mac.local"
    assert machine.available_memory() > 1e8
    assert (machine.gpu_count(), machine.gpu_models(), machine.shared_memory()) == (0, "", None)
    assert machine.bfloat16_instructions() == ""
    assert list(machine.control_group("memory.max")) == []
    machine.kernel_id.cache_clear()


@pytest.mark.usefixtures("bare")
def test_macos_is_asked_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"machdep.cpu.brand_string": "Apple M1", "kern.bootsessionuuid": "B00T"}
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("subprocess.run", lambda words, **_: subprocess.CompletedProcess(words, 0, told[words[-1]]))
    assert (machine.processor(), machine.kernel_id()) == ("Apple M1", "B00T")
    assert not machine.forks_safely()
    machine.kernel_id.cache_clear()


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_tile", "amx_bf16"),
        ("flags\t\t: fpu avx512f avx512_bf16", "avx512_bf16"),
        ("Features\t: fp asimd bf16", "bf16"),
        ("flags\t\t: fpu avx512f", ""),
    ],
)
def test_instructions_for_bfloat16(told: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "KERNEL", tmp_path)
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{told}\nbogomips\t: 1\n")
    assert machine.bfloat16_instructions() == found


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    machine.keep_freed_memory()


def test_children_get_the_path_of_this_process_without_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = str(Path(bench.__file__).parents[1])
    library = str(Path(os.__file__).parent)
    monkeypatch.setattr("sys.path", ["", str(tmp_path), "/extra", library, "/packages"])
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    with machine.safe_children():
        assert os.environ["PYTHONPATH"] == f"/extra:{package}"
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert os.environ["PYTHONPATH"] == "/mine"
    assert "PYTHONSAFEPATH" not in os.environ
    monkeypatch.chdir(package)  # a checkout that is not installed
    monkeypatch.setattr("sys.path", ["", package, library])
    with machine.safe_children():
        assert os.environ["PYTHONPATH"] == package
    monkeypatch.setattr("site.getsitepackages", lambda: [package])  # a wheel
    monkeypatch.setattr("sys.path", ["/bin", library, package])
    with machine.safe_children():
        assert os.environ["PYTHONPATH"] == "/bin"
