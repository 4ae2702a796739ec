"""The machine and its platform: what Linux tells in its own way, with a fallback for others, and safe child processes.

Nothing else in bench asks for the platform or reads the kernel's files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import site
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = [
    "available_memory",
    "bfloat16_instructions",
    "control_group",
    "forks_safely",
    "gpu_count",
    "gpu_models",
    "keep_freed_memory",
    "kernel_id",
    "processor",
    "safe_children",
    "shared_memory",
    "usable_cores",
]

KERNEL = Path("/proc")
DEVICES = Path("/dev")

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameter numbers of `mallopt` (malloc.h)."""

MAX_KEPT, MAX_PIECE = 2**31 - 1, 2**25
"""Bytes: most memory to keep, and the largest pieces that the C library is able to keep."""


def usable_cores() -> int:
    """Number of cores that this process may use; where the system does not tell, all of them."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def processor() -> str:
    """Model of the processor, as far as the system tells."""
    lines = _lines(KERNEL / "cpuinfo")
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or _sysctl("machdep.cpu.brand_string") or platform.processor() or platform.machine()


def bfloat16_instructions() -> str:
    """The processor's instructions for products of bfloat16 numbers; "" where it has none, or does not tell."""
    lines = (line for line in _lines(KERNEL / "cpuinfo") if line.startswith(("flags", "Features")))
    flags = next(lines, "").split()
    return next((name for name in ("amx_bf16", "avx512_bf16", "bf16") if name in flags), "")


@cache
def kernel_id() -> str:
    """Identity of the running kernel, the same in every container on it; the machine's name where there is none."""
    boot = _lines(KERNEL / "sys/kernel/random/boot_id")
    return (boot[0].strip() if boot else _sysctl("kern.bootsessionuuid")) or socket.gethostname()


def available_memory() -> int:
    """Bytes of memory for new programs; where the system does not tell, all memory."""
    for line in _lines(KERNEL / "meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def control_group(name: str, controller: str = "") -> Iterator[str]:
    """Contents of a file in this process's control group and its parents; none on other systems than Linux.

    Args:
        name: file name.
        controller: controller of control groups v1; empty for v2.
    """
    for line in _lines(KERNEL / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        group = Path("/sys/fs/cgroup", controller, path.lstrip("/"))
        for folder in (group, *group.parents) if controller in controllers.split(",") else ():
            if (folder / name).is_file():
                yield (folder / name).read_text(encoding="ascii").strip()


def shared_memory() -> int | None:
    """Bytes of shared memory for loader processes; None on systems without such a limit."""
    try:
        found = os.statvfs(DEVICES / "shm")
    except OSError:
        return None
    return found.f_blocks * found.f_frsize


def gpu_count() -> int:
    """Number of this machine's NVIDIA GPUs, by their device files: without importing torch."""
    return len(list(DEVICES.glob("nvidia[0-9]*")))


def gpu_models() -> str:
    """Models of this machine's NVIDIA GPUs, each once, according to the driver's files; empty if unknown."""
    names = set()
    for file in (KERNEL / "driver/nvidia/gpus").glob("*/information"):
        fields = dict(line.partition(":")[::2] for line in _lines(file))
        names.add(fields.get("Model", "").strip())
    return ", ".join(sorted(names - {""}))


def forks_safely() -> bool:
    """Whether a process may be forked after it imported torch: on macOS, Apple's libraries abort then."""
    return platform.system() == "Linux"


def keep_freed_memory() -> None:
    """Have the C library keep memory that tensors free and reuse it for later ones.

    A training step frees and requests the same gigabyte again and again. By default glibc returns it to the kernel,
    which clears every page anew. Does nothing with other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MAX_PIECE)
        mallopt(TRIM_THRESHOLD, MAX_KEPT)


@contextlib.contextmanager
def safe_children() -> Iterator[None]:
    """Within this context, new Python processes import what this one imports, whatever stands in the current folder.

    Otherwise the current folder comes first on their path, as they are started by `python -c`. They find the standard
    library and installed packages by themselves; what this process searches before those is passed on.
    """
    package, here = str(Path(__file__).parents[2]), os.getcwd()
    library = os.path.dirname(os.__file__)
    before = sys.path[: sys.path.index(library)] if library in sys.path else sys.path
    path = [entry for entry in before if entry and (os.path.abspath(entry) != here or entry == package)]
    if package not in {*path, *site.getsitepackages(), site.getusersitepackages()}:
        path.append(package)
    added = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path)}
    if platform.system() == "Darwin":  # what MPS cannot compute, the processor does
        added["PYTORCH_ENABLE_MPS_FALLBACK"] = "1"
    earlier = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in earlier.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _lines(file: Path) -> list[str]:
    """Lines of a file of the kernel; none where it does not exist or may not be read."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _sysctl(name: str) -> str:
    """A value of the kernel of macOS; empty elsewhere."""
    if platform.system() != "Darwin":
        return ""
    try:
        return subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
