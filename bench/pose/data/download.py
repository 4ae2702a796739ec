"""Resumable, checked downloads, unpacked inside their folder only."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.pose.errors import DataError

__all__ = ["Download", "DownloadError", "fetch", "unpack"]

CHECKSUM = re.compile("sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32}")

CHUNK = 1 << 20
TIMEOUT = 30.0
"""Seconds without a byte after which a connection is given up."""

TRIES = 5
"""Times that a connection may break without having brought a byte."""

PAUSE = 1.0
"""Seconds before the second try, twice as many before each further one."""

PARTIAL = ".partial"

Watch = Callable[[int, int], object]


class DownloadError(DataError):
    """A file that could not be had."""


@dataclass(frozen=True)
class Download:
    """A file somewhere else.

    Attributes:
        url: http or https.
        size: in bytes.
        checksum: "sha256:HEX" or "md5:HEX"; of a sha256 its first digits are enough.
    """

    url: str
    size: int
    checksum: str

    @property
    def name(self) -> str:
        """File name."""
        return PurePosixPath(self.url).name


def fetch(download: Download, target: Path, *, watch: Watch = lambda _done, _total: None, pause: float = PAUSE) -> None:
    """Make the file be there, whole and checked; what an interrupted call got is kept and completed by the next.

    Args:
        download: what to get.
        target: takes its name at once when everything is right.
        watch: hears the number of bytes that are there, and of all.
        pause: seconds before a second try.

    Raises:
        DownloadError: there is no checksum, no connection, the server has another file, or the checksum differs.
    """
    if not download.url.startswith(("http://", "https://")):
        raise DownloadError(f"{download.url}: only http and https are fetched")
    if not CHECKSUM.fullmatch(download.checksum):
        raise DownloadError(f"{download.url}: checksum {download.checksum!r}: expected sha256:HEX or md5:HEX")
    if target.is_file() and target.stat().st_size == download.size and _matches(target, download.checksum):
        return
    partial = target.with_name(f".{target.name}{PARTIAL}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if partial.exists() and partial.stat().st_size > download.size:
        partial.unlink()
    _complete(download, partial, watch, pause)
    if not _matches(partial, download.checksum):
        partial.unlink()
        raise DownloadError(
            f"{download.url}: what came has another checksum than {download.checksum}; it was removed, try again"
        )
    partial.replace(target)


def _complete(download: Download, partial: Path, watch: Watch, pause: float) -> None:
    """Add to the partial file until it has the size, over as many connections as that takes."""
    failures = 0
    while (done := partial.stat().st_size if partial.exists() else 0) < download.size:
        try:
            _receive(download, partial, done, watch)
        except urllib.error.HTTPError as error:
            raise DownloadError(f"{download.url}: the server answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            got = partial.stat().st_size if partial.exists() else 0
            failures = 0 if got > done else failures + 1
            if failures >= TRIES:
                reason = getattr(error, "reason", None) or error
                raise DownloadError(
                    f"{download.url}: no connection ({reason}); {got:,} of {download.size:,} bytes are here, and the"
                    " same command goes on from there"
                ) from error
            time.sleep(pause * 2 ** max(failures - 1, 0))


def _receive(download: Download, partial: Path, done: int, watch: Watch) -> None:
    """One connection: append what it brings, or start over if the server knows no ranges."""
    request = urllib.request.Request(download.url, headers={"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        start = done if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        span = response.headers.get("Content-Range", "")
        if start and not span.startswith(f"bytes {start}-"):
            raise DownloadError(f"{download.url}: asked for bytes from {start}, the server sends {span or 'others'}")
        length = response.headers.get("Content-Length")
        if length is not None and start + int(length) != download.size:
            raise DownloadError(
                f"{download.url}: the server has {start + int(length):,} bytes, expected {download.size:,}"
            )
        with partial.open("ab" if start else "wb") as file:
            while chunk := response.read(CHUNK):
                if file.tell() + len(chunk) > download.size:
                    raise DownloadError(f"{download.url}: the server sends more than {download.size:,} bytes")
                file.write(chunk)
                watch(file.tell(), download.size)
        if partial.stat().st_size < download.size:
            raise ConnectionError(f"the connection ended after {partial.stat().st_size:,} bytes")


def _matches(file: Path, checksum: str) -> bool:
    algorithm, _, expected = checksum.partition(":")
    with file.open("rb") as contents:
        return hashlib.file_digest(contents, algorithm).hexdigest().startswith(expected)


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip file and return its number of files; members that are there in their size are left alone.

    Raises:
        DataError: not a sound zip file, or a member would leave the folder or is a link; then nothing is written.
    """
    try:
        with zipfile.ZipFile(archive) as contents:
            members = [member for member in contents.infolist() if not member.is_dir()]
            targets = [_target(archive, member, folder.resolve()) for member in members]
            for member, target in zip(members, targets, strict=True):
                if not (target.is_file() and target.stat().st_size == member.file_size):
                    _unpack_member(contents, member, target)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive}: not a sound zip file ({error})") from error
    return len(members)


def _target(archive: Path, member: zipfile.ZipInfo, folder: Path) -> Path:
    """Where a member goes."""
    target = Path(os.path.realpath(folder / member.filename))
    if not target.is_relative_to(folder) or target == folder:
        raise DataError(f"{archive}: member {member.filename!r} leaves the folder")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise DataError(f"{archive}: member {member.filename!r} is a link")
    return target


def _unpack_member(contents: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}{PARTIAL}")
    with contents.open(member) as source, temporary.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
    temporary.replace(target)
