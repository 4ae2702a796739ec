"""Reading an untrusted capsule: it is checked completely before use."""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bench.capsule.manifest import MANIFEST, CapsuleError, Manifest, is_member
from bench.files import STORED, printable

DocumentT = TypeVar("DocumentT", bound=BaseModel)

MEBI = 2**20
MOST_OF_DOCUMENT = 64 * MEBI
MOST_OF_MEMBER = 4096 * MEBI
"""Largest size of a document and of any member; predictions on COCO's test-dev take a quarter of that."""

MOST = 256 * 1024 * MEBI
"""Largest size of all members together; reading them takes time only."""

CHUNK = MEBI
MOST_LISTED = 5

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""Exceptions of the library for broken archives."""


@contextlib.contextmanager
def open_capsule(file: Path) -> Iterator[Capsule]:
    """A capsule whose structure and hashes are correct.

    Raises:
        CapsuleError: it is not a zip file, is too large, lacks its manifest, or has a member that does not match the
            manifest, is duplicate, has an unexpected name, or is not a plain file.
    """
    with contextlib.ExitStack() as stack:
        try:
            capsule = Capsule(file, stack.enter_context(zipfile.ZipFile(file)))
        except BROKEN as error:
            raise CapsuleError(f"{file}: not a readable capsule ({error})") from error
        yield capsule


class Capsule:
    """A checked capsule that is open.

    Attributes:
        manifest: description of the contents.
    """

    def __init__(self, file: Path, archive: zipfile.ZipFile) -> None:
        self._file = file
        self._archive = archive
        infos = archive.infolist()
        self._check_members(infos)
        self.manifest = self._load(MANIFEST, Manifest)
        self._check_manifest({info.filename: info.file_size for info in infos if info.filename != MANIFEST})
        self._check_hashes()

    @property
    def evaluations(self) -> list[str]:
        """Ids of the evaluations in it."""
        return self._ids("evaluations")

    @property
    def trainings(self) -> list[str]:
        """Ids of the trainings in it."""
        return self._ids("trainings")

    def __contains__(self, name: str) -> bool:
        return name in self.manifest.members

    def document(self, name: str, kind: type[DocumentT]) -> DocumentT:
        """A validated JSON member. Raises `CapsuleError` if it is missing or something else."""
        if name not in self:
            raise CapsuleError(f"{self._file}: {name} is missing")
        return self._load(name, kind)

    def contents(self, name: str) -> bytes:
        """Contents of a member."""
        return self._archive.read(name)

    def problem(self, message: str) -> CapsuleError:
        """An error about this capsule, to be raised."""
        return CapsuleError(f"{self._file}: {printable(message)}")

    def _ids(self, kind: str) -> list[str]:
        return sorted({name.split("/")[1] for name in self.manifest.members if name.startswith(f"{kind}/")})

    def _check_members(self, infos: Sequence[zipfile.ZipInfo]) -> None:
        for info in infos:
            name = info.orig_filename
            if name != MANIFEST and not is_member(name):
                raise self.problem(f"member {name!r:.200} is not a name of a capsule; it may lead out of its folder")
            if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG} or info.is_dir():
                raise self.problem(f"member {name!r} is not a plain file")
            if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise self.problem(f"member {name!r} is encrypted or has an unsupported compression")
            if info.file_size > MOST_OF_MEMBER:
                raise self.problem(f"member {name!r} says that it has {info.file_size} bytes")
        names = Counter(info.filename for info in infos)
        for name, count in names.items():
            if count > 1:
                raise self.problem(f"member {name!r} is there {count} times")
        if MANIFEST not in names:
            raise self.problem(f"{MANIFEST} is missing; this is not a capsule of `bench export`")
        if sum(info.file_size for info in infos) > MOST:
            raise self.problem("too large")

    def _check_manifest(self, sizes: dict[str, int]) -> None:
        listed = self.manifest.members
        if missing := sorted(listed.keys() - sizes):
            raise self.problem(f"{_some(missing)} is missing")
        if extra := sorted(sizes.keys() - listed):
            raise self.problem(f"{_some(extra)} is not in the manifest")
        wrong = [name for name, size in sizes.items() if size != listed[name].size]
        if wrong:
            raise self.problem(f"{_some(wrong)} has another size than the manifest says")

    def _check_hashes(self) -> None:
        wrong = [name for name, member in self.manifest.members.items() if self._sha256(name) != member.sha256]
        if wrong:
            raise self.problem(f"{_some(wrong)} was changed: its sha256 is not the manifest's")

    def _sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._archive.open(name) as member:
            while chunk := member.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def _load(self, name: str, kind: type[DocumentT]) -> DocumentT:
        if self._archive.getinfo(name).file_size > MOST_OF_DOCUMENT:
            raise self.problem(f"{name} has more than {MOST_OF_DOCUMENT} bytes")
        try:
            return kind.model_validate(self.json(name), context=STORED)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise self.problem(f"{name}: {where}: {first['msg']}") from None

    def json(self, name: str) -> Any:
        """A parsed JSON member. Raises `CapsuleError` if it is not valid JSON."""
        try:
            return json.loads(self.contents(name))
        except (ValueError, RecursionError) as error:
            raise self.problem(f"{name} is not valid JSON ({error})") from error


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + rest
