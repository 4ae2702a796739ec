"""Provenance of results: code, versions, hardware, data, and the command that makes them again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bench.extensions import sources_of_results
from bench.pose.machine import gpu_models, processor

SNAPSHOT_FILE = "snapshot.json"
"""File beside a copy of this package with the commit and dirty state of the original checkout."""

PACKAGES = ("bench", "torch", "torchvision", "numpy", "opencv-python-headless", "pycocotools", "hotcoco")


class Provenance(BaseModel):
    """How a result was made.

    Attributes:
        commit: commit of the code; None outside a git checkout.
        dirty: whether the checkout had changes; None outside one.
        versions: versions of Python and of the packages that decide numbers.
        hardware: see `describe_hardware`.
        files: sha256 of each annotation and box file read, by name.
        seed: seed of the training.
        command: command line that makes the result again.
        started: start time, seconds since the epoch.
        extensions: sha256 of the code of each extension package that affects results, by package name.
        pixels: source of the crops' pixels, which does not change them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    hardware: dict[str, str | int]
    files: dict[str, str]
    seed: int
    command: str
    started: float
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
    commit, dirty = checkout()
    return Provenance(
        commit=commit,
        dirty=dirty,
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
def checkout() -> tuple[str | None, bool | None]:
    """Commit and dirty state of the checkout that holds this package or that it was copied from; None without one."""
    folder = Path(__file__).parents[2]
    snapshot = folder / SNAPSHOT_FILE
    if snapshot.exists():
        origin = json.loads(snapshot.read_text(encoding="utf-8"))
        return origin["commit"], origin["dirty"]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
