"""Checks of Python, packages, processors, memory and GPUs."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from bench import DISTRIBUTION
from bench.checks import (
    INSTALL,
    CheckFailedError,
    CheckList,
    CheckWarning,
    NotApplicableError,
    raise_together,
    require,
)
from bench.pose.machine import available_memory, bfloat16_instructions, control_group, shared_memory, usable_cores

if TYPE_CHECKING:
    import torch

    from bench.pose.precision import Precision

GIGA = 1e9
ENOUGH_MEMORY, SOME_MEMORY, SHARED_MEMORY = 4 * GIGA, 1 * GIGA, 1 * GIGA
"""Bytes: ample memory for the quickstart, the minimum, and shared memory for loader processes."""

UNLIMITED = 1 << 60
"""Bytes from which control groups v1 mean "no limit"."""

TOLERANCE = 1e-2
"""Relative; GPUs may multiply in TensorFloat-32."""

INSTALL_OPENCV = (
    "remove every opencv-* package from this environment, then install the one that the project asks for:"
    " python -m pip install 'opencv-python-headless>=4.10,<5'"
)

CHECKS = CheckList()


@CHECKS.check(INSTALL)
def python() -> str:
    """The project allows this version."""
    import platform

    from packaging.specifiers import SpecifierSet

    found, allowed = platform.python_version(), metadata(DISTRIBUTION)["Requires-Python"]
    if not SpecifierSet(allowed).contains(found, prereleases=True):
        fix = f"make a virtual environment with a Python {allowed} and install anew"
        raise CheckFailedError(f"{found}, allowed {allowed}", fix)
    return found


@CHECKS.check(INSTALL)
def packages() -> str:
    """All packages have versions that the project allows."""
    from packaging.requirements import Requirement

    needed = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    problems = []
    for one in needed:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            found = "not installed"
        if found == "not installed" or not one.specifier.contains(found, prereleases=True):
            problem = f"{one.name} {found}, allowed {one.specifier or 'any'}"
            problems.append(CheckFailedError(problem, f"python -m pip install '{one.name}{one.specifier}'"))
    raise_together(problems)
    return f"{len(needed)} packages"


@CHECKS.check("install it again")
def code() -> str:
    """Results will name the code that made them."""
    from bench.store.provenance import code_identity

    found = code_identity()
    if found.dirty:
        raise CheckWarning(found.short_code, "commit them before a run whose results are to be kept")
    return found.short_code


@CHECKS.check(INSTALL)
def torch_() -> str:
    """Torch computes on the processor, and torchvision fits it."""
    import torch

    from bench.pose.torchvision_shim import torchvision_models

    _convolve(torch.device("cpu"))
    torchvision_models()
    return f"torch {torch.__version__}, torchvision {version('torchvision')}, {torch.get_num_threads()} threads"


@CHECKS.check(INSTALL_OPENCV)
def opencv() -> str:
    """Its bilinear warp rounds as OpenCV 4 does."""
    import cv2
    import numpy as np
    import torch

    from bench.pose import geometry
    from bench.pose.data.pixels.sampling import Sources, sample

    image = np.random.default_rng(0).integers(0, 256, (61, 47, 3), dtype=np.uint8)
    matrix = geometry.affine_matrix((23.4, 29.1), (0.21, 0.21), 17.3, (64, 48))
    inverse = torch.tensor(cv2.invertAffineTransform(matrix))[None]
    begin, height, width = (torch.tensor([value]) for value in (0, *image.shape[:2]))
    sources = Sources(begin, height, width, torch.zeros(1, dtype=torch.bool), inverse)
    expected = sample(torch.tensor(image).flatten(), sources, (64, 48)).numpy()[0]
    differing = int((geometry.warp(image, matrix, (64, 48)) != expected).any(axis=-1).sum())
    require(not differing, f"{cv2.__version__}: {differing:,} of {64 * 48:,} pixels of a warp differ from OpenCV 4's")
    return cv2.__version__


@CHECKS.check("python -m pip install --force-reinstall --no-cache-dir pycocotools")
def pycocotools() -> str:
    """Its compiled part fits this numpy."""
    import numpy as np
    from pycocotools import mask

    area = int(mask.area(mask.encode(np.ones((2, 3), dtype=np.uint8, order="F"))))
    require(area == 6, f"a mask of 6 pixels has an area of {area}")
    return version("pycocotools")


@CHECKS.check("see /proc/self/cgroup and /sys/fs/cgroup")
def cores() -> str:
    """There are enough for the threads."""
    usable = usable_cores()
    quotas = [text.split() for text in control_group("cpu.max")]
    limit = min((int(quota) / int(period) for quota, period in quotas if quota != "max"), default=usable)
    problems = []
    if limit < usable:
        fix = f"give `bench run` --threads {max(int(limit), 1)}, or lift the limit"
        problems.append(CheckWarning(f"{usable} cores, but a limit of {limit:.1f} (control group)", fix))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        asked = os.environ.get(name, "")
        if asked.isdigit() and int(asked) > usable:
            problems.append(CheckWarning(f"{name}={asked} with {usable} usable cores", f"unset {name}"))
    raise_together(problems)
    return f"{usable} of {os.cpu_count()} usable"


@CHECKS.check()
def bfloat16() -> str:
    """Convolutions in bfloat16 are faster on this processor than in float32."""
    instructions = bfloat16_instructions()
    if not instructions:
        raise NotApplicableError("the processor has no instructions for it; precision=bfloat16 would be slower")
    gain = _seconds_of_convolutions("float32") / _seconds_of_convolutions("bfloat16")
    if gain < 1:
        raise NotApplicableError(f"they take {1 / gain:.1f} times as long in spite of {instructions}")
    return f"{instructions}: {gain:.1f} times as fast; --set precision=bfloat16 is part of the identity of trainings"


@CHECKS.check("end other programs, lift the limit of the control group, or ask for more memory")
def memory() -> str:
    """There is enough memory and shared memory."""
    texts = [*control_group("memory.max"), *control_group("memory.limit_in_bytes", "memory")]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < UNLIMITED]
    room = min([available_memory(), *limits])
    found = f"{room / GIGA:.1f} GB" + (f", limit {min(limits) / GIGA:.1f} GB" if limits else "")
    require(room >= SOME_MEMORY, found)
    if room < ENOUGH_MEMORY:
        raise CheckWarning(found)
    shared = shared_memory()
    if shared is not None and shared < SHARED_MEMORY:
        size = f"{shared / GIGA:.2f} GB of shared memory in /dev/shm"
        raise CheckWarning(size, "raise it (docker run --shm-size 2g), or run with --workers 0")
    return found


@CHECKS.check("see nvidia-smi, or run with --device cpu", seconds=180)
def gpus() -> str:
    """Each GPU is visible, computes, and has free memory."""
    import torch

    from bench.planning.jobs import devices

    names = [name for name in devices("auto") if name.startswith("cuda")]
    if not names and torch.backends.mps.is_available():
        _convolve(torch.device("mps"))
        return "mps: Apple's GPU, for --device mps"
    if not names:
        raise NotApplicableError("no GPU found; everything runs on the processor")
    if not torch.cuda.is_available():
        fix = "unset CUDA_VISIBLE_DEVICES, install a build of torch with CUDA that the driver (nvidia-smi) supports"
        problem = f"{len(names)} here, but torch {torch.__version__} cannot use them"
        raise CheckFailedError(problem, f"{fix}, or run with --device cpu")
    visible = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    found, problems = [], []
    for name in visible:
        try:
            found.append(_gpu(torch.device(name)))
        except CheckFailedError as error:
            problems.append(error)
    if hidden := [name for name in names if name not in visible]:
        fix = "name the others with --device, or see CUDA_VISIBLE_DEVICES"
        problems.append(CheckWarning(f"{', '.join(hidden)}: hidden from torch", fix))
    raise_together(problems)
    return "\n".join(found)


def _seconds_of_convolutions(precision: Precision) -> float:
    """The shortest time of a layer as in HRNet and ResNet-50, of a few tries on the processor."""
    import time

    import torch

    from bench.pose.precision import autocast

    images = torch.ones(16, 256, 16, 16)
    layer = torch.nn.Conv2d(256, 256, 3, padding=1)
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        with torch.no_grad(), autocast(precision, images.device):
            layer(images)
        times.append(time.perf_counter() - begin)
    return min(times)


def _gpu(device: torch.device) -> str:
    import torch

    try:
        _convolve(device)
        free, total = torch.cuda.mem_get_info(device)
    except (RuntimeError, CheckFailedError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        fix = "see nvidia-smi: it may be in use, broken, or too old or new for this torch"
        raise CheckFailedError(f"{device}: {first}", fix) from error
    found = f"{device} {torch.cuda.get_device_name(device)}: {free / GIGA:.1f} of {total / GIGA:.1f} GB free"
    if free < total / 2:
        raise CheckWarning(found, "end other programs on it (nvidia-smi lists them)")
    return found


def _convolve(device: torch.device) -> None:
    """Compute a small convolution. Raises `CheckFailedError` if the result is wrong."""
    import torch

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 8, 12, 10, generator=generator)
    weights = torch.randn(4, 8, 3, 3, generator=generator)
    found = torch.nn.functional.conv2d(images.to(device), weights.to(device)).cpu().double()
    windows = images.double().unfold(2, 3, 1).unfold(3, 3, 1)
    expected = torch.einsum("bchwij,ocij->bohw", windows, weights.double())
    error = float((found - expected).abs().max() / expected.abs().max())
    require(error < TOLERANCE, f"a convolution on {device} is off by {error:.2g} of its largest value")
