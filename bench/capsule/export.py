"""Packing a suite's results into a capsule."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench import __version__
from bench.capsule.crate import make_crate
from bench.capsule.croissant import make_croissant
from bench.capsule.gathering import Gathered, gather
from bench.capsule.manifest import CRATE, CROISSANT, MANIFEST, MODEL_INDEX, CapsuleError, Manifest, Member
from bench.capsule.model_index import make_model_index
from bench.files import write_atomically
from bench.planning.plan import Plan
from bench.store.folders import Store
from bench.store.provenance import code_identity

FIXED_DATE = (2021, 1, 1, 0, 0, 0)
"""Date of every member: equal results give equal capsules."""

PLAIN_FILE = 0o100644 << 16
UNIX = 3
LARGE = 2**31
"""Bytes from which a member needs 64-bit sizes."""


@dataclass(frozen=True)
class Packed:
    """The manifest of an exported capsule and its number of evaluations."""

    manifest: Manifest
    evaluations: int


def pack(
    plan: Plan, store: Store, out: Path, *, selection: Sequence[str] = (), predictions: bool = True, report: bool = True
) -> Packed:
    """Write a capsule with all finished evaluations of a plan. Equal contents give equal bytes.

    Args:
        plan: plan of the suite.
        store: store with its results.
        out: zip file to write.
        selection: selection on the command line, noted in the manifest.
        predictions: pack the predictions, without which nothing can be recomputed.
        report: pack the suite's report, which contains its creation time.

    Raises:
        CapsuleError: no evaluation is finished.
        StoreError: a record cannot be read, or the capsule cannot be written.
    """
    gathered = gather(plan, store, predictions=predictions)
    if not gathered.records:
        raise CapsuleError(f"{store.root}: no evaluation of {plan.suite.name} is finished; there is nothing to export")
    with tempfile.TemporaryDirectory() as folder:
        sources = {**gathered.sources, **(_report(plan, store, Path(folder)) if report else {})}
        members: dict[str, Member] = {}

        def describe() -> Manifest:
            return Manifest(
                suite=plan.suite.name,
                selection=list(selection),
                settings=list(plan.suite.settings),
                simulated=gathered.simulated,
                version=__version__,
                **code_identity().model_dump(),
                missing=dict(gathered.missing),
                members=members,
            )

        def write(file: IO[bytes]) -> None:
            with zipfile.ZipFile(file, "w") as archive:
                for name in sorted(sources):
                    with sources[name].open("rb") as source:
                        members[name] = _add(archive, name, source, size=sources[name].stat().st_size)
                for name, contents in _descriptions(gathered, members):
                    members[name] = _add(archive, name, io.BytesIO(contents))
                _add(archive, MANIFEST, io.BytesIO(describe().model_dump_json(indent=2).encode()))

        write_atomically(out, write)
    return Packed(describe(), len(gathered.records))


def _descriptions(gathered: Gathered, members: Mapping[str, Member]) -> Iterator[tuple[str, bytes]]:
    """Members that describe the others, each once those before it are among `members`."""
    dataset, models = make_croissant(gathered), make_model_index(gathered)
    if dataset is not None:
        yield CROISSANT, _json(dataset)
    if models is not None:
        yield MODEL_INDEX, models
    yield CRATE, _json(make_crate(gathered, members))


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()


def _report(plan: Plan, store: Store, folder: Path) -> dict[str, Path]:
    from bench.report.writer import report_folder, write_report  # slow to import

    files = write_report([plan], store, folder)
    return {f"report/{file.relative_to(folder / report_folder(plan)).as_posix()}": file for file in files}


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes], size: int = 0) -> Member:
    """Copy a file of any size into the archive, in little memory."""
    info = zipfile.ZipInfo(name, FIXED_DATE)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, PLAIN_FILE, UNIX
    digest, written = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=size >= LARGE) as target:
        while chunk := source.read(2**20):
            digest.update(chunk)
            written += target.write(chunk)
    return Member(size=written, sha256=digest.hexdigest())
