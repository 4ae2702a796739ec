"""Processors, memory and GPUs: whether they are there, free, and compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.doctor.check import INSTALL, Check, Finding, fault, merged, ok, skipped, warning

if TYPE_CHECKING:
    import torch

__all__ = ["CHECKS"]

GIGA = 1e9
ENOUGH_MEMORY, SOME_MEMORY = 4 * GIGA, 1 * GIGA
"""Bytes: what the quickstart has ample room in, and what nothing runs in."""

SHARED_MEMORY = 1 * GIGA
"""Bytes that processes which load crops pass batches through."""

TOLERANCE = 1e-2
"""Relative; GPUs may multiply in TensorFloat-32."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> Finding:
    """How many there are for this process, and whether something asks for more threads."""
    from bench.doctor.limits import core_limit

    usable, limit = len(os.sched_getaffinity(0)), core_limit()
    return merged(_crowding(usable, limit), f"{usable} of {os.cpu_count()} usable")


def _crowding(usable: int, limit: float | None) -> Iterator[Finding]:
    if limit is not None and limit < usable:
        advice = f"give `bench run` --threads {max(int(limit), 1)}, or lift the limit"
        yield warning(f"{usable} cores, but the time of {limit:.1f} only (control group)", advice)
    for name in THREAD_VARIABLES:
        asked = os.environ.get(name, "")
        if asked.isdigit() and int(asked) > usable:
            yield warning(f"{name}={asked} with {usable} usable cores", f"unset {name}")


def memory() -> Finding:
    """What is free, within the limit of the control group."""
    from bench.doctor.limits import memory_limit

    available, limit = _available(), memory_limit()
    room = available if limit is None else min(available, limit)
    found = f"{room / GIGA:.1f} GB available" + (f", limit {limit / GIGA:.1f} GB" if limit is not None else "")
    return merged(_scarcity(room, found), found)


def _scarcity(room: float, found: str) -> Iterator[Finding]:
    advice = "end what else runs, lift the limit of the control group, or ask for more memory"
    if room < SOME_MEMORY:
        yield fault(found, advice)
    elif room < ENOUGH_MEMORY:
        yield warning(found, advice)
    shared = Path("/dev/shm")
    if shared.is_dir():
        status = os.statvfs(shared)
        size = status.f_blocks * status.f_frsize
        if size < SHARED_MEMORY:
            raise_it = "raise it (docker run --shm-size 2g), or run with --workers 0"
            yield warning(f"{size / GIGA:.2f} GB of shared memory in {shared}", raise_it)


def _available() -> float:
    """Bytes of memory that the system could give."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":") for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024


def torch_cpu() -> Finding:
    """Whether torch computes on the processor."""
    import torch

    _convolve(torch.device("cpu"))
    return ok(f"torch {torch.__version__} computes, {torch.get_num_threads()} threads")


def gpus() -> Finding:
    """Whether each GPU of the machine can be used."""
    import torch

    from bench.planning.jobs import devices

    names = [name for name in devices("auto") if name.startswith("cuda")]
    if not names:
        return skipped("no GPU found; everything runs on the processor")
    if not torch.cuda.is_available():
        return fault(
            f"{len(names)} here, but torch {torch.__version__} cannot use them",
            "unset CUDA_VISIBLE_DEVICES, install a build of torch with CUDA that the driver (nvidia-smi) supports,"
            " or run with --device cpu",
        )
    visible = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    hidden = [name for name in names if name not in visible]
    found = [*(_gpu(torch.device(name)) for name in visible)]
    if hidden:
        advice = "name the others with --device, or see CUDA_VISIBLE_DEVICES"
        found.append(warning(f"{', '.join(hidden)}: hidden from torch", advice))
    return merged(found, "")


def _gpu(device: torch.device) -> Finding:
    import torch

    try:
        _convolve(device)
        free, total = torch.cuda.mem_get_info(device)
        name = f"{device} {torch.cuda.get_device_name(device)}"
    except (RuntimeError, ArithmeticError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return fault(f"{device}: {first}", "see nvidia-smi: it may be in use, broken, or too old or new for this torch")
    found = f"{name}: {free / GIGA:.1f} of {total / GIGA:.1f} GB free"
    return ok(found) if free >= total / 2 else warning(found, "end what else runs on it (nvidia-smi lists it)")


def _convolve(device: torch.device) -> None:
    """A small convolution. Raises `ArithmeticError` if it is not what the definition says."""
    import torch

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 8, 12, 10, generator=generator)
    weights = torch.randn(4, 8, 3, 3, generator=generator)
    found = torch.nn.functional.conv2d(images.to(device), weights.to(device)).double().cpu()
    windows = images.double().unfold(2, 3, 1).unfold(3, 3, 1)
    expected = torch.einsum("bchwij,ocij->bohw", windows, weights.double())
    error = float((found - expected).abs().max() / expected.abs().max())
    if not error < TOLERANCE:  # NaN is no number below
        raise ArithmeticError(f"a convolution on {device} is off by {error:.2g} of its largest value")


CHECKS = (
    Check("cores", cores, "see /proc/self/cgroup and /sys/fs/cgroup"),
    Check("memory", memory, "see /proc/meminfo and /sys/fs/cgroup"),
    Check("torch", torch_cpu, INSTALL),
    Check("gpus", gpus, "see nvidia-smi, or run with --device cpu", seconds=180),
)
"""What needs nothing but the machine."""
