"""The code as it was submitted: a queued job runs it, whatever happens in the checkout later. Imports no torch."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import bench
from bench.files import StoreError, write_json
from bench.provenance import SNAPSHOT_FILE, checkout

__all__ = ["take_snapshot"]

ID_LENGTH = 12


def take_snapshot(folder: Path) -> Path:
    """Copy this package, with the commit that it comes from, into a folder under `folder`, unless it is there already.

    Returns:
        The copy's folder, to be put first on the path of modules. Its name is a hash of the contents.

    Raises:
        StoreError: it cannot be written.
    """
    source = Path(bench.__file__).parent
    target = folder / _content_hash(source)
    if target.exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as draft:
            copy = Path(draft) / "code"
            shutil.copytree(source, copy / source.name, ignore=shutil.ignore_patterns("__pycache__"))
            commit, dirty = checkout()
            write_json(copy / SNAPSHOT_FILE, {"commit": commit, "dirty": dirty})
            if not target.exists():
                copy.rename(target)
    except OSError as error:
        if not target.exists():  # somebody else who submits the same code may have been faster
            raise StoreError(f"cannot copy the code to {target}: {error.strerror or error}") from error
    return target


def _content_hash(package: Path) -> str:
    digest = hashlib.sha256(repr(checkout()).encode())
    for file in sorted(file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        digest.update(f"{file.relative_to(package)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:ID_LENGTH]
