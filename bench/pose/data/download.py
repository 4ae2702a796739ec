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

from filelock import FileLock

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

BUSY = {408, 429, 500, 502, 503, 504}
"""Answers of servers that may be another one soon."""

PARTIAL = ".partial"

Watch = Callable[[int, int], object]


class DownloadError(DataError):
    """A file that could not be had."""


@dataclass(frozen=True)
class Download:
    """A file somewhere else.

    Attributes:
        url: http or https.
        size: in bytes; None if it is not known beforehand.
        checksum: "sha256:HEX" or "md5:HEX"; of sha256 the first eight digits will do.
    """

    url: str
    size: int | None
    checksum: str

    @property
    def name(self) -> str:
        """File name."""
        return PurePosixPath(self.url).name


def fetch(download: Download, target: Path, *, watch: Watch = lambda _done, _total: None, pause: float = PAUSE) -> None:
    """Make the file be there, whole and checked; what an interrupted call got is kept and completed by the next.

    Proxies are those of the environment (`https_proxy`, `no_proxy`). Of several processes, one downloads.

    Args:
        download: what to get.
        target: takes its name at once when everything is right.
        watch: hears the number of bytes that are there, and of all.
        pause: seconds before a second try.

    Raises:
        DownloadError: there is no checksum, no connection or no room, the server has another file, or the checksum
            differs.
    """
    if not download.url.startswith(("http://", "https://")):
        raise DownloadError(f"{download.url}: only http and https are fetched")
    if not CHECKSUM.fullmatch(download.checksum):
        raise DownloadError(f"{download.url}: checksum {download.checksum!r}: expected sha256:HEX or md5:HEX")
    partial = target.with_name(f".{target.name}{PARTIAL}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = partial.with_suffix(".lock")
        with FileLock(lock):
            if not _is_there(download, target):
                _complete(download, partial, watch, pause)
                _take_over(download, partial, target)
            lock.unlink(missing_ok=True)  # whoever waits for it finds the file
    except OSError as error:
        raise DownloadError(f"{target}: {error.strerror or error}") from error


def _is_there(download: Download, target: Path) -> bool:
    known = target.is_file() and download.size in {None, target.stat().st_size}
    return known and _matches(target, download.checksum)


def _take_over(download: Download, partial: Path, target: Path) -> None:
    """Give the complete file its name, if its checksum is right; otherwise remove it."""
    if not _matches(partial, download.checksum):
        partial.unlink()
        raise DownloadError(
            f"{download.url}: what came has another checksum than {download.checksum}; it was removed, try again"
        )
    partial.replace(target)


def _complete(download: Download, partial: Path, watch: Watch, pause: float) -> None:
    """Add to the partial file until it has the size, over as many connections as that takes."""
    failures = 0
    while (done := _size(partial)) != download.size:
        if download.size is not None and done > download.size:
            partial.unlink()
            continue
        try:
            _receive(download, partial, done, watch)
            return
        except urllib.error.HTTPError as error:
            if done and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if download.size is None and _matches(partial, download.checksum):
                    return  # all of it had come before
                partial.unlink()
                continue
            if error.code not in BUSY:
                raise DownloadError(f"{download.url}: the server answers {error.code} {error.reason}") from error
            failure: Exception = error
        except (OSError, http.client.HTTPException) as error:
            failure = error
        got = _size(partial)
        failures = 0 if got > done else failures + 1
        if failures >= TRIES:
            reason = getattr(failure, "reason", None) or failure
            of = "" if download.size is None else f" of {download.size:,}"
            raise DownloadError(
                f"{download.url}: no connection ({reason}); {got:,}{of} bytes are here, and the same command goes on"
                " from there"
            ) from failure
        time.sleep(pause * 2 ** max(failures - 1, 0))


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _receive(download: Download, partial: Path, done: int, watch: Watch) -> None:
    """One connection: append what it brings, or start over if the server knows no ranges."""
    request = urllib.request.Request(download.url, headers={"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if not response.url.startswith(("http://", "https://")):
            raise DownloadError(f"{download.url}: leads to {response.url}; only http and https are fetched")
        start = done if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        span = response.headers.get("Content-Range", "")
        if start and not span.startswith(f"bytes {start}-"):
            raise DownloadError(f"{download.url}: asked for bytes from {start}, the server sends {span or 'others'}")
        length = response.headers.get("Content-Length")
        told = None if length is None else start + int(length)
        size = download.size if download.size is not None else told
        if told not in {None, size}:
            raise DownloadError(f"{download.url}: the server has {told:,} bytes, expected {size:,}")
        with partial.open("ab" if start else "wb") as file:
            while chunk := response.read(CHUNK):
                if size is not None and file.tell() + len(chunk) > size:
                    raise DownloadError(f"{download.url}: the server sends more than {size:,} bytes")
                try:
                    file.write(chunk)
                    file.flush()
                except OSError as error:
                    raise DownloadError(f"{partial}: {error.strerror or error}") from error
                watch(file.tell(), size or file.tell())
        if size is not None and _size(partial) < size:
            raise ConnectionError(f"the connection ended after {_size(partial)} bytes")


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
