"""Packing a suite's results into a capsule."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from bench.capsule.manifest import MANIFEST, SUITE, CapsuleError, Manifest, Member, is_member
from bench.files import write_atomically
from bench.planning.plan import Plan
from bench.store.folders import EvaluationFolder, Store
from bench.store.provenance import checkout

__all__ = ["Packed", "pack"]

FIXED_DATE = (2021, 1, 1, 0, 0, 0)
"""Date of every member, so that equal results give equal capsules."""

PLAIN_FILE = 0o100644 << 16
UNIX = 3
LARGE = 2**31
"""Bytes from which a member needs 64-bit sizes."""


@dataclass(frozen=True)
class Packed:
    """What became of an export: the manifest, and how many evaluations are in it."""

    manifest: Manifest
    evaluations: int


def pack(
    plan: Plan, store: Store, out: Path, *, selection: Sequence[str] = (), predictions: bool = True, report: bool = True
) -> Packed:
    """Write a capsule with all finished evaluations of a plan. Equal contents give equal bytes.

    Args:
        plan: of the suite.
        store: its results.
        out: the capsule, a zip file.
        selection: as given on the command line, noted in the manifest.
        predictions: pack them too; without them nothing can be recomputed.
        report: pack the suite's report, which states the time at which it was made.

    Raises:
        CapsuleError: nothing is finished.
        StoreError: a record cannot be read, or the capsule not be written.
    """
    sources, missing, simulated = _gather(plan, store, predictions=predictions)
    evaluations = sum(name.endswith("/record.json") for name in sources)
    if not evaluations:
        raise CapsuleError(f"{store.root}: no evaluation of {plan.suite.name} is finished; there is nothing to export")
    commit, dirty = checkout()
    with tempfile.TemporaryDirectory() as folder:
        sources |= _report(plan, store, Path(folder)) if report else {}
        members: dict[str, Member] = {}

        def describe() -> Manifest:
            return Manifest(
                suite=plan.suite.name,
                selection=list(selection),
                simulated=simulated,
                version=_version(),
                commit=commit,
                dirty=dirty,
                missing=missing,
                members=members,
            )

        def write(file: IO[bytes]) -> None:
            with zipfile.ZipFile(file, "w") as archive:
                for name in sorted(sources):
                    members[name] = _add_file(archive, name, sources[name])
                _add(archive, MANIFEST, io.BytesIO(describe().model_dump_json(indent=2).encode()))

        write_atomically(out, write)
    return Packed(describe(), evaluations)


def _gather(plan: Plan, store: Store, *, predictions: bool) -> tuple[dict[str, Path], dict[str, str], bool]:
    """Files of the finished evaluations by their names in the capsule, what is missing, and whether any is made up."""
    sources, simulated = {SUITE: plan.suite.file}, False
    missing: dict[str, str] = {}
    for training in plan.trainings:
        folder = store.training(training.spec.id)
        for item in training.evaluations:
            evaluation = store.evaluation(item.spec.id)
            record = evaluation.record()
            if record is None or folder.record() is None:
                missing[item.spec.id] = item.state if record is None else "its training has no record"
                continue
            simulated |= record.simulated
            files = [*_training_files(folder.path), *_evaluation_files(evaluation, predictions=predictions)]
            sources |= {file.relative_to(store.root).as_posix(): file for file in files}
    return sources, missing, simulated


def _training_files(folder: Path) -> tuple[Path, Path]:
    return folder / "spec.json", folder / "training.json"


def _evaluation_files(folder: EvaluationFolder, *, predictions: bool) -> Iterator[Path]:
    yield folder.path / "spec.json"
    yield folder.record_file
    optional = (folder.server_file, folder.per_instance, *([folder.predictions] if predictions else []))
    yield from (file for file in optional if file.exists())


def _report(plan: Plan, store: Store, folder: Path) -> dict[str, Path]:
    from bench.report.writer import write_report  # what draws plots takes a second to import

    files = write_report([plan], store, folder)
    return {f"report/{file.relative_to(folder / plan.suite.name).as_posix()}": file for file in files}


def _add_file(archive: zipfile.ZipFile, name: str, file: Path) -> Member:
    assert is_member(name), name
    with file.open("rb") as source:
        return _add(archive, name, source, size=file.stat().st_size)


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes], size: int = 0) -> Member:
    """Copy a file into the archive, whatever its size in little memory."""
    info = zipfile.ZipInfo(name, FIXED_DATE)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, PLAIN_FILE, UNIX
    with archive.open(info, "w", force_zip64=size >= LARGE) as target:
        hashing = _Hashing(target)
        shutil.copyfileobj(source, hashing, 2**20)
    return Member(size=hashing.size, sha256=hashing.digest.hexdigest())


class _Hashing:
    """Passes bytes on, and remembers how many and their hash."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.size += len(data)
        self.digest.update(data)
        return self._target.write(data)


def _version() -> str:
    try:
        return version("bench")
    except PackageNotFoundError:
        return "not installed"
