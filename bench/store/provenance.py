"""Provenance of results: code, versions, hardware, data, and the command that makes them again."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import re
import subprocess
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bench import DISTRIBUTION
from bench.extensions import content_hash, sources_of_results
from bench.files import StoreError, load_document
from bench.pose.machine import gpu_models, processor

SNAPSHOT_FILE = "snapshot.json"
"""File beside a copy of this package with the `CodeIdentity` of the original."""

PACKAGES = (DISTRIBUTION, "torch", "torchvision", "timm", "numpy", "opencv-python-headless", "pycocotools", "hotcoco")

VERSION = re.compile(r"^__version__(?:: *str)? *= *['\"]([^'\"]+)['\"]", re.MULTILINE)
"""The line of a package's `version.py` that has its version and build."""


LAST = 253_402_300_799
"""The last second of the year 9999, in seconds since the epoch: calendars go no further."""

SHORT = 12
"""Characters of a commit or hash that tell it from others."""


class CodeIdentity(BaseModel):
    """Which bench made a result.

    Attributes:
        commit: commit of the checkout that tracks the package, or that it was installed from; None if there is none.
        dirty: whether the checkout had changes; None outside one.
        package: sha256 of all files of the package; None in results of earlier versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    commit: str | None = None
    dirty: bool | None = None
    package: str | None = None

    @property
    def code(self) -> str:
        """The code in words: its commit, or else the hash of the package."""
        if self.commit is not None:
            return f"commit {self.commit}{' with uncommitted changes' if self.dirty else ''}"
        return f"package with sha256 {self.package}" if self.package else "outside a checkout"

    @property
    def short_code(self) -> str:
        """The same in few characters."""
        changes = " with changes" if self.dirty else ""
        return f"{self.commit[:SHORT]}{changes}" if self.commit else f"package {(self.package or 'unknown')[:SHORT]}"

    def differs(self, other: CodeIdentity) -> bool:
        """Whether it is known that two results were made by different code."""
        if self.package and other.package:
            return self.package != other.package
        return None not in {self.commit, other.commit} and self.commit != other.commit


class Provenance(CodeIdentity):
    """How a result was made.

    Attributes:
        commit: see `CodeIdentity`.
        dirty: see `CodeIdentity`.
        package: see `CodeIdentity`.
        versions: versions of Python and of the packages that decide numbers, with their builds; of CUDA and cuDNN too,
            if torch is built for them.
        hardware: see `describe_hardware`.
        files: sha256 of each annotation, box and ImageNet weights file read, by name.
        seed: seed of the training.
        command: command line that makes the result again.
        started: start time, seconds since the epoch.
        extensions: sha256 of the code of each extension package that affects results, by package name.
        pixels: source of the crops' pixels, which does not change them.
    """

    versions: dict[str, str]
    hardware: dict[str, str | int]
    files: dict[str, str]
    seed: int
    command: str
    started: Annotated[float, Field(ge=0, le=LAST)]
    extensions: dict[str, str] = {}
    pixels: str = "decoded"


def collect(
    *,
    device: str,
    threads: int,
    files: dict[str, str],
    seed: int,
    command: str,
    started: float | None = None,
    workers: int = 0,
    pixels: str = "decoded",
) -> Provenance:
    """Provenance of a result made by this process. Arguments are as in `Provenance`."""
    return Provenance(
        **code_identity().model_dump(),
        versions=_versions(),
        hardware=describe_hardware(device, threads, workers),
        files=files,
        seed=seed,
        command=command,
        started=time.time() if started is None else started,
        extensions=sources_of_results(),
        pixels=pixels,
    )


def describe_hardware(device: str, threads: int, workers: int = 0) -> dict[str, str | int]:
    """Processor, cores, device, torch's threads, processes that load crops, and GPU models if the device is a GPU."""
    hardware: dict[str, str | int] = {
        "processor": processor(),
        "machine": platform.machine(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "workers": workers,
        "device": device,
    }
    return hardware | {"gpu": gpu_models()} if device.startswith("cuda") else hardware


@cache
def code_identity() -> CodeIdentity:
    """The code of this process, as it was when this was first asked."""
    return identify(Path(__file__).parents[1])


def identify(package: Path) -> CodeIdentity:
    """Identity of the bench in a folder.

    Its commit is what git says if it tracks this very package, what stands beside a copy for SLURM, or what the
    installer wrote down, in this order. A repository around it that merely holds an environment says nothing of it.
    """
    digest = content_hash(package)
    commit, dirty = _tracked(package)
    if commit is not None:
        return CodeIdentity(commit=commit, dirty=dirty, package=digest)
    with contextlib.suppress(StoreError):
        snapshot = load_document(package.parent / SNAPSHOT_FILE, CodeIdentity)
        if snapshot is not None and snapshot.package == digest:
            return snapshot
    return CodeIdentity(commit=_installed_from(package), package=digest)


def _tracked(package: Path) -> tuple[str | None, bool | None]:
    """Commit and dirty state of the repository that tracks a package; None without one."""
    # A hook of another repository sets these, which would take the place of the folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package.parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", f"{package.name}/__init__.py")
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _installed_from(package: Path) -> str | None:
    """Commit that a package was installed from, as its installer wrote it down (PEP 610)."""
    try:
        installed = distribution(DISTRIBUTION)
        if Path(str(installed.locate_file(package.name))).resolve() != package.resolve():
            return None  # another copy is installed than the one that runs
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        return str(origin["vcs_info"]["commit_id"])
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None


def _versions() -> dict[str, str]:
    import torch

    versions = {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES}
    cudnn = torch.backends.cudnn.version()
    built_for = {"cuda": torch.version.cuda, "rocm": torch.version.hip, "cudnn": cudnn and str(cudnn)}
    return versions | {name: found for name, found in built_for.items() if found}


def _version(package: str) -> str:
    """Version of a package, with its build where its own file has more to say than its metadata (+cu130)."""
    try:
        found = version(package)
    except PackageNotFoundError:
        return "not installed"
    place = importlib.util.find_spec(package.partition("-")[0])
    with contextlib.suppress(OSError):
        file = Path(place.origin).with_name("version.py") if place is not None and place.origin else None
        own = VERSION.search(file.read_text(encoding="utf-8")) if file is not None else None
        if own is not None and own[1].partition("+")[0] == found:
            return own[1]
    return found
