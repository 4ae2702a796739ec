"""Snapshots of the code: a queued job runs them, even if the checkout changes later. Imports no torch."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.extensions import NO_EXTENSIONS, Extensions, content_hash, place_of, source_files
from bench.files import StoreError, write_json
from bench.store.provenance import SNAPSHOT_FILE, code_identity

ID_LENGTH = 12


def take_snapshot(folder: Path, extensions: Extensions = NO_EXTENSIONS) -> Path:
    """Copy this package and those of extensions into a folder under `folder`, unless it exists already.

    The identity of this package is written beside it.

    Returns:
        The copy's folder, for the front of Python's module path. Its name is a hash of the contents.

    Raises:
        StoreError: it cannot be written.
    """
    packages = {"bench": place_of("bench"), **extensions.packages()}
    target = folder / _combined_hash(packages)
    if target.exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as draft:
            copy = Path(draft) / "code"
            for place in packages.values():
                _copy(place, copy)
            write_json(copy / SNAPSHOT_FILE, code_identity().model_dump())
            if not target.exists():
                copy.rename(target)
    except OSError as error:
        if not target.exists():  # another process may have copied the same code
            raise StoreError(f"cannot copy the code to {target}: {error.strerror or error}") from error
    return target


def _copy(place: Path, target: Path) -> None:
    """Copy a module or a package into a folder."""
    for file in source_files(place):
        copy = target / file.relative_to(place.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _combined_hash(packages: Mapping[str, Path]) -> str:
    hashes = {name: content_hash(place) for name, place in packages.items()}
    return hashlib.sha256(repr((code_identity(), hashes)).encode()).hexdigest()[:ID_LENGTH]
