"""Python, the packages, the code, and whether the compiled ones compute what they should."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from bench.doctor.check import INSTALL, Check, Finding, fault, merged, ok, warning

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["CHECKS"]

INSTALL_OPENCV = (
    "remove every opencv-* package from this environment, then install the one that the project asks for:"
    " python -m pip install 'opencv-python-headless>=4.10,<5'"
)


def python() -> Finding:
    """The interpreter, against the versions that the project allows."""
    import platform

    from packaging.specifiers import SpecifierSet

    found, allowed = platform.python_version(), metadata("bench")["Requires-Python"]
    if SpecifierSet(allowed).contains(found, prereleases=True):
        return ok(found)
    return fault(f"{found}, allowed {allowed}", f"make a virtual environment with a Python {allowed} and install anew")


def packages() -> Finding:
    """Every package that the project needs, against the versions that it allows."""
    from packaging.requirements import Requirement

    needed = [Requirement(text) for text in requires("bench") or ()]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return merged(_unmet(needed), f"{len(needed)} at allowed versions")


def _unmet(needed: list[Requirement]) -> Iterator[Finding]:
    for one in needed:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            found = "not installed"
        else:
            if one.specifier.contains(found, prereleases=True):
                continue
        allowed = str(one.specifier) or "any"
        yield fault(f"{one.name} {found}, allowed {allowed}", f"python -m pip install '{one.name}{one.specifier}'")


def torchvision() -> Finding:
    """Whether torchvision's networks can be had beside this torch."""
    from bench.pose.torchvision_shim import torchvision_models

    models = torchvision_models()
    return ok(f"{models.__name__} of {version('torchvision')} beside torch {version('torch')}")


def opencv() -> Finding:
    """Whether OpenCV's bilinear warp rounds as that of OpenCV 4 does, which decides every pixel of every crop."""
    import cv2
    import numpy as np
    import torch

    from bench.pose import geometry
    from bench.pose.data.pixels.sampling import Sources, sample

    image = np.random.default_rng(0).integers(0, 256, (61, 47, 3), dtype=np.uint8)
    matrices = np.stack(
        [geometry.affine_matrix((23.4, 29.1), (0.21, 0.21), angle, (64, 48)) for angle in (0.0, 17.3, -141.9)]
    )
    inverses = np.stack([cv2.invertAffineTransform(matrix) for matrix in matrices])
    begins, heights, widths = (torch.full((len(matrices),), value) for value in (0, *image.shape[:2]))
    sources = Sources(begins, heights, widths, torch.zeros(len(matrices), dtype=torch.bool), torch.tensor(inverses))
    expected = sample(torch.tensor(image).flatten(), sources, (64, 48)).numpy()
    crops = np.stack([geometry.warp(image, matrix, (64, 48)) for matrix in matrices])
    differing = int((crops != expected).any(axis=-1).sum())
    if differing:
        pixels = f"{differing:,} of {crops[..., 0].size:,} pixels of a warp differ from OpenCV 4's"
        return fault(f"{cv2.__version__}: {pixels}", INSTALL_OPENCV)
    return ok(f"{cv2.__version__} warps to the bit as it should")


def code() -> Finding:
    """Whether results will say which code made them."""
    from bench.store.provenance import checkout

    commit, dirty = checkout()
    if commit is None:
        advice = "run `git status` beside the code and do as it says" if shutil.which("git") else "install git"
        return warning("git tells of no commit: results will not say which code made them", f"{advice}, or clone anew")
    if dirty:
        return warning(f"commit {commit[:12]} with changes", "commit them before a run whose results are to be kept")
    return ok(f"commit {commit[:12]}")


CHECKS = (
    Check("python", python, INSTALL),
    Check("packages", packages, INSTALL),
    Check("code", code, "put the whole checkout in place again: git clone"),
    Check("torchvision", torchvision, INSTALL),
    Check("opencv", opencv, INSTALL_OPENCV),
)
"""What needs nothing but the environment."""
