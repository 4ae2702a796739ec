"""What there is: the machine, the packages, and images to measure with."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import bench
from bench.pose.machine import processor, usable_cores
from benchmarks.gpu.checks import Check, NotPossibleError, Setting

PACKAGES = {
    "pydantic": "pydantic",
    "pycocotools": "pycocotools",
    "hotcoco": "hotcoco",
    "fvcore": "fvcore",
    "submitit": "submitit",
    "typst": "typst",
    "timm": "timm",
    "pynvml": "nvidia-ml-py",
}
"""Modules that the machine may lack, and where they come from."""


def checks(setting: Setting, until: float) -> list[Check]:
    """The checks of this part."""
    del until
    return [
        Check("machine", partial(machine, setting), proves=True),
        Check("packages", packages),
        Check("doctor", partial(doctor, setting)),
        Check("drawn images", partial(images, setting), limit=90),
    ]


def machine(setting: Setting) -> Mapping[str, Any]:
    """The hardware, its driver, the versions and the code."""
    return {
        "processor": f"{processor()} x {usable_cores()}",
        "GPU": _gpu(),
        "Python": platform.python_version(),
        "torch": str(torch.__version__),
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        "cuDNN": str(torch.backends.cudnn.version()),
        "code": _code(),
        "device": setting.device,
    }


def _gpu() -> str:
    if not torch.cuda.is_available():
        return "none"
    found = torch.cuda.get_device_properties(0)
    return f"{found.name}, {found.total_memory / 2**30:.0f} GiB, driver {_driver()}, CUDA {torch.version.cuda}"


def _driver() -> str:
    try:
        import pynvml

        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except Exception as error:  # no binding or no driver library: a version is not worth a failure
        return f"unknown ({type(error).__name__})"


def _code() -> str:
    """The commit or, outside a checkout, the hash of the package."""
    try:
        from bench.store.provenance import code_identity

        return code_identity().short_code
    except ImportError:  # without pydantic
        digest = hashlib.sha256()
        for file in sorted(Path(bench.__file__).parent.rglob("*.py")):
            digest.update(file.read_bytes())
        return f"sources {digest.hexdigest()[:12]}"


def packages() -> Mapping[str, Any]:
    """Which packages are missing."""
    missing = [package for module, package in PACKAGES.items() if not _is_there(module)]
    return {"missing": ", ".join(missing) or "none"}


def doctor(setting: Setting) -> Mapping[str, Any]:
    """What `bench doctor` finds wrong. A package that it misses may be one that nothing here needs."""
    command = [sys.executable, "-m", "bench", "doctor", "--json", "--data-root", str(setting.data_root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    if not done.stdout.strip():
        raise NotPossibleError(
            f"exit {done.returncode}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}"
        )
    found = json.loads(done.stdout)["checks"]
    failed = [str(entry["name"]) for entry in found if entry["verdict"] == "failed"]
    return {"exit": done.returncode, "checks": len(found), "failed": ", ".join(failed) or "none"}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def images(setting: Setting) -> Mapping[str, Any]:
    """Draw and pack the images that the other parts use."""
    from benchmarks.gpu.trainings import drawn, require_device  # which need the packages

    require_device(setting)  # without it they serve nobody
    made = drawn(setting)
    return {"instances": len(made.instances), "MB packed": made.packed.bytes / 1e6}
